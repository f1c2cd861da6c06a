"""Placed rows as values on an even grid; what is missing is interpolated within limits, and counted.

Even rows stay as they are, missing ones are interpolated linearly. Uneven rows are resampled by their stamps with a
shape-preserving cubic (PCHIP, which overshoots nowhere), onto a grid as fine as the highest rate that they keep up, so
that nothing is aliased.

References:
    Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM Journal on
    Scientific and Statistical Computing 5, 1984.
"""

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._placement import Placement

_GAP_LIMIT_S = 0.25
_GAP_LIMIT_SHARE = 0.05
# Up to so many lost rows in a row only thin out the sampling, as a webcam's dropped frames do: they are interpolated
# and counted, and do not count against the share. Cells that are empty always do.
_THIN = 3
# Rows beside the part that is wanted, by which a cubic knows its slopes.
_BESIDE = 3


def fill_even(
    placed: Placement, values: np.ndarray, start_s: float | None, end_s: float | None, where: str
) -> tuple[np.ndarray, int]:
    """Values of even rows from start_s to end_s, and how many of them are interpolated.

    Args:
        placed: The rows' places; its rate is that of the grid.
        values: (N,) as they stand in the table, NaN where missing.
        start_s: Start, seconds from the first row; None = the first row.
        end_s: End, exclusive; None = the last row.
        where: File and column, for messages.

    Raises:
        DataError: No row lies there, or too much is missing.
    """
    times, rate_hz = placed.times_s, placed.rate_hz
    first, last = _part(times, start_s, end_s, where)
    part = values[placed.rows[first:last]]
    present = np.isfinite(part)
    lost = np.maximum(np.rint(np.diff(times[first:last]) * rate_hz).astype(int) - 1, 0)
    # The recording may have gaps at the ends of the part.
    lead = _rows_within(times[first] - (times[first] if start_s is None else max(0.0, start_s)), rate_hz)
    stop_s = times[last - 1] if end_s is None else min(end_s - 1 / rate_hz, times[-1])
    tail = _rows_within(stop_s - times[last - 1], rate_hz)
    gaps = np.concatenate([[lead], lost, [tail]])
    n_empty, n_lost = int((~present).sum()), int(gaps.sum())
    if n_empty + n_lost == 0:
        return part, 0
    begin = times[first] - lead / rate_hz
    n_rows = int(np.rint((times[last - 1] - times[first]) * rate_hz)) + 1 + lead + tail if n_lost else last - first
    known = times[first:last][present]
    ends = [known[0] - begin, times[last - 1] + tail / rate_hz - known[-1]] if known.size else [np.inf]
    longest_s = max(*ends, float(np.diff(known).max(initial=0.0)) - 1.0 / rate_hz)
    counted = n_empty + int(gaps[gaps > _THIN].sum())
    _check_missing(n_empty + n_lost, counted, n_rows, longest_s, rate_hz, where)
    grid = begin + np.arange(n_rows) / rate_hz if n_lost else times[first:last]
    return np.interp(grid, known, part[present]), n_empty + n_lost


def resample_uneven(
    placed: Placement, values: np.ndarray, start_s: float | None, end_s: float | None, where: str
) -> tuple[np.ndarray, int]:
    """Values of uneven rows at the placement's rate from start_s to end_s; see `fill_even`."""
    from scipy.interpolate import PchipInterpolator

    times, rate_hz, usual_s = placed.times_s, placed.rate_hz, 1 / placed.slowest_hz
    first, last = _part(times, start_s, end_s, where)
    begin = max(0.0, start_s or 0.0)
    stop = times[-1] + usual_s if end_s is None else min(end_s, times[-1] + usual_s)
    grid = begin + np.arange(max(1, round((stop - begin) * rate_hz))) / rate_hz
    part = slice(max(0, first - _BESIDE), last + _BESIDE)
    around = values[placed.rows[part]]
    present = np.isfinite(around)
    known, there = times[part][present], around[present]
    n_empty = int((~np.isfinite(values[placed.rows[first:last]])).sum())
    if len(known) < 2:
        _check_missing(n_empty, n_empty, len(grid), 0.0 if len(known) else np.inf, rate_hz, where)
        return np.full(len(grid), there[0]), n_empty
    # The interval that each point of the grid lies in; beyond the ends the last known value holds.
    right = np.clip(np.searchsorted(known, grid, side="right"), 1, len(known) - 1)
    spans = known[right] - known[right - 1]
    beyond_s = max(known[0] - grid[0], grid[-1] - known[-1], 0.0)
    lacking = int((spans > (_THIN + 1) * usual_s).sum() + (beyond_s > (_THIN + 1) * usual_s) * beyond_s * rate_hz)
    longest_s = max(float(spans.max()) - usual_s, beyond_s - usual_s)
    _check_missing(lacking + n_empty, lacking + n_empty, len(grid), longest_s, 1 / usual_s, where)
    return PchipInterpolator(known, there)(np.clip(grid, known[0], known[-1])), lacking + n_empty


def _part(times: np.ndarray, start_s: float | None, end_s: float | None, where: str) -> tuple[int, int]:
    first = 0 if start_s is None else int(np.searchsorted(times, start_s - 1e-9))
    last = len(times) if end_s is None else int(np.searchsorted(times, end_s - 1e-9))
    if first >= last:
        raise DataError(
            f"there are no rows from {start_s} s to {end_s} s",
            where=where,
            expected=f"a part of its {times[-1]:.2f} s",
            todo="correct the sample's start and end, or time_unit_s or sample_rate_hz where the recording is longer",
        )
    return first, last


def _rows_within(seconds: float, rate_hz: float) -> int:
    """Whole rows that a stretch has room for, where it is more than stamps may be off."""
    rows = seconds * rate_hz
    return 0 if rows < 1.5 else int(rows + 1e-6)


def _check_missing(missing: int, counted: int, n_rows: int, longest_s: float, rate_hz: float, where: str) -> None:
    if longest_s > _GAP_LIMIT_S + 0.5 / rate_hz or counted > _GAP_LIMIT_SHARE * n_rows:
        raise DataError(
            f"{missing} of {n_rows} values are missing, up to {min(longest_s, n_rows / rate_hz):.2f} s at a time",
            where=where,
            expected=f"gaps of at most {_GAP_LIMIT_S} s and {_GAP_LIMIT_SHARE:.0%} of the values",
            todo="leave this recording or segment out, or mend it",
        )
