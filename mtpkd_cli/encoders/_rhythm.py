"""Rhythms: from the events of a heart or a breath to their rate over time, its variation, and how far to trust it."""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.encoders._windows import Steps

_NEIGHBOURS = 5


@dataclass(frozen=True)
class Rhythm:
    """What the intervals between events say.

    Args:
        per_minute: (T,) rate at every step; the neutral rate where the rhythm is missing.
        intervals_s: (P,) plausible intervals, P >= 1; the neutral one where the rhythm is missing.
        successive_s: (Q,) differences of plausible intervals that follow each other, Q >= 0.
        quality: Share of the intervals that are plausible; 0 where the rhythm is missing.
        missing: Whether there are too few plausible intervals for a rate.
    """

    per_minute: np.ndarray
    intervals_s: np.ndarray
    successive_s: np.ndarray
    quality: float
    missing: bool

    def variation(self, prefix: str) -> dict[str, float]:
        """Mean, standard deviation and root mean square of successive differences of the intervals, in seconds."""
        rmssd = np.sqrt(np.mean(self.successive_s**2)) if self.successive_s.size else 0.0
        return {
            f"{prefix}_mean_s": float(self.intervals_s.mean()),
            f"{prefix}_std_s": float(self.intervals_s.std()),
            f"{prefix}_rmssd_s": float(rmssd),
        }


def rhythm_of(
    events: np.ndarray,
    rate_hz: float,
    steps: Steps,
    *,
    bounds_s: tuple[float, float],
    outlier_share: float,
    min_intervals: int,
    neutral_per_minute: float,
) -> Rhythm:
    """Judges the intervals between events and interpolates their rate.

    Args:
        events: (P,) int, positions of the events, increasing.
        rate_hz: Rate of the signal that they are positions of.
        steps: The T steps.
        bounds_s: Shortest and longest plausible interval in seconds.
        outlier_share: An interval further than this share from the median of its neighbours is left out.
        min_intervals: Fewer plausible intervals than this make no rate.
        neutral_per_minute: The rate that stands in for a missing one.
    """
    intervals = np.diff(events) / rate_hz
    good = _plausible(intervals, bounds_s, outlier_share)
    if good.sum() < min_intervals:
        neutral = np.full(len(steps.times_s), neutral_per_minute)
        return Rhythm(neutral, np.array([60.0 / neutral_per_minute]), np.zeros(0), 0.0, True)
    middles_s = (events[:-1] + events[1:])[good] / (2 * rate_hz)
    per_minute = np.interp(steps.times_s, middles_s, 60.0 / intervals[good])
    successive = np.diff(intervals)[good[1:] & good[:-1]]
    return Rhythm(per_minute, intervals[good], successive, float(good.mean()), False)


def at_steps(events: np.ndarray, values: np.ndarray, rate_hz: float, steps: Steps) -> np.ndarray:
    """(T,) what was measured at the events, (P,), P >= 1, interpolated to the steps."""
    return np.interp(steps.times_s, events / rate_hz, values)


def _plausible(intervals: np.ndarray, bounds_s: tuple[float, float], outlier_share: float) -> np.ndarray:
    """(P,) bool: intervals in seconds that a body can make, next to their neighbours.

    A false event makes two intervals of one: the longer of them is as false as the shorter, which alone is far off.
    """
    good = (intervals >= bounds_s[0]) & (intervals <= bounds_s[1])
    if not good.any():
        return good
    # Neighbours, not the whole clip: a heart may well be half as fast again a minute later. At the edges of the clip as
    # many as inside, or two false intervals would vouch for each other.
    size = min(_NEIGHBOURS, int(good.sum()))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(intervals[good], size), axis=1)
    order = np.cumsum(good) - 1
    local = medians[np.clip(order - size // 2, 0, len(medians) - 1)]
    far_off = np.abs(intervals - local) > outlier_share * local
    short = np.where(far_off & (intervals < local), intervals, 0.0)
    # The longer one fits better when the shorter, before or after it, is given back.
    for given_back in (np.append(0.0, short[:-1]), np.append(short[1:], 0.0)):
        far_off |= (given_back > 0) & (np.abs(intervals + given_back - local) < np.abs(intervals - local))
    return good & ~far_off
