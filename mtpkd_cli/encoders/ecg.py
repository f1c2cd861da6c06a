"""Electrocardiogram: heart rate over time, its change and variation, height of the R waves, and how far to trust them.

Reads one column of a table at any rate from about 50 Hz. R waves are detected by NeuroKit2. Intervals between them that
no heart makes (outside 30..220 beats a minute, or further than 40 % from the median of five neighbours) are left out
and lower `quality`. With fewer than three beats there is no rate: `beats_missing` is 1 and neutral values stand in.

References:
    Makowski et al., "NeuroKit2", Behavior Research Methods 53, 2021.
"""

import numpy as np
from pydantic import Field

from mtpkd_cli.artifacts.quality import worst
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._beat_quality import ECG_BEAT, beat_quality
from mtpkd_cli.encoders._filters import filter_between
from mtpkd_cli.encoders._heartbeats import heart_columns
from mtpkd_cli.encoders._neurokit import clean_and_find
from mtpkd_cli.encoders._signal_options import RateBounds, SignalOptions, load_signal, rates_between
from mtpkd_cli.encoders._signal_quality import FAST, signal_quality
from mtpkd_cli.encoders._windows import split_steps, stepwise

VERSION = 2

# R waves lie in this band, hum and the noise of muscles above it.
_SHAPE_HZ, _SHAPE_PADDING_S = (1.0, 25.0), 0.5
# NeuroKit2 smooths over 0.75 s and its filters pad by 31 values: below this there is nothing for it to find.
_MIN_S, _MIN_VALUES, _MIN_RATE_HZ = 1.0, 64, 10.0


class Config(SignalOptions):
    """Options of the electrocardiogram encoder."""

    column: str = Field("ecg", min_length=1, description="Name of the signal's column.")
    rates_hz: RateBounds = rates_between(20.0, 20_000.0)


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of electrocardiogram.

    Returns:
        Features with T = duration / step_s; notes count interpolated rows, flat clips, and clips whose beats are
        missing. Those have a heart rate of 70, changes, variation, height and quality of 0.
        Measured is the time that beats fill which look alike.

    Raises:
        DataError: See `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    values, rate_hz = signal.values, signal.rate_hz
    steps = split_steps(len(values), rate_hz, config.step_s)
    cleaned, (beats,) = clean_and_find(
        values,
        rate_hz,
        kind="ecg",
        events=("ECG_R_Peaks",),
        min_s=_MIN_S,
        min_values=_MIN_VALUES,
        min_rate_hz=_MIN_RATE_HZ,
    )
    columns = heart_columns(beats, cleaned[beats], rate_hz, steps, interval="rr", height="r_height")
    columns["signal_std"] = steps.each(cleaned, np.std)
    flat, missing = float(np.ptp(values) == 0), float(columns["beats_missing"][0])
    notes = {**signal.notes, "flat": flat, "beats_missing": missing}
    quality = worst(
        signal_quality(signal, segment, FAST, config.step_s),
        beat_quality(
            values, _compared(values, rate_hz) if len(beats) else cleaned, beats, rate_hz, bool(missing), ECG_BEAT
        ),
    )
    return stepwise(columns, steps, notes, quality)


def _compared(values: np.ndarray, rate_hz: float) -> np.ndarray:
    """(N,) the band in which beats are compared."""
    return filter_between(values, rate_hz, *_SHAPE_HZ, padding_s=_SHAPE_PADDING_S, where="shapes of beats")
