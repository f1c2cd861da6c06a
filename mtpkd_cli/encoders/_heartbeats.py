"""Features of heart beats, whatever sensor detected them: rate over time, change, variation, height, quality.

Intervals between beats that no heart makes (outside 30..220 beats a minute, further than 40 % from the median of five
neighbours, or split by a false beat) are left out and lower `quality`. Bumps at the edge of a clip are no beats.
With fewer than three beats there is no rate: `beats_missing` is 1 and neutral values stand in.
"""

import numpy as np

from mtpkd_cli.encoders._rhythm import at_steps, rhythm_of
from mtpkd_cli.encoders._windows import Steps

_MIN_INTERVALS = 2
_INTERVAL_S = (60.0 / 220.0, 60.0 / 30.0)
# A missed beat doubles its interval, a false one halves it; breathing moves it by a tenth or two.
_OUTLIER_SHARE = 0.4
_NEUTRAL_BPM = 70.0
# Where a clip cuts a beat, its filter leaves a bump, lower than a beat; so does a P or T wave whose R wave is cut off.
_EDGE_S, _EDGE_SHARE = 0.3, 0.6


def heart_columns(
    beats: np.ndarray, heights: np.ndarray, rate_hz: float, steps: Steps, *, interval: str, height: str
) -> dict[str, np.ndarray]:
    """Columns (T,) by name.

    Args:
        beats: (P,) int, positions of the beats, increasing.
        heights: (P,) how high every beat stands in the signal.
        rate_hz: Rate of the signal.
        steps: The T steps.
        interval: What intervals are called in this signal, e.g. "rr".
        height: What the height is called in this signal, e.g. "r_height".
    """
    real = _no_bumps_at_edges(beats, heights, rate_hz, int(steps.bounds[-1]))
    beats, heights = beats[real], heights[real]
    rhythm = rhythm_of(
        beats,
        rate_hz,
        steps,
        bounds_s=_INTERVAL_S,
        outlier_share=_OUTLIER_SHARE,
        min_intervals=_MIN_INTERVALS,
        neutral_per_minute=_NEUTRAL_BPM,
    )
    bpm = rhythm.per_minute
    level = np.zeros(len(bpm)) if rhythm.missing else at_steps(beats, heights, rate_hz, steps)
    constant = rhythm.variation(interval) | {"quality": rhythm.quality, "beats_missing": float(rhythm.missing)}
    return {
        "heart_rate_bpm": bpm,
        "heart_rate_change_bpm": bpm - bpm[0],
        height: level,
        f"{height}_change": level - level[0],
        "beats": steps.count(beats),
        **{name: np.full(len(bpm), value) for name, value in constant.items()},
    }


def _no_bumps_at_edges(beats: np.ndarray, heights: np.ndarray, rate_hz: float, n_values: int) -> np.ndarray:
    """(P,) bool: false for a first or last beat at the edge of the clip that stands much lower than all others do."""
    real = np.ones(len(beats), bool)
    if len(beats) < 3:
        return real
    for at, others, gap in ((0, heights[1:], beats[0]), (-1, heights[:-1], n_values - 1 - beats[-1])):
        real[at] = gap > _EDGE_S * rate_hz or abs(heights[at]) >= _EDGE_SHARE * abs(np.median(others))
    return real
