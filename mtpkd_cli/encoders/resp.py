"""Breathing: rate over time, depth, variation, share of breathing in, and how far to trust them.

Reads one column of a table (belt or thermistor; up = breathing in) at any rate from about 8 Hz. NeuroKit2 cleans the
signal and finds where breathing in begins (trough) and ends (peak); a breath lasts from trough to trough. Breaths that
nobody takes (outside 3..60 a minute) are left out and lower `quality`. Two troughs with their peaks make a rate: clips
below about ten seconds mostly have none, `breaths_missing` is 1 then and neutral values stand in. Level, slope and the
share of time spent breathing in need no whole breath and hold for any clip, least near its ends.

References:
    Makowski et al., "NeuroKit2", Behavior Research Methods 53, 2021. Khodadad et al., "Optimized breath detection
    algorithm in electrical impedance tomography", Physiological Measurement 39, 2018.
"""

import numpy as np
from pydantic import Field

from mtpkd_cli.artifacts.quality import MEASURED, Quality, worst
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._neurokit import clean_and_find
from mtpkd_cli.encoders._rhythm import at_steps, rhythm_of
from mtpkd_cli.encoders._signal_options import RateBounds, SignalOptions, load_signal, rates_between
from mtpkd_cli.encoders._signal_quality import BREATH, signal_quality
from mtpkd_cli.encoders._windows import Steps, split_steps, stepwise

VERSION = 2

# NeuroKit2 passes 0.05 to 3 Hz and pads by 15 values.
_MIN_S, _MIN_VALUES, _MIN_RATE_HZ = 1.0, 16, 7.0
_BREATH_S = (1.0, 20.0)
# Sighs and pauses are breaths too: only the bounds decide.
_OUTLIER_SHARE = np.inf
_NEUTRAL_PER_MINUTE = 15.0
# Breathing is slower than this. Where white noise has little there (at less than twice that share it is no breathing),
# it can be told from breathing by that.
_TOP_HZ, _TELLING, _NOISE_FACTOR, _NOISE_VALUES = 3.0, 0.25, 2.0, 128


class Config(SignalOptions):
    """Options of the breathing encoder."""

    column: str = Field("rsp", min_length=1, description="Name of the signal's column.")
    rates_hz: RateBounds = rates_between(2.0, 10_000.0)


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of breathing.

    Returns:
        Features with T = duration / step_s; notes count interpolated rows, flat clips, and clips whose breaths are
        missing. Those have a rate of 15 a minute, half of it breathing in; changes, variation, depth and quality of 0.

    Raises:
        DataError: The rate is too low; see also `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    values, rate_hz = signal.values, signal.rate_hz
    steps = split_steps(len(values), rate_hz, config.step_s)
    cleaned, (peaks, troughs) = clean_and_find(
        values,
        rate_hz,
        kind="rsp",
        events=("RSP_Peaks", "RSP_Troughs"),
        min_s=_MIN_S,
        min_values=_MIN_VALUES,
        min_rate_hz=_MIN_RATE_HZ,
    )
    columns = _breaths(cleaned, peaks, troughs, rate_hz, steps) | _course(cleaned, rate_hz, steps)
    flat, missing = float(np.ptp(values) == 0), float(columns["breaths_missing"][0])
    notes = {**signal.notes, "flat": flat, "breaths_missing": missing}
    return stepwise(
        columns, steps, notes, worst(signal_quality(signal, segment, BREATH, config.step_s), _slow(values, rate_hz))
    )


def _slow(values: np.ndarray, rate_hz: float) -> Quality:
    """Nothing, where the band of breathing holds no more of the power than it does of white noise, give or take."""
    power = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(len(values)))) ** 2
    frequencies_hz = np.fft.rfftfreq(len(values), 1 / rate_hz)
    expected = 2 * _TOP_HZ / rate_hz
    if expected > _TELLING or len(values) < _NOISE_VALUES or not power.sum():
        return MEASURED
    share = float(power[frequencies_hz <= _TOP_HZ].sum() / power.sum())
    return Quality(0.0, "only noise, no breathing") if share < _NOISE_FACTOR * expected else MEASURED


def _breaths(
    cleaned: np.ndarray, peaks: np.ndarray, troughs: np.ndarray, rate_hz: float, steps: Steps
) -> dict[str, np.ndarray]:
    """Columns (T,) of whole breaths; NeuroKit2 gives as many troughs as peaks, each trough before its peak."""
    rhythm = rhythm_of(
        troughs,
        rate_hz,
        steps,
        bounds_s=_BREATH_S,
        outlier_share=_OUTLIER_SHARE,
        min_intervals=1,
        neutral_per_minute=_NEUTRAL_PER_MINUTE,
    )
    if rhythm.missing:
        depth = np.zeros(len(steps.times_s))
        inspiration_s = expiration_s = 30.0 / _NEUTRAL_PER_MINUTE
    else:
        depth = at_steps(peaks, cleaned[peaks] - cleaned[troughs], rate_hz, steps)
        inspiration_s = float(np.mean(peaks - troughs)) / rate_hz
        expiration_s = float(np.mean(troughs[1:] - peaks[:-1])) / rate_hz
    constant = {
        **rhythm.variation("breath"),
        "inspiration_mean_s": inspiration_s,
        "expiration_mean_s": expiration_s,
        "quality": rhythm.quality,
        "breaths_missing": float(rhythm.missing),
    }
    return {
        "breathing_rate_per_min": rhythm.per_minute,
        "breathing_rate_change_per_min": rhythm.per_minute - rhythm.per_minute[0],
        "depth": depth,
        "depth_change": depth - depth[0],
        "breaths": steps.count(peaks),
        **{name: np.full(len(depth), value) for name, value in constant.items()},
    }


def _course(cleaned: np.ndarray, rate_hz: float, steps: Steps) -> dict[str, np.ndarray]:
    """Columns (T,) that need no whole breath."""
    slope = np.gradient(cleaned) * rate_hz if len(cleaned) > 1 else np.zeros(1)
    level = steps.each(cleaned, np.mean)
    return {
        "level": level,
        "level_change": level - level[0],
        "level_std": steps.each(cleaned, np.std),
        "slope_mean": steps.each(slope, np.mean),
        "inspiration_share": steps.each((slope > 0).astype(float), np.mean),
    }
