"""Prosody: pitch, loudness, voice quality, spectral balance and rhythm of speech, as functionals per step.

Reads an audio file or the audio track of a video. Frames of 25 ms every 10 ms; a step tells functionals of its frames.
The set is *in the spirit of* eGeMAPS and no substitute for it: pitch is YIN's; loudness is a compressed A-weighted mel
spectrum; perturbations compare neighbouring frames, where jitter and shimmer compare neighbouring periods; there are no
formants and no differences of harmonics. Numbers are not comparable with openSMILE's.

References:
    Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS)", IEEE Trans. Affective Computing 7, 2016.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._librosa import prepare
from mtpkd_cli.encoders._sound import VoiceOptions, load_sound, steps_of_frames
from mtpkd_cli.encoders._voice_frames import describe_frames
from mtpkd_cli.encoders._windows import Steps, stepwise

__all__ = ["VERSION", "Config", "encode", "prepare"]

VERSION = 2
READS = "sound"

_DETAILED = ("pitch_semitones", "loudness")
_PERCENTILES = (20, 50, 80)
# A peak of loudness is a syllable: a tenth of the clip's range high and no closer to the next than 50 ms.
_PEAK_SHARE, _PEAK_DISTANCE_S = 0.1, 0.05


class Config(VoiceOptions):
    """Options of the prosody encoder."""


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of speech.

    Returns:
        Features with T = duration / step_s; what only a voice has is 0 in a step without one, where `voiced_share` is 0
        too. Notes count seconds without sound (lead, gaps and missing end), steps without a voiced frame, and clips
        that are shorter than a frame (padded with silence) or silent throughout.

    Raises:
        DataError: See `mtpkd_cli.media.audio.read_audio`.
    """
    sound = load_sound(segment, config, config.pitch_frame)
    steps = steps_of_frames(sound.n_samples, config)
    frames = {name: values[: steps.bounds[-1]] for name, values in describe_frames(sound.samples, config).items()}
    columns = _functionals(frames, steps, config.hop / config.sample_rate_hz)
    notes = sound.notes | {"steps_without_voice": float((columns["voiced_share"] == 0).sum())}
    return stepwise(columns, steps, notes, sound.quality)


def _functionals(frames: dict[str, np.ndarray], steps: Steps, hop_s: float) -> dict[str, np.ndarray]:
    """Columns (T,) by name of columns (F,); NaN in a frame = it has no such value."""
    columns = _timing(frames["voiced"], frames["loudness"], steps, hop_s)
    for name, values in frames.items():
        if name == "voiced":
            continue
        columns[f"{name}_mean"] = _each_known(steps, values, np.mean)
        columns[f"{name}_std"] = _each_known(steps, values, np.std)
        if name in _DETAILED:
            for q in _PERCENTILES:
                columns[f"{name}_p{q}"] = _each_known(steps, values, partial(np.percentile, q=q))
            columns[f"{name}_range"] = columns[f"{name}_p80"] - columns[f"{name}_p20"]
            rates = np.diff(values, prepend=np.nan) / hop_s
            columns[f"{name}_rise_per_s"] = _each_known(steps, np.where(rates > 0, rates, np.nan), np.mean)
            columns[f"{name}_fall_per_s"] = _each_known(steps, np.where(rates < 0, rates, np.nan), np.mean)
    return columns


def _timing(voiced: np.ndarray, loudness: np.ndarray, steps: Steps, hop_s: float) -> dict[str, np.ndarray]:
    """Columns (T,): share of voice, its segments and syllables per second, mean length of a segment in the step."""
    from scipy.signal import find_peaks

    lengths_s = np.diff(steps.bounds) * hop_s
    share = steps.each(voiced, np.mean)
    # A segment that goes on from the step before counts in both.
    segments = steps.each(voiced, lambda part: float((np.diff(part, prepend=0.0) > 0).sum()))
    peaks, _ = find_peaks(
        loudness,
        prominence=max(_PEAK_SHARE * float(np.ptp(loudness)), np.finfo(np.float32).tiny),
        distance=max(1.0, _PEAK_DISTANCE_S / hop_s),
    )
    return {
        "voiced_share": share,
        "voiced_segments_hz": segments / lengths_s,
        "voiced_length_s": share * lengths_s / np.maximum(segments, 1.0),
        "loudness_peaks_hz": steps.count(peaks) / lengths_s,
    }


def _each_known(steps: Steps, values: np.ndarray, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
    """(T,) the statistic of the values that are not NaN in every step, 0 where there are none."""

    def of_known(part: np.ndarray) -> float:
        known = part[~np.isnan(part)]
        return float(statistic(known)) if known.size else 0.0

    return steps.each(values, of_known)
