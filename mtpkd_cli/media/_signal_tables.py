"""Tables of signals on disk: CSV in its local spellings, or Parquet, as columns of numbers.

What was read last is kept, keyed on path, modification time and size, since every modality and every segment of a
recording reads the same file.
"""

import csv
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError, did_you_mean, first_ten

# A recording or two with all their columns; an hour at 512 Hz with six columns is about 90 MB.
_TABLES_KEPT = 2
_COLUMNS_KEPT = 8
_SNIFFED_BYTES = 65536
_PLAUSIBLE_HZ = (0.1, 100_000.0)

Stamp = tuple[Path, int, int]


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
    table, path = _table(stamp), stamp[0]
    if name not in table.column_names:
        raise DataError(
            f"there is no column '{name}'{did_you_mean(name, table.column_names)}",
            where=path,
            expected=f"one of {', '.join(table.column_names)}",
            todo="name the column in the encoder's options",
        )
    if table.column_names.count(name) > 1:
        raise DataError(f"there are several columns '{name}'", where=path, expected="every name once in the header row")
    values = _as_float(table.column(name), name, path)
    values[~np.isfinite(values)] = np.nan
    values.flags.writeable = False
    return values


@lru_cache(maxsize=_COLUMNS_KEPT)
def times_of(stamp: Stamp, name: str, unit_s: float) -> tuple[np.ndarray, float]:
    """Seconds since the first row, (N,) float64, and rows per second."""
    raw, path = numbers(stamp, name), stamp[0]
    if len(raw) < 2:
        raise DataError("one row has no rate", where=path, expected="two rows or more")
    steps = np.diff(raw)
    # Written so that a missing time, which compares false with everything, is caught too.
    bad = np.flatnonzero(~(steps > 0))
    if bad.size:
        row = int(bad[0]) + 1
        raise DataError(
            f"column '{name}': {bad.size} times do not rise, first in row {row + 1}: {raw[row - 1]}, then {raw[row]}",
            where=path,
            expected="every time later than the one before, none missing",
            todo="sort or mend the rows, or leave the time column out and set sample_rate_hz",
        )
    median = float(np.median(steps))
    # Whole microseconds cannot hold 1/512 s: the mean of the regular steps is finer than their median.
    rate_hz = 1.0 / (unit_s * float(steps[steps < 1.5 * median].mean()))
    if not _PLAUSIBLE_HZ[0] <= rate_hz <= _PLAUSIBLE_HZ[1]:
        units = [u for u in (1.0, 1e-3, 1e-6, 1e-9) if 1.0 <= 1.0 / (u * median) <= 10_000.0]
        raise DataError(
            f"column '{name}' would mean {rate_hz:.6g} rows per second at time_unit_s = {unit_s:g}",
            where=path,
            expected="between {:g} and {:g}".format(*_PLAUSIBLE_HZ),
            todo=f"set time_unit_s{''.join(f', perhaps to {u:g}' for u in units)}",
        )
    times = (raw - raw[0]) * unit_s
    times.flags.writeable = False
    return times, rate_hz


@lru_cache(maxsize=_TABLES_KEPT)
def _table(stamp: Stamp) -> Any:
    import pyarrow as pa

    path = stamp[0]
    try:
        table = _read_parquet(path) if path.suffix.lower() in {".parquet", ".pq"} else _read_csv(path)
    except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as err:
        raise DataError(
            f"the table cannot be read: {err}", where=path, expected="a whole CSV or Parquet table with a header row"
        ) from err
    table = table.rename_columns([name.strip() for name in table.column_names])
    if table.num_rows == 0:
        raise DataError("the table has no rows", where=path, expected="a header row and numbers below it")
    return table


def _read_parquet(path: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(path).read(use_threads=False)


def _read_csv(path: Path) -> Any:
    import pyarrow.csv

    with path.open("rb") as file:
        lines = file.read(_SNIFFED_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    header = lines[0]
    delimiter = max("\t;,", key=header.count) if header.strip() else ","
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    _check_header(names, path)
    # The last line may be cut by the block's end.
    decimal_comma = delimiter != "," and any(re.search(r"\d,\d", line) for line in lines[1:-1] or lines[1:])
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(decimal_point="," if decimal_comma else "."),
    )


def _check_header(names: Sequence[str], path: Path) -> None:
    def is_number(text: str) -> bool:
        try:
            float(text.replace(",", "."))
        except ValueError:
            return False
        return True

    if not any(names) or all(is_number(name) for name in names):
        raise DataError(
            f"the first row is not a header: {', '.join(names[:6])}",
            where=path,
            expected="names of the columns in the first row",
            todo="write a header row into the file",
        )


def _as_float(column: Any, name: str, path: Path) -> np.ndarray:
    """A table column as (N,) float64 with NaN for nulls."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind) or pa.types.is_decimal(kind):
        return np.array(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    values = np.full(len(column), np.nan)
    problems = []
    for i, cell in enumerate(column.to_pylist()):
        try:
            values[i] = np.nan if cell is None else float(cell)
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
