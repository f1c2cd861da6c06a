"""Wide tables on disk (Parquet or CSV): names of the columns, some of the columns, columns as numbers."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli.errors import DataError, did_you_mean, first_ten

_PARQUET = {".parquet", ".pq"}
_EXPECTED = "a Parquet table, or a CSV table with a header row"


def column_names(path: Path) -> list[str]:
    """Names of the table's columns, in order; reads no rows.

    Raises:
        DataError: There is no such file, or it is no such table.
    """
    import pyarrow as pa
    import pyarrow.parquet

    if not path.is_file():
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise DataError(
            f"there is no such table{near}", where=path, expected=_EXPECTED, todo="correct data.file or data.root"
        )
    try:
        if path.suffix.lower() in _PARQUET:
            return list(pyarrow.parquet.read_schema(path).names)
        return list(pd.read_csv(path, sep=_delimiter(path), nrows=0).columns)
    except (pa.ArrowInvalid, pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as err:
        raise DataError(f"the table cannot be read: {err}", where=path, expected=_EXPECTED) from err


def read_columns(path: Path, columns: Sequence[str], text: Collection[str] = ()) -> pd.DataFrame:
    """Reads some columns.

    Args:
        path: The table.
        columns: Names of the columns, given back in this order.
        text: Those to be taken from a CSV as written: 007 stays three characters, NA and None are words, and only an
            empty cell is missing.

    Raises:
        DataError: A column is missing (all of them are named), or the table has no rows or cannot be read.
    """
    import pyarrow as pa

    known = column_names(path)
    missing = [f"column '{name}'{did_you_mean(name, known)}" for name in columns if name not in known]
    if missing:
        raise DataError(
            f"the table lacks {len(missing)} columns\n{first_ten(missing)}",
            where=path,
            expected=f"columns like {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}",
            todo="correct the columns' names under [data]",
        )
    wanted = list(dict.fromkeys(columns))
    try:
        if path.suffix.lower() in _PARQUET:
            table = pd.read_parquet(path, columns=wanted)
        else:
            table = _read_csv(path, wanted, [name for name in wanted if name in text])
    except (pa.ArrowInvalid, pd.errors.ParserError, UnicodeDecodeError, OSError) as err:
        raise DataError(f"the table cannot be read: {err}", where=path, expected=_EXPECTED) from err
    if table.empty:
        raise DataError("the table has no rows", where=path, expected="one row per sample")
    return table.reset_index(drop=True)


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
        column = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        for i in np.flatnonzero(np.isnan(column) & table[name].notna().to_numpy()):
            problems.append(f"row {i + 1}, column '{name}': {table[name].iloc[i]!r} is not a number")
        for i in np.flatnonzero(np.isinf(column)):
            problems.append(f"row {i + 1}, column '{name}': infinite")
        values[:, j] = np.where(np.isinf(column), np.nan, column)
    return values, problems


def _read_csv(path: Path, columns: list[str], text: list[str]) -> pd.DataFrame:
    # Twice, because one call has one rule for all columns of what a missing cell looks like.
    options = {"sep": _delimiter(path)}
    table = pd.read_csv(path, usecols=columns, **options)[columns]
    if text:
        words = pd.read_csv(path, usecols=text, dtype=str, keep_default_na=False, **options)
        for name in text:
            stripped = words[name].str.strip()
            table[name] = stripped.where(stripped != "", None)
    return table


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    return max(",\t;", key=header.count)
