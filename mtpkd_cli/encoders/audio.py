"""Sound: loudness, voice pitch, spectral shape, mel spectrum and cepstrum, mean and deviation per step.

Reads an audio file or the audio track of a video. Frames of 25 ms every 10 ms are described by librosa; a step of the
features tells the mean and the standard deviation of its frames. Pitch (YIN) counts only where a frame is voiced: loud
enough, and enough of it repeats after its period.

References:
    McFee et al., "librosa: audio and music signal analysis in Python", SciPy 2015. de Cheveigne and Kawahara, "YIN, a
    fundamental frequency estimator for speech and music", JASA 111, 2002.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._blocks import in_blocks
from mtpkd_cli.encoders._librosa import load_librosa, prepare
from mtpkd_cli.encoders._sound import VoiceOptions, load_sound, magnitudes, steps_of_frames, voice_frames
from mtpkd_cli.encoders._windows import Steps, stepwise

__all__ = ["VERSION", "Config", "encode", "prepare"]

VERSION = 2
READS = "sound"

_PITCH_REFERENCE_HZ = 55.0


class Config(VoiceOptions):
    """Options of the sound encoder."""

    n_mels: int = Field(26, ge=8, le=64, description="Bands of the mel spectrum.")
    n_mfcc: int = Field(13, ge=1, description="Coefficients of the cepstrum; at most n_mels.")

    @model_validator(mode="after")
    def _cepstrum(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc = {self.n_mfcc} is more than n_mels = {self.n_mels}")
        return self


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of sound.

    Returns:
        Features with T = duration / step_s; notes count seconds without sound (lead, gaps and missing end) and clips
        that are shorter than a frame (padded with silence) or silent throughout.

    Raises:
        DataError: See `mtpkd_cli.media.audio.read_audio`.
    """
    sound = load_sound(segment, config, config.pitch_frame)
    steps = steps_of_frames(sound.n_samples, config)
    frames = frame_features(sound.samples, config)
    columns = _aggregate({name: values[: steps.bounds[-1]] for name, values in frames.items()}, steps)
    return stepwise(columns, steps, sound.notes, sound.quality)


def frame_features(samples: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """Describes every frame.

    Args:
        samples: (N,) float32 at `config.sample_rate_hz`, at least as long as a pitch frame.
        config: Options.

    Returns:
        Columns (F,) by name, F = 1 + N // hop, frame i centred at i * hop_s; pitch in semitones above 55 Hz and NaN
        where `voiced` is 0.
    """
    voice = voice_frames(samples, config)

    def spectra(stretch: np.ndarray, _held: slice) -> dict[str, np.ndarray]:
        return _spectral_features(stretch, config)

    spectral = in_blocks(samples, config.hop, config.n_fft, spectra)
    mels, mfccs = spectral.pop("mel"), spectral.pop("mfcc")
    return {
        "loudness_db": voice["loudness_db"],
        "voiced": voice["voiced"].astype(float),
        "pitch_semitones": 12.0 * np.log2(voice["pitch_hz"] / _PITCH_REFERENCE_HZ),
        "centroid_hz": spectral["centroid_hz"],
        "bandwidth_hz": spectral["bandwidth_hz"],
        "rolloff_hz": spectral["rolloff_hz"],
        "flatness": spectral["flatness"],
        "crossings": voice["crossings"],
        "flux_db": spectral["flux_db"],
        **{f"mel_{i}": band for i, band in enumerate(mels.T)},
        **{f"mfcc_{i}": coefficient for i, coefficient in enumerate(mfccs.T)},
    }


def _spectral_features(samples: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """Columns (F,) by name; mel (F, n_mels) and mfcc (F, n_mfcc)."""
    librosa = load_librosa()

    rate = config.sample_rate_hz
    magnitude = magnitudes(samples, config)
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=config.n_mels)
    log_mel = librosa.power_to_db(mel, ref=1.0, top_db=None)
    rise = np.maximum(np.diff(log_mel, axis=1, prepend=log_mel[:, :1]), 0.0)
    return {
        "centroid_hz": librosa.feature.spectral_centroid(S=magnitude, sr=rate)[0],
        "bandwidth_hz": librosa.feature.spectral_bandwidth(S=magnitude, sr=rate)[0],
        "rolloff_hz": librosa.feature.spectral_rolloff(S=magnitude, sr=rate)[0],
        "flatness": librosa.feature.spectral_flatness(S=magnitude)[0],
        "flux_db": rise.mean(axis=0),
        "mel": log_mel.T,
        "mfcc": librosa.feature.mfcc(S=log_mel, n_mfcc=config.n_mfcc).T,
    }


def _aggregate(frames: dict[str, np.ndarray], steps: Steps) -> dict[str, np.ndarray]:
    """Mean and standard deviation of every column in every step; 0 for pitch where no frame is voiced."""
    columns = {}
    for name, values in frames.items():
        known = ~np.isnan(values)
        # Sums over steps at once: a call per step and column would cost more than the spectra.
        count = np.maximum(np.add.reduceat(known.astype(float), steps.bounds[:-1]), 1.0)
        mean = np.add.reduceat(np.where(known, values, 0.0), steps.bounds[:-1]) / count
        columns[f"{name}_mean"] = mean
        if name != "voiced":
            offset = np.where(known, values - np.repeat(mean, np.diff(steps.bounds)), 0.0)
            columns[f"{name}_std"] = np.sqrt(np.add.reduceat(offset**2, steps.bounds[:-1]) / count)
    return columns
