"""Blood volume pulse (PPG): heart rate over time, its change and variation, height of pulses, how far to trust them.

Reads one column of a table at any rate from about 20 Hz. Pulses are detected by NeuroKit2; a pulse is as high as its
peak above the lowest point since the peak before. Intervals that no heart makes (outside 30..220 beats a minute, or
further than 40 % from the median of five neighbours) are left out and lower `quality`. With fewer than three beats
there is no rate: `beats_missing` is 1 and neutral values stand in.

References:
    Makowski et al., "NeuroKit2", Behavior Research Methods 53, 2021. Elgendi et al., "Systolic peak detection in
    acceleration photoplethysmograms", PLoS ONE 8, 2013.
"""

import numpy as np
from pydantic import Field

from mtpkd_cli.artifacts.quality import worst
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._beat_quality import PPG_BEAT, beat_quality
from mtpkd_cli.encoders._heartbeats import heart_columns
from mtpkd_cli.encoders._neurokit import clean_and_find
from mtpkd_cli.encoders._signal_options import RateBounds, SignalOptions, load_signal, rates_between
from mtpkd_cli.encoders._signal_quality import PULSE, signal_quality
from mtpkd_cli.encoders._windows import split_steps, stepwise

VERSION = 2

# NeuroKit2 passes 0.5 to 8 Hz, which needs more than 16 Hz, and compares with a mean over two thirds of a second.
_MIN_S, _MIN_VALUES, _MIN_RATE_HZ = 1.0, 16, 17.0


class Config(SignalOptions):
    """Options of the blood volume pulse encoder."""

    column: str = Field("ppg", min_length=1, description="Name of the signal's column.")
    rates_hz: RateBounds = rates_between(10.0, 10_000.0)


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of blood volume pulse.

    Returns:
        Features with T = duration / step_s; notes count interpolated rows, flat clips, and clips whose beats are
        missing. Those have a heart rate of 70, changes, variation, height and quality of 0.
        Measured is the time that beats fill which look alike.

    Raises:
        DataError: The rate is too low; see also `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    values, rate_hz = signal.values, signal.rate_hz
    steps = split_steps(len(values), rate_hz, config.step_s)
    cleaned, (beats,) = clean_and_find(
        values,
        rate_hz,
        kind="ppg",
        events=("PPG_Peaks",),
        min_s=_MIN_S,
        min_values=_MIN_VALUES,
        min_rate_hz=_MIN_RATE_HZ,
    )
    heights = _pulse_heights(cleaned, beats)
    columns = heart_columns(beats, heights, rate_hz, steps, interval="pp", height="pulse_height")
    columns["signal_std"] = steps.each(cleaned, np.std)
    flat, missing = float(np.ptp(values) == 0), float(columns["beats_missing"][0])
    notes = {**signal.notes, "flat": flat, "beats_missing": missing}
    quality = worst(
        signal_quality(signal, segment, PULSE, config.step_s),
        beat_quality(values, cleaned, beats, rate_hz, bool(missing), PPG_BEAT),
    )
    return stepwise(columns, steps, notes, quality)


def _pulse_heights(cleaned: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """(P,) how far every peak stands above the lowest point since the peak before, >= 0."""
    if not beats.size:
        return np.zeros(0)
    # One stretch per peak, from the peak before (or the start) up to itself.
    starts = np.concatenate([[0], beats[:-1]])
    lowest = [cleaned[start : peak + 1].min() for start, peak in zip(starts, beats, strict=True)]
    return cleaned[beats] - np.array(lowest)
