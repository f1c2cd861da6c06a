"""How much of a signal holds the beats of a heart: beats of one heart look alike, what is detected in noise does not.

Every beat is compared with the mean of the others. Detectors make beats of white noise, an electrode that is off and
hum as well, at intervals that a heart might have; their shapes correlate by about .2 (ECG) and .5 (PPG, whose filter
makes waves of any noise), those of real beats by .9 and more.

References:
    Orphanidou et al., "Signal-quality indices for the electrocardiogram and photoplethysmogram", IEEE Journal of
    Biomedical and Health Informatics 19, 2015 (comparison with a mean beat; thresholds of .66 and .86 on its mean).
"""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.artifacts.quality import Quality, quality_of
from mtpkd_cli.encoders._signal_quality import spectral_line

_LEAST_BEATS = 3
# A heart of 30 a minute has three beats in this time.
_LEAST_S = 6.0
# A heart of 90 has in this.
_SHORT_S = 2.0
_HUM_SHARE = 0.5
# What is flagged, not refused: beats that make no rate, and pulse waves that movement has deformed.
_LITTLE = 0.1
# White noise has a ninth of its power there at 64 values per second, and pulses have most of theirs.
_PULSE_HZ, _PULSE_FROM_HZ, _PULSE_SHARE = 4.0, 0.5, 0.4


@dataclass(frozen=True)
class BeatShape:
    """What is compared of beats.

    Args:
        reach_s: To both sides of a beat.
        alike: Least correlation with the mean of the others.
        pulse: It is a pulse wave, slow enough to tell it from noise by its spectrum.
    """

    reach_s: float
    alike: float
    pulse: bool = False


ECG_BEAT = BeatShape(0.25, 0.6)
PPG_BEAT = BeatShape(0.3, 0.7, pulse=True)


def beat_quality(
    values: np.ndarray, cleaned: np.ndarray, beats: np.ndarray, rate_hz: float, missing: bool, shape: BeatShape
) -> Quality:
    """How much of the time is filled by beats that look alike.

    Args:
        values: (N,) the signal as it was read.
        cleaned: (N,) what beats are compared in.
        beats: (P,) int, positions of the beats, increasing.
        rate_hz: Rate of both.
        missing: There are too few plausible intervals for a rate.
        shape: What is compared.
    """
    length_s = len(values) / rate_hz
    alike = beats_alike(cleaned, beats, rate_hz, shape) if len(beats) else np.zeros(0, bool)
    if missing:
        # Two beats of one heart are beats, though they make no rate.
        few = len(beats) < _LEAST_BEATS and alike.sum() >= 2 and length_s < _LEAST_S
        return Quality(_LITTLE if few else 0.0, _why_none(values, rate_hz, len(beats), int(alike.sum())))
    noise = shape.pulse and alike.mean() < 0.5 and _pulse_share(values, rate_hz) < _PULSE_SHARE
    if noise or (alike.sum() < 2 and not shape.pulse):
        return Quality(0.0, _why_none(values, rate_hz, len(beats), int(alike.sum())))
    interval_s = float(np.median(np.diff(beats))) / rate_hz
    # A stretch between beats at its ends is as good as one from end to end.
    share = max(_LITTLE, (alike.sum() + 1) * interval_s / length_s)
    return quality_of(
        share, "hardly a heart beat looks like the others" if shape.pulse else "no heart beat was detected"
    )


def beats_alike(cleaned: np.ndarray, beats: np.ndarray, rate_hz: float, shape: BeatShape) -> np.ndarray:
    """(P,) bool: beats whose shape correlates with the mean of the others'; P >= 1."""
    reach = max(2, round(shape.reach_s * rate_hz))
    padded = np.pad(cleaned, reach, mode="edge")
    rows = padded[beats[:, None] + np.arange(2 * reach + 1)]
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    others = rows.sum(axis=0) - rows
    correlations = (rows * others).sum(axis=1) / np.maximum(np.linalg.norm(others, axis=1), np.finfo(float).tiny)
    return np.asarray(correlations >= shape.alike)


def _pulse_share(values: np.ndarray, rate_hz: float) -> float:
    power = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(len(values)))) ** 2
    frequencies_hz = np.fft.rfftfreq(len(values), 1 / rate_hz)
    above = power[frequencies_hz >= _PULSE_FROM_HZ].sum()
    inside = power[(frequencies_hz >= _PULSE_FROM_HZ) & (frequencies_hz < _PULSE_HZ)].sum()
    return float(inside / above) if above else 0.0


def _why_none(values: np.ndarray, rate_hz: float, beats: int, alike: int) -> str:
    length_s = len(values) / rate_hz
    held, frequency_hz = spectral_line(values, rate_hz) if np.ptp(values) and length_s > 1 else (0.0, 0.0)
    if held > _HUM_SHARE:
        return f"no heart beat was detected, only a hum of {frequency_hz:.0f} Hz"
    if beats < _LEAST_BEATS and (alike >= 2 or length_s < _SHORT_S):
        return f"fewer than three heart beats in {length_s:.1f} s make no rate"
    return "no heart beat was detected"
