"""Sound: loudness, voice pitch, spectral shape, mel spectrum and cepstrum, mean and deviation per step.

Reads an audio file or the audio track of a video. Frames of 25 ms every 10 ms are described by librosa; a step of the
features tells the mean and the standard deviation of its frames. Pitch (YIN) counts only where a frame is voiced: loud
enough and not crossing zero as often as hiss does.

References:
    McFee et al., "librosa: audio and music signal analysis in Python", SciPy 2015. de Cheveigne and Kawahara, "YIN, a
    fundamental frequency estimator for speech and music", JASA 111, 2002.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.config import Options
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._windows import Steps, split_steps

VERSION = 1

_PITCH_REFERENCE_HZ = 55.0
# YIN compares the wave with itself one period later, so its frame holds this many of the longest periods.
_PERIODS_PER_FRAME = 3
# A frame this far below the clip's loudest is reverberation or room noise.
_VOICED_RANGE_DB = 35.0
# The share of neighbours with different signs: vowels stay below, hiss and fricatives above.
_VOICED_CROSSINGS = 0.25
_DB_FLOOR = 1e-5


class Config(Options):
    """Options of the sound encoder."""

    sample_rate_hz: int = Field(16_000, ge=8_000, description="Rate to resample to.")
    window_s: float = Field(0.025, gt=0, le=0.2, description="Length of a frame in seconds.")
    hop_s: float = Field(0.01, gt=0, le=0.1, description="Distance of two frames in seconds.")
    n_mels: int = Field(26, ge=8, le=64, description="Bands of the mel spectrum.")
    n_mfcc: int = Field(13, ge=1, description="Coefficients of the cepstrum; at most n_mels.")
    pitch_min_hz: float = Field(60.0, ge=30, description="Lowest pitch of a voice.")
    pitch_max_hz: float = Field(400.0, le=2_000, description="Highest pitch of a voice.")
    voicing_floor_db: float = Field(-50.0, description="Below this loudness (dB re full scale) nothing is voiced.")
    step_s: float = Field(0.5, gt=0, description="Length of a step of the features in seconds.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc = {self.n_mfcc} is more than n_mels = {self.n_mels}")
        if self.pitch_min_hz >= self.pitch_max_hz:
            raise ValueError(f"pitch_min_hz = {self.pitch_min_hz:g} is not below pitch_max_hz = {self.pitch_max_hz:g}")
        if self.hop_s > self.step_s:
            raise ValueError(f"hop_s = {self.hop_s:g} is more than step_s = {self.step_s:g}")
        return self


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of sound.

    Returns:
        Features with T = duration / step_s; notes count seconds without sound (lead, gaps and missing end) and clips
        that are shorter than a frame (padded with silence) or silent throughout.

    Raises:
        DataError: See `mtpkd_cli.media.audio.read_audio`.
    """
    from mtpkd_cli.media.audio import read_audio

    audio = read_audio(segment.path, config.sample_rate_hz, segment.start_s, segment.end_s)
    frame_length = _pitch_frame(config)
    samples = np.pad(audio.samples, (0, max(0, frame_length - len(audio.samples))))
    frames = frame_features(samples, config)
    hop = round(config.hop_s * config.sample_rate_hz)
    n_frames = max(1, round(len(audio.samples) / hop))
    steps = split_steps(n_frames, config.sample_rate_hz / hop, config.step_s)
    columns = _aggregate({name: values[:n_frames] for name, values in frames.items()}, steps)
    return Features(
        values=np.stack(list(columns.values()), axis=1).astype(np.float32),
        times_s=steps.times_s,
        names=tuple(columns),
        notes={
            "seconds_without_sound": audio.silent_s,
            "short": float(len(audio.samples) < frame_length),
            "silent": float(not audio.samples.any()),
        },
    )


def frame_features(samples: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """Describes every frame.

    Args:
        samples: (N,) float32 at `config.sample_rate_hz`, at least as long as a pitch frame.
        config: Options.

    Returns:
        Columns (F,) by name, F = 1 + N // hop, frame i centred at i * hop_s; pitch in semitones above 55 Hz and NaN
        where `voiced` is 0.
    """
    import librosa

    rate, hop = config.sample_rate_hz, round(config.hop_s * config.sample_rate_hz)
    window = round(config.window_s * rate)
    n_fft = 1 << (window - 1).bit_length()
    magnitude = np.abs(librosa.stft(samples, n_fft=n_fft, hop_length=hop, win_length=window))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=config.n_mels)
    log_mel = librosa.power_to_db(mel, ref=1.0, top_db=None)
    mfcc = librosa.feature.mfcc(S=log_mel, n_mfcc=config.n_mfcc)
    rms = librosa.feature.rms(y=samples, frame_length=n_fft, hop_length=hop)[0]
    loudness = 20.0 * np.log10(np.maximum(rms, _DB_FLOOR))
    crossings = librosa.feature.zero_crossing_rate(samples, frame_length=n_fft, hop_length=hop)[0]
    floor = max(config.voicing_floor_db, loudness.max() - _VOICED_RANGE_DB)
    voiced = (loudness > floor) & (crossings < _VOICED_CROSSINGS)
    pitch = librosa.yin(
        samples,
        fmin=config.pitch_min_hz,
        fmax=config.pitch_max_hz,
        sr=rate,
        frame_length=_pitch_frame(config),
        hop_length=hop,
    )
    rise = np.maximum(np.diff(log_mel, axis=1, prepend=log_mel[:, :1]), 0.0)
    return {
        "loudness_db": loudness,
        "voiced": voiced.astype(float),
        "pitch_semitones": np.where(voiced, 12.0 * np.log2(pitch / _PITCH_REFERENCE_HZ), np.nan),
        "centroid_hz": librosa.feature.spectral_centroid(S=magnitude, sr=rate)[0],
        "bandwidth_hz": librosa.feature.spectral_bandwidth(S=magnitude, sr=rate)[0],
        "rolloff_hz": librosa.feature.spectral_rolloff(S=magnitude, sr=rate)[0],
        "flatness": librosa.feature.spectral_flatness(S=magnitude)[0],
        "crossings": crossings,
        "flux_db": rise.mean(axis=0),
        **{f"mel_{i}": band for i, band in enumerate(log_mel)},
        **{f"mfcc_{i}": coefficient for i, coefficient in enumerate(mfcc)},
    }


def _pitch_frame(config: Config) -> int:
    """Samples in a frame for pitch, a power of two."""
    return 1 << int(np.ceil(np.log2(_PERIODS_PER_FRAME * config.sample_rate_hz / config.pitch_min_hz)))


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
