"""Tables of signals on disk: CSV, Parquet, or a device's own files, as columns of numbers.

What was read last is kept, keyed on path, modification time and size, since every modality and every segment of a
recording reads the same file.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media._csv_tables import read_csv
from mtpkd_cli.media._empatica import e4_layout, read_e4

# A recording or two with all their columns; an hour at 512 Hz with six columns is about 90 MB.
_TABLES_KEPT = 2
_COLUMNS_KEPT = 8

# A unit at the end of a column's name, as in "EDA [µS]" or "time (ms)".
_UNIT = re.compile(r"\s*[\[({][^\[\](){}]*[\])}]\s*$")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(e[-+]?\d+)?\s*$", re.IGNORECASE)
_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*$")

Stamp = tuple[Path, int, int]


@dataclass(frozen=True)
class SignalTable:
    """A table of signals.

    Args:
        columns: The `pyarrow.Table`, names stripped of blanks.
        stated_hz: Rate that the file itself states; None = none.
        device: The device whose file it is, where that is known by its form; "" = any table.
        headless: Whether its columns have no names of their own.
    """

    columns: Any
    stated_hz: float | None = None
    device: str = ""
    headless: bool = False


def stamp(path: Path) -> Stamp:
    """Identity of a file's content: path, modification time in nanoseconds, size in bytes.

    Raises:
        DataError: There is no such file, or it is empty.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("cannot read a signal: there is no such file", where=path, expected="a CSV or Parquet table")
    stat = path.stat()
    if stat.st_size == 0:
        raise DataError("cannot read a signal: the file is empty", where=path, expected="a CSV or Parquet table")
    return path, stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=_COLUMNS_KEPT)
def numbers(stamp: Stamp, name: str) -> np.ndarray:
    """One column, (N,) float64, read-only; NaN where a cell is empty, NaN or infinite.

    Raises:
        DataError: There is no such column (the nearest name is given), or a cell is text.
    """
    values = as_float(column_of(stamp, name), name, stamp[0])
    values[~np.isfinite(values)] = np.nan
    values.flags.writeable = False
    return values


def column_of(stamp: Stamp, name: str) -> Any:
    """One column as pyarrow has it.

    A name matches whatever its Unicode form, and without a unit in brackets behind it where it is the only such one.

    Raises:
        DataError: There is no such column (the nearest name is given), or several.
    """
    opened, path = table(stamp), stamp[0]
    columns = opened.columns
    names = [unicodedata.normalize("NFKC", each) for each in columns.column_names]
    wanted = unicodedata.normalize("NFKC", name.strip())
    if opened.headless and len(names) == 1:
        return columns.column(0)  # it goes by any name
    fitting = [i for i, each in enumerate(names) if each == wanted]
    fitting = fitting or [i for i, each in enumerate(names) if _UNIT.sub("", each) == wanted]
    if not fitting:
        raise DataError(
            f"there is no column '{name}'{did_you_mean(name, columns.column_names)}",
            where=path,
            expected=f"one of {', '.join(columns.column_names)}",
            todo="name the column in the encoder's options",
        )
    if len(fitting) > 1:
        raise DataError(f"there are several columns '{name}'", where=path, expected="every name once in the header row")
    return columns.column(fitting[0])


def repeated_rows(stamp: Stamp) -> np.ndarray:
    """(N,) bool: which rows are equal to an earlier one in every column."""
    return table(stamp).columns.to_pandas().duplicated().to_numpy()


def series_column(stamp: Stamp, times: np.ndarray) -> str:
    """The column that tells rows of equal times apart, where each time stands once for each of its values; "" = none.

    Such a table holds several series, of two faces or three sensors, one below the other.

    Args:
        stamp: The table.
        times: (N,) its times.
    """
    n_times = len(np.unique(times))
    n_series, left = divmod(len(times), n_times)
    if n_series < 2 or left:
        return ""
    frame = table(stamp).columns.to_pandas()
    for name in frame.select_dtypes(exclude="float").columns:
        if frame[name].nunique() == n_series and not frame[name].groupby(times).nunique().ne(n_series).any():
            return str(name)
    return ""


@lru_cache(maxsize=_TABLES_KEPT)
def table(stamp: Stamp) -> SignalTable:
    """The whole table.

    Raises:
        DataError: It cannot be read, or has no rows.
    """
    import pyarrow as pa

    path = stamp[0]
    layout = None
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            columns = _read_parquet(path)
        elif layout := e4_layout(path):
            columns = read_e4(path, layout)
        else:
            columns = read_csv(path)
    except (pa.ArrowException, UnicodeError, OSError) as err:
        raise DataError(
            f"the table cannot be read: {err}", where=path, expected="a whole CSV or Parquet table with a header row"
        ) from err
    columns = columns.rename_columns([name.strip() for name in columns.column_names])
    if columns.num_rows == 0:
        raise DataError("the table has no rows", where=path, expected="a header row and numbers below it")
    if layout is None:
        return SignalTable(columns)
    return SignalTable(columns, layout.rate_hz, "Empatica E4", headless=layout.skipped == 2)


def _read_parquet(path: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(path).read(use_threads=False)


def as_float(column: Any, name: str, path: Path) -> np.ndarray:
    """A table column as (N,) float64 with NaN for nulls.

    Raises:
        DataError: A cell is text.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind) or pa.types.is_decimal(kind):
        return np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    values = np.full(len(column), np.nan)
    problems = []
    cells = column.to_pylist()
    texts = [cell for cell in cells if isinstance(cell, str) and "," in cell]
    # "1,500" in each of them may be fifteen hundred.
    commas = any(_DECIMAL_COMMA.match(cell) and not _THOUSANDS.match(cell) for cell in texts)
    for i, cell in enumerate(cells):
        try:
            number = cell.replace(",", ".") if commas and isinstance(cell, str) and _DECIMAL_COMMA.match(cell) else cell
            values[i] = np.nan if cell is None or cell == "" else float(number)
        except (TypeError, ValueError):
            problems.append(f"row {i + 1}, column '{name}': {str(cell)!r} is not a number")
    if problems:
        raise DataError(
            f"text among the numbers\n{first_ten(problems)}",
            where=path,
            expected="numbers; an empty cell or NaN where there is none",
            todo="mend these rows, or name another column",
        )
    return values
