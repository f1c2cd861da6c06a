"""Tables of a user's on disk (Parquet or CSV): names of the columns, some of the columns, columns as numbers.

Both kinds give the same: names without blanks at their ends, text as written but for such blanks, whole numbers as
they are written by hand (1, whatever the table made of it), an index of pandas as a column. What was mended is counted
in `attrs["notes"]` of the table: what it was -> how often.
"""

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media._parquet_columns import ParquetColumns, plain_cells
from mtpkd_cli.media.csv_text import CsvText, read_csv_text, trimmed
from mtpkd_cli.storage import reading

NOTES = "notes"
INDEX = ""
"""Name of an index that has none, in a Parquet table of pandas or as the first column of a CSV table."""

_PARQUET = {".parquet", ".pq"}
_EXPECTED = "a Parquet table, or a CSV table with a header row"
_TODO = "save the table anew, or copy the file again"
# What an empty cell among numbers is written as; as text these are words.
_MISSING = [
    "",
    "#N/A",
    "#NA",
    "-1.#IND",
    "1.#QNAN",
    "-nan",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
]
_WHOLE_NUMBER = re.compile(r"[+-]?\d+(\.0+)?")
_WORDS_OF_NOTHING = frozenset(word.casefold() for word in _MISSING if word)


def column_names(path: Path) -> list[str]:
    """Names of the table's columns, in order, `INDEX` where an index has none.

    Raises:
        DataError: There is no such file, or it is no such table.
    """
    return list(_stored(path).names)


def index_of(path: Path) -> str | None:
    """Name of the column that pandas wrote as the table's index; None where there is none, or more than one."""
    stored = _stored(path)
    if isinstance(stored, ParquetColumns):
        return stored.index
    return INDEX if stored.names[:1] == (INDEX,) else None


def read_columns(
    path: Path, columns: Sequence[str], text: Collection[str] = (), *, may_be_empty: bool = False
) -> pd.DataFrame:
    """Reads some columns.

    Args:
        path: The table.
        columns: Names of the columns, given back in this order.
        text: Those to be taken as written, str or None: 007 stays three characters, NA and None are words, and only an
            empty cell is missing.
        may_be_empty: Take a table without rows.

    Raises:
        DataError: A column is missing or stands twice (all of them are named), or the table has no rows or cannot be
            read.
    """
    wanted = list(dict.fromkeys(columns))
    stored = _stored(path)
    _check_columns(path, list(stored.names), wanted)
    notes: Counter[str] = Counter()
    words = [name for name in wanted if name in text]
    if isinstance(stored, ParquetColumns):
        cells = stored.read(wanted, words)
    else:
        cells = _read_csv(path, stored, wanted, words, notes)
    table = pd.DataFrame(
        {name: _as_written(cells[name], name, notes) if name in text else cells[name] for name in wanted}
    )
    if table.empty and not may_be_empty:
        raise DataError("the table has no rows", where=path, expected="one row per sample")
    table = table.reset_index(drop=True)
    table.attrs[NOTES] = {note: count for note, count in notes.items() if count}
    return table


def numbers(table: pd.DataFrame, where: Path) -> np.ndarray:
    """The columns as (N, D) float64, NaN where a cell is missing.

    Raises:
        DataError: A cell is text or infinite; rows are counted from 1, below the header.
    """
    values, problems = numbers_and_problems(table)
    if problems:
        todo = "mend these cells; a missing value is an empty cell"
        raise DataError(f"{len(problems)} cells are no finite numbers\n{first_ten(problems)}", where=where, todo=todo)
    return values


def numbers_and_problems(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """The columns as (N, D) float64, NaN where a cell is missing or no finite number, and a message for the latter."""
    problems = []
    values = np.full(table.shape, np.nan)
    for j, name in enumerate(table.columns):
        cells = table[name]
        if cells.dtype.kind in "mMc":
            kind = {"m": "a span of time", "M": "a date", "c": "a complex number"}[cells.dtype.kind]
            problems += [f"row {i + 1}, column '{name}': {cells.iloc[i]} is {kind}, no number" for i in _there(cells)]
            continue
        column = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for i in np.flatnonzero(np.isnan(column) & cells.notna().to_numpy()):
            problems.append(f"row {i + 1}, column '{name}': {_shown(cells.iloc[i])} is not a number")
        for i in np.flatnonzero(np.isinf(column)):
            problems.append(f"row {i + 1}, column '{name}': infinite")
        values[:, j] = np.where(np.isinf(column), np.nan, column)
    return values, problems


def one_form(text: str) -> str:
    """A name in the one form of Unicode in which equal names are equal: an umlaut may be one character or two."""
    return unicodedata.normalize("NFC", text)


def reads_like_nothing(text: str) -> bool:
    """Whether a word is one that programs write for an empty cell, such as NaN."""
    return text.casefold() in _WORDS_OF_NOTHING


def marks_of_nothing(names: Iterable[str]) -> list[str]:
    """Of all class names those that programs write for an empty cell: words such as NaN, and -1 beside 0, 1, ..."""
    numbers = {name: float(name) if _WHOLE_NUMBER.fullmatch(name) else None for name in names}
    others = [number for number in numbers.values() if number != -1]
    counted = len(others) > 1 and all(number is not None and number >= 0 for number in others)
    return [name for name, number in numbers.items() if reads_like_nothing(name) or (counted and number == -1)]


def _stored(path: Path) -> ParquetColumns | CsvText:
    _check_there(path)
    return ParquetColumns(path) if path.suffix.lower() in _PARQUET else read_csv_text(path)


def _check_there(path: Path) -> None:
    with reading(path, "the table", expected=_EXPECTED, todo="correct data.file or data.root"):
        there = path.is_file()
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
    if not there:
        raise DataError(
            f"there is no such table{near}", where=path, expected=_EXPECTED, todo="correct data.file or data.root"
        )


def _check_columns(path: Path, known: list[str], wanted: list[str]) -> None:
    names = [name for name in known if name]
    problems = [f"column '{name}'{did_you_mean(name, names)}" for name in wanted if name not in known]
    if problems:
        raise DataError(
            f"the table lacks {len(problems)} columns\n{first_ten(problems)}",
            where=path,
            expected=f"columns like {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}",
            todo="correct the columns' names under [data]",
        )
    if twice := [f"column '{name}' stands {known.count(name)} times" for name in wanted if known.count(name) > 1]:
        raise DataError(
            f"the table has columns of one name\n{first_ten(twice)}",
            where=path,
            expected="every name once in the header",
            todo="rename or remove the others: which one is meant cannot be known",
        )


def _read_csv(
    path: Path, content: CsvText, wanted: list[str], words: list[str], notes: Counter[str]
) -> dict[str, pd.Series]:
    import io

    place = {name: content.names.index(name) for name in wanted}
    of_words = {place[name] for name in words}
    missing = {i: _MISSING for i in range(len(content.names)) if i not in of_words}
    if not content.body.strip():
        return {name: pd.Series(dtype=object) for name in wanted}
    with reading(path, "the table", expected=_EXPECTED, todo=_TODO), warnings.catch_warnings():
        # A row that is longer than the header is cut with a warning, which moves its cells.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                io.StringIO(content.body),
                sep=content.separator,
                header=None,
                names=range(len(content.names)),
                index_col=False,
                dtype=dict.fromkeys(of_words, object),
                keep_default_na=False,
                na_values=missing,
                low_memory=False,
            )
        except pd.errors.ParserWarning as err:
            raise ValueError(f"a row has more cells than the header: {err}") from err
    notes[f"{content.encoding} tables"] += content.encoding != "utf-8"
    notes["rows with fewer cells than the header"] += content.short_rows
    cells = {name: table[i] for name, i in place.items()}
    if content.separator != ",":
        cells |= {name: _decimal_commas(cells[name], name, notes) for name in wanted if name not in words}
    return cells


def _decimal_commas(cells: pd.Series, name: str, notes: Counter[str]) -> pd.Series:
    """A column whose numbers have a decimal comma, as numbers; any other as it is."""
    if cells.dtype.kind in "biufmMc":
        return cells
    text = cells.dropna().astype(str).str.strip()
    with_comma = text.str.fullmatch(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
    whole = text.str.fullmatch(r"[+-]?\d+(?:[eE][+-]?\d+)?")
    if not with_comma.any() or not (with_comma | whole).all():
        return cells
    notes[f"decimal commas in column '{name}'"] += int(with_comma.sum())
    return pd.to_numeric(cells.astype("string").str.strip().str.replace(",", ".", regex=False)).astype(float)


def _as_written(cells: pd.Series, name: str, notes: Counter[str]) -> pd.Series:
    """Cells of text without blanks at their ends, None where nothing is left."""
    written = plain_cells(cells)
    stripped = [None if cell is None else trimmed(cell) for cell in written]
    pairs = zip(written, stripped, strict=True)
    notes[f"cells of '{name}' with blanks at their ends"] += sum(a != b and bool(b) for a, b in pairs)
    return pd.Series([cell or None for cell in stripped], dtype=object)


def _there(cells: pd.Series) -> Any:
    return np.flatnonzero(cells.notna())


def _shown(cell: object) -> str:
    shown = repr(cell)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
