"""Reading signals: a column of a CSV or Parquet table as evenly sampled values.

Delimiters tab, semicolon and comma and decimal commas are recognised. Short gaps are interpolated and counted, long
ones are an error; nothing is repaired silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._signal_tables import numbers, stamp, times_of
from mtpkd_cli.media.reader_names import note_reader

GAP_LIMIT_S = 0.25
GAP_LIMIT_SHARE = 0.05
_RATE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Signal:
    """An evenly sampled signal.

    Args:
        values: (N,) float64, finite, in the file's unit.
        rate_hz: Rate of the values.
        n_interpolated: How many of them stand for missing or lost rows and were interpolated linearly.
        n_trimmed: Rows beyond the wanted number that were left off at the end.
        n_padded: Values at the end that repeat the last one, up to the wanted number.
    """

    values: np.ndarray
    rate_hz: float
    n_interpolated: int = 0
    n_trimmed: int = 0
    n_padded: int = 0

    @property
    def notes(self) -> dict[str, float]:
        """What was done to the rows, as encoders count it."""
        done = {"rows_trimmed": float(self.n_trimmed), "rows_padded": float(self.n_padded)}
        return {"interpolated_rows": float(self.n_interpolated)} | {key: n for key, n in done.items() if n}


def with_rows(signal: Signal, rows: int, off: int, where: str) -> Signal:
    """The signal with exactly this many values: trimmed at its end, or its last value repeated.

    Args:
        signal: A whole clip.
        rows: Values wanted.
        off: By how many it may differ.
        where: File and column, for messages.

    Raises:
        DataError: It differs by more.
    """
    more = len(signal.values) - rows
    if abs(more) > off:
        raise DataError(
            f"the clip has {len(signal.values)} rows",
            where=where,
            expected=f"{rows}, give or take {off}",
            todo="copy the file again, leave this sample out by data.exclude, or change the options rows and rows_off",
        )
    padded = np.pad(signal.values[:rows], (0, max(0, -more)), mode="edge")
    return replace(signal, values=padded, n_trimmed=max(0, more), n_padded=max(0, -more))


def read_signal(
    path: Path,
    column: str,
    sample_rate_hz: float | None = None,
    *,
    time_column: str | None = None,
    time_unit_s: float = 1.0,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Signal:
    """Reads a column of a table or a part of it.

    Args:
        path: A CSV (tab, semicolon or comma) or Parquet table with named columns.
        column: Name of the signal's column.
        sample_rate_hz: Rate; needed where there is no time column, checked against it where there is one.
        time_column: Name of the column of times; None = rows are evenly spaced.
        time_unit_s: Seconds per unit of the time column, e.g. 1e-6 for microseconds.
        start_s: Start, seconds from the first row; None = the first row.
        end_s: End in the same time, exclusive; None = the last row.

    Raises:
        DataError: The file or column is missing or not numeric, times do not increase, the rates disagree, no row
            lies in the segment, or more is missing than `GAP_LIMIT_S` at a time or `GAP_LIMIT_SHARE` of the rows.
    """
    key = stamp(path)
    values = numbers(key, column)
    note_reader("pyarrow")
    if time_column is None:
        if sample_rate_hz is None:
            todo = "set sample_rate_hz or time_column in the encoder's options"
            raise DataError("the signal's rate is not known", where=path, expected="a rate or a time column", todo=todo)
        times, rate_hz = np.arange(len(values)) / sample_rate_hz, sample_rate_hz
    else:
        times, stated_hz = times_of(key, time_column, time_unit_s)
        rate_hz = sample_rate_hz or stated_hz
        if abs(stated_hz / rate_hz - 1) > _RATE_TOLERANCE:
            raise DataError(
                f"column '{time_column}' has {stated_hz:.6g} rows per second, sample_rate_hz is {rate_hz:g}",
                where=path,
                expected=f"rates within {_RATE_TOLERANCE:.0%}",
                todo="correct sample_rate_hz or time_unit_s, or leave sample_rate_hz out",
            )
    first = 0 if start_s is None else int(np.searchsorted(times, start_s - 1e-9))
    last = len(times) if end_s is None else int(np.searchsorted(times, end_s - 1e-9))
    if first >= last:
        expected = f"a part of its {times[-1]:.2f} s"
        raise DataError(f"there are no rows from {start_s} s to {end_s} s", where=path, expected=expected)
    filled, n_interpolated = _fill(times[first:last], values[first:last], rate_hz, f"{path}, column '{column}'")
    return Signal(filled, float(rate_hz), n_interpolated)


def named_signal(
    path: Path, options: Mapping[str, Any], start_s: float | None = None, end_s: float | None = None
) -> Signal:
    """Reads the signal that an encoder's options name: column, sample_rate_hz, time_column ("" = none), time_unit_s.

    Raises:
        DataError: See `read_signal`.
    """
    return read_signal(
        path,
        options["column"],
        options["sample_rate_hz"],
        time_column=options["time_column"] or None,
        time_unit_s=options["time_unit_s"],
        start_s=start_s,
        end_s=end_s,
    )


def _fill(times: np.ndarray, values: np.ndarray, rate_hz: float, where: str) -> tuple[np.ndarray, int]:
    """Interpolates missing cells and lost rows: values on an even grid, how many of them are interpolated.

    Args:
        times: (N,) seconds, increasing.
        values: (N,), NaN where missing.
        rate_hz: Rate of the grid.
        where: File and column, for messages.
    """
    present = np.isfinite(values)
    lost = np.maximum(np.rint(np.diff(times) * rate_hz).astype(int) - 1, 0)
    n_missing = int((~present).sum() + lost.sum())
    if n_missing == 0:
        return values.copy(), 0
    n_rows = int(np.rint((times[-1] - times[0]) * rate_hz)) + 1 if lost.any() else len(values)
    known = times[present]
    edges = [known[0] - times[0], times[-1] - known[-1]] if known.size else [np.inf]
    longest_s = max(*edges, float(np.diff(known).max(initial=0.0)) - 1.0 / rate_hz)
    if longest_s > GAP_LIMIT_S + 0.5 / rate_hz or n_missing > GAP_LIMIT_SHARE * n_rows:
        raise DataError(
            f"{n_missing} of {n_rows} values are missing, up to {min(longest_s, n_rows / rate_hz):.2f} s at a time",
            where=where,
            expected=f"gaps of at most {GAP_LIMIT_S} s and {GAP_LIMIT_SHARE:.0%} of the values",
            todo="leave its samples out by data.exclude, or mend it",
        )
    grid = times[0] + np.arange(n_rows) / rate_hz if lost.any() else times
    return np.interp(grid, known, values[present]), n_missing
