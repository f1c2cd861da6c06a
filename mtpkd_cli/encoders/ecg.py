"""Electrocardiogram: heart rate over time, its change and variation, height of the R waves, and how far to trust them.

Reads one column of a table at any rate from about 50 Hz. R waves are found by NeuroKit2. Intervals between them that no
heart makes (outside 30..220 beats a minute, or further than 40 % from the median of five neighbours) are left out and
lower `quality`. With fewer than three beats there is no rate: `beats_missing` is 1 and neutral values stand in.

References:
    Makowski et al., "NeuroKit2", Behavior Research Methods 53, 2021.
"""

import warnings

import numpy as np
from pydantic import Field

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._signal_options import SignalOptions, load_signal
from mtpkd_cli.encoders._windows import Steps, split_steps

VERSION = 1

_MIN_BEATS = 3
_INTERVAL_S = (60.0 / 220.0, 60.0 / 30.0)
# A missed beat doubles its interval, a false one halves it; breathing moves it by a tenth or two.
_OUTLIER_SHARE = 0.4
_NEIGHBOURS = 5
_NEUTRAL_BPM = 70.0
# NeuroKit2 smooths over 0.75 s and its filters pad by 31 values: below this there is nothing for it to find.
_MIN_S, _MIN_VALUES = 1.0, 64


class Config(SignalOptions):
    """Options of the electrocardiogram encoder."""

    column: str = Field("ecg", min_length=1, description="Name of the signal's column.")


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of electrocardiogram.

    Returns:
        Features with T = duration / step_s; notes count interpolated rows, flat clips, and clips whose beats are
        missing. Those have a heart rate of 70, changes, variation, height and quality of 0.

    Raises:
        DataError: See `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    values, rate_hz = signal.values, signal.rate_hz
    steps = split_steps(len(values), rate_hz, config.step_s)
    flat = float(np.ptp(values) == 0)
    cleaned, beats = _find_beats(values, rate_hz)
    columns = _describe(cleaned, beats, rate_hz, steps)
    columns["signal_std"] = steps.each(cleaned, np.std)
    missing = float(columns["beats_missing"][0])
    return Features(
        values=np.stack(list(columns.values()), axis=1).astype(np.float32),
        times_s=steps.times_s,
        names=tuple(columns),
        notes={"interpolated_rows": float(signal.n_interpolated), "flat": flat, "beats_missing": missing},
    )


def _find_beats(values: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Cleaned signal (N,) and positions of the R waves (P,) int, increasing."""
    import neurokit2 as nk

    centred = values - values.mean()
    if np.ptp(values) == 0 or len(values) < max(_MIN_VALUES, _MIN_S * rate_hz):
        return centred, np.zeros(0, int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleaned = np.asarray(nk.ecg_clean(values, sampling_rate=rate_hz))
        try:
            _, found = nk.ecg_peaks(cleaned, sampling_rate=rate_hz)
        except (ValueError, IndexError, TypeError):
            # What NeuroKit2 raises where it finds no beat at all; the clip is flagged by `beats_missing`.
            return cleaned, np.zeros(0, int)
    peaks = np.asarray(found["ECG_R_Peaks"], dtype=float)
    return cleaned, peaks[np.isfinite(peaks)].astype(int)


def _plausible(intervals: np.ndarray) -> np.ndarray:
    """(P - 1,) bool: intervals in seconds that a heart can make, next to their neighbours."""
    from scipy.ndimage import median_filter

    good = (intervals >= _INTERVAL_S[0]) & (intervals <= _INTERVAL_S[1])
    if good.any():
        # Neighbours, not the whole clip: a heart may well be half as fast again a minute later.
        local = median_filter(intervals[good], size=_NEIGHBOURS, mode="nearest")
        good[good] = np.abs(intervals[good] - local) <= _OUTLIER_SHARE * local
    return good


def _describe(cleaned: np.ndarray, beats: np.ndarray, rate_hz: float, steps: Steps) -> dict[str, np.ndarray]:
    """Columns (T,) by name."""
    intervals = np.diff(beats) / rate_hz
    good = _plausible(intervals)
    missing = good.sum() < _MIN_BEATS - 1
    if missing:
        bpm = np.full(len(steps.times_s), _NEUTRAL_BPM)
        rr, successive = np.full(2, 60.0 / _NEUTRAL_BPM), np.zeros(1)
        height, quality = np.zeros(len(steps.times_s)), 0.0
    else:
        rr, successive = intervals[good], np.diff(intervals)[good[1:] & good[:-1]]
        middles_s = (beats[:-1] + beats[1:])[good] / (2 * rate_hz)
        bpm = np.interp(steps.times_s, middles_s, 60.0 / rr)
        height = np.interp(steps.times_s, beats / rate_hz, cleaned[beats])
        quality = good.mean()
    constant = {
        "rr_mean_s": rr.mean(),
        "rr_std_s": rr.std(),
        "rr_rmssd_s": np.sqrt(np.mean(successive**2)) if successive.size else 0.0,
        "quality": quality,
        "beats_missing": float(missing),
    }
    return {
        "heart_rate_bpm": bpm,
        "heart_rate_change_bpm": bpm - bpm[0],
        "r_height": height,
        "r_height_change": height - height[0],
        "beats": steps.count(beats),
        **{name: np.full(len(bpm), value) for name, value in constant.items()},
    }
