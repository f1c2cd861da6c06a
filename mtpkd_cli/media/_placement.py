"""Where the rows of a table stand in time: stamps are checked, smoothed where they jitter, believed where they do not.

1. Rows that repeat an earlier one, stamp and all, are left out; rows whose order alone is wrong are sorted.
2. Stamps within half an interval of an even grid, of which single points may be lacking, are that grid.
3. Stamps that scatter about a grid are smoothed, see `mtpkd_cli.media._stamp_smoothing`, or, where a coarse clock
   states one twice, put onto it.
4. What is left and rises is uneven sampling with right stamps.
Anything else cannot be placed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._stamp_smoothing import smooth

_ON_GRID = 0.5  # intervals
_MULTIPLE = 0.3  # intervals by which a gap may differ from a whole number of them
_CLEAR_OF_ROUNDING = 10
_BREAK_S = 1.0
_LARGEST_SHIFT_S = 2.0
# Sorting may join stretches only where nothing is missing between them.
_SORTED_GAP = 4
# Of fewer rows nobody knows whether they are even; a stamp that is a row's behind its own is off by so many intervals.
_FEWEST, _STALLED = 16, 1.25


@dataclass(frozen=True)
class Placement:
    """Rows in their order of time.

    Args:
        rows: (N,) int, which row of the table stands at each time.
        times_s: (N,) float64, seconds from the first of them, strictly rising.
        rate_hz: Rate of the grid; of uneven rows the highest that they keep up for a second.
        slowest_hz: The lowest that they keep up; equal to the rate where they are even.
        even: Whether they stand on the grid, gaps being whole multiples.
        notes: What was done, as encoders count it.
    """

    rows: np.ndarray
    times_s: np.ndarray
    rate_hz: float
    slowest_hz: float
    even: bool
    notes: dict[str, float] = field(default_factory=dict)


def place_rows(times_s: np.ndarray, repeated: Callable[[], np.ndarray], name: str, where: str) -> Placement:
    """Places rows by their stamps.

    Args:
        times_s: (N,) seconds, N >= 2, as they stand in the file; NaN where missing.
        repeated: Gives (N,) bool, which rows are equal to an earlier one throughout.
        name: The column's name, for messages.
        where: The file, for messages.

    Raises:
        DataError: Stamps are missing, all equal, go back, or shift by more than `_LARGEST_SHIFT_S`.
    """
    if not np.isfinite(times_s).all():
        raise _not_rising(times_s, name, where)
    if np.ptp(times_s) == 0:
        raise DataError(
            f"column '{name}': all {len(times_s)} times are equal",
            where=where,
            expected="times that rise",
            todo="leave the time column out and set sample_rate_hz",
        )
    rows, notes = _without_repeats(times_s, repeated)
    rows, in_order = _in_order(rows, times_s)
    notes |= in_order
    times = times_s[rows] - times_s[rows[0]]
    rising = bool((np.diff(times) > 0).all())
    if rising and (rate_hz := _grid_rate(times)):
        return Placement(rows, times, rate_hz, rate_hz, True, notes)
    smoothed = smooth(times)
    if smoothed is not None:
        placed, step = smoothed
        shift_s = float(np.abs(times - placed).max())
        if shift_s > _LARGEST_SHIFT_S:
            raise DataError(
                f"column '{name}': times would have to be shifted by up to {shift_s:.2f} s to make rows even",
                where=where,
                expected=f"stamps within {_LARGEST_SHIFT_S:g} s of where their values belong",
                todo="leave the time column out and set sample_rate_hz where rows are even, or mend the times",
            )
        notes |= {"stamps_smoothed": float(len(times)), "largest_shift_ms": round(1000 * shift_s, 3)}
        times = placed - placed[0]
        if step:
            return Placement(rows, times, 1 / step, 1 / step, True, notes)
    elif not rising:
        if not (rate_hz := _stalled_rate(times)):
            raise _not_rising(times_s, name, where)
        notes["stamps_smoothed"] = float(len(times))
        return Placement(rows, np.arange(len(times)) / rate_hz, rate_hz, rate_hz, True, notes)
    slowest_hz, rate_hz = _kept_rates(times)
    notes["rows_placed_by_stamps"] = float(len(times))
    return Placement(rows, times, rate_hz, slowest_hz, False, notes)


def _not_rising(times_s: np.ndarray, name: str, where: str) -> DataError:
    bad = np.flatnonzero(~(np.diff(times_s) > 0))
    row = int(bad[0]) + 1
    back_s = times_s[row - 1] - times_s[row]
    reason = f"a step back of {back_s:.6g} s" if back_s > 0 else "equal ones" if back_s == 0 else "a missing one"
    return DataError(
        f"column '{name}': {bad.size} times do not rise, first in row {row + 1}: {reason}",
        where=where,
        expected="every time later than the one before, none missing; or stamps that scatter about an even rate",
        todo="was the clock set back, or are two recordings in one file? Cut it there, or mend the times, "
        "or leave the time column out and set sample_rate_hz",
    )


def _without_repeats(times_s: np.ndarray, repeated: Callable[[], np.ndarray]) -> tuple[np.ndarray, dict[str, float]]:
    """The rows that stay: without copies, where all rows of equal stamps are copies."""
    rows = np.arange(len(times_s))
    n_copies = len(times_s) - len(np.unique(times_s))
    if n_copies == 0:
        return rows, {}
    copies = repeated()
    if copies.sum() != n_copies:
        return rows, {}
    return rows[~copies], {"rows_repeated": float(n_copies)}


def _in_order(rows: np.ndarray, times_s: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Rows sorted by time, where they are an even series in a wrong order and nothing else."""
    if len(rows) < 2 or (np.diff(times_s[rows]) >= 0).all():
        return rows, {}
    order = rows[np.argsort(times_s[rows], kind="stable")]
    steps = np.diff(times_s[order])
    usual = float(np.median(steps))
    whole = np.rint(steps / usual) if usual > 0 else np.zeros(1)
    apart = np.abs(steps / usual - whole).max() if usual > 0 else np.inf
    if whole.min() < 1 or whole.max() > _SORTED_GAP or apart > _MULTIPLE:
        return rows, {}
    return order, {"rows_sorted": float((order != rows).sum())}


def _grid_rate(times: np.ndarray) -> float:
    """Rate of the even grid that rising times (N,) stand on, of which points may be lacking; 0 = they stand on none."""
    n = len(times)
    mean = times[-1] / (n - 1)
    if np.abs(_residual(np.arange(n), times)).max() <= _ON_GRID * mean:
        return 1 / mean
    steps = np.diff(times)
    # Whole microseconds cannot hold 1/512 s: the mean of the regular steps is finer than their median.
    step = float(steps[steps < 1.5 * np.median(steps)].mean())
    gaps = steps / step
    whole = np.rint(gaps)
    unclear = np.abs(gaps - whole)[whole < _CLEAR_OF_ROUNDING]
    # Packets stamped on arrival stand on a fine grid of which most is empty.
    lacking = float((whole - 1)[steps <= _BREAK_S].sum())
    if whole.min() < 1 or unclear.max(initial=0.0) > _MULTIPLE or lacking > n:
        return 0.0
    index = np.concatenate([[0], np.cumsum(whole)])
    slope = _line_slope(index, times)
    return 1 / slope if np.abs(_residual(index, times)).max() <= _ON_GRID * slope else 0.0


def _stalled_rate(times: np.ndarray) -> float:
    """Rate of even rows whose stamps (N,) stay now and then for a row, as a coarse clock's do; 0 = they are not."""
    n = len(times)
    if n < _FEWEST or (np.diff(times) < 0).any():
        return 0.0
    slope = _line_slope(np.arange(n), times)
    return 1 / slope if np.abs(_residual(np.arange(n), times)).max() <= _STALLED * slope else 0.0


def _kept_rates(times: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest rate that rising times (N,) keep up for about a second."""
    n = len(times)
    lag = int(np.clip(round((n - 1) / times[-1]), 1, n - 1))
    local = lag / (times[lag:] - times[:-lag])
    low, high = np.quantile(local, [0.05, 0.99])
    return float(low), float(high)


def _residual(index: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) what the line of times on index leaves."""
    return times - times.mean() - (index - index.mean()) * _line_slope(index, times)


def _line_slope(index: np.ndarray, times: np.ndarray) -> float:
    """Slope of the line of least squares."""
    x = index - index.mean()
    return float(x @ (times - times.mean())) / float(x @ x)
