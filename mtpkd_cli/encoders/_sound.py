"""What the encoders of sound share: options, loading a segment, magnitudes of frames, and the voice in them.

Legend: N values, F frames; frame i is centred at i * hop_s.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.artifacts.quality import Quality
from mtpkd_cli.config import Options
from mtpkd_cli.encoders import Segment
from mtpkd_cli.encoders._blocks import in_blocks
from mtpkd_cli.encoders._librosa import load_librosa
from mtpkd_cli.encoders._periodicity import periodicity
from mtpkd_cli.encoders._windows import Steps, split_steps

# YIN compares the wave with itself one period later, so its frame holds this many of the longest periods.
_PERIODS_PER_FRAME = 3
# A frame this far below the clip's loudest is reverberation or room noise.
_VOICED_RANGE_DB = 35.0
# The share of a frame that repeats after one period, as Praat has it.
_VOICED_SHARE = 0.45
_DB_FLOOR = 1e-5


class SoundOptions(Options):
    """Options common to encoders of sound."""

    sample_rate_hz: int = Field(16_000, ge=8_000, description="Rate to resample to.")
    window_s: float = Field(0.025, ge=0.01, le=0.2, description="Length of a frame in seconds.")
    hop_s: float = Field(0.01, gt=0, le=0.1, description="Distance of two frames in seconds.")
    channel: int | None = Field(None, ge=1, description="Channel that is heard, from 1; none = the mean of all.")

    @property
    def hop(self) -> int:
        """Values from one frame to the next."""
        return round(self.hop_s * self.sample_rate_hz)

    @property
    def window(self) -> int:
        """Values in a frame."""
        return round(self.window_s * self.sample_rate_hz)

    @property
    def n_fft(self) -> int:
        """Points of the transform: the power of two that holds a frame."""
        return 1 << (self.window - 1).bit_length()


class VoiceOptions(SoundOptions):
    """Options common to encoders that look for a voice and describe it in steps."""

    pitch_min_hz: float = Field(60.0, ge=30, description="Lowest pitch of a voice.")
    pitch_max_hz: float = Field(400.0, le=2_000, description="Highest pitch of a voice.")
    voicing_floor_db: float = Field(-50.0, description="Below this loudness (dB re full scale) nothing is voiced.")
    step_s: float = Field(0.5, gt=0, description="Length of a step of the features in seconds.")

    @model_validator(mode="after")
    def _voice(self) -> Self:
        if self.pitch_min_hz >= self.pitch_max_hz:
            raise ValueError(f"pitch_min_hz = {self.pitch_min_hz:g} is not below pitch_max_hz = {self.pitch_max_hz:g}")
        if self.hop_s > self.step_s:
            raise ValueError(f"hop_s = {self.hop_s:g} is more than step_s = {self.step_s:g}")
        return self

    @property
    def pitch_frame(self) -> int:
        """Values in a frame for pitch, a power of two."""
        return 1 << int(np.ceil(np.log2(_PERIODS_PER_FRAME * self.sample_rate_hz / self.pitch_min_hz)))

    @property
    def periods(self) -> int:
        """Values in three of the longest periods, an even number."""
        return 2 * round(_PERIODS_PER_FRAME * self.sample_rate_hz / self.pitch_min_hz / 2)


@dataclass(frozen=True)
class LoadedSound:
    """A segment of sound.

    Args:
        samples: (N,) float32 at the options' rate, at least a frame long: a shorter segment is padded with silence.
        n_samples: How many of them the segment has, >= 1.
        notes: Seconds without sound (lead, gaps and missing end), and whether it is short or silent throughout.
        quality: How much of it was heard.
    """

    samples: np.ndarray
    n_samples: int
    notes: dict[str, float]
    quality: Quality


def load_sound(segment: Segment, config: SoundOptions, frame: int) -> LoadedSound:
    """Reads a segment's sound; `frame` is the number of values that it must have.

    Raises:
        DataError: See `mtpkd_cli.media.audio.read_audio`.
    """
    from mtpkd_cli.encoders._sound_quality import sound_quality
    from mtpkd_cli.media.audio import read_audio

    audio = read_audio(segment.path, config.sample_rate_hz, segment.start_s, segment.end_s, config.channel)
    n = len(audio.samples)
    notes = {
        "seconds_without_sound": audio.silent_s,
        "short": float(n < frame),
        "silent": float(not audio.samples.any()),
    }
    samples = audio.samples if n >= frame else np.pad(audio.samples, (0, frame - n))
    return LoadedSound(samples, n, notes, sound_quality(audio, segment, frame))


def steps_of_frames(n_samples: int, config: VoiceOptions) -> Steps:
    """Steps over the frames that begin within a segment's values; their last bound is the number of such frames."""
    n_frames = max(1, round(n_samples / config.hop))
    return split_steps(n_frames, config.sample_rate_hz / config.hop, config.step_s)


def magnitudes(samples: np.ndarray, config: SoundOptions) -> np.ndarray:
    """(n_fft // 2 + 1, F) magnitudes of the short-time Fourier transform (Hann window), F = 1 + N // hop."""
    librosa = load_librosa()

    return np.abs(librosa.stft(samples, n_fft=config.n_fft, hop_length=config.hop, win_length=config.window))


def voice_frames(samples: np.ndarray, config: VoiceOptions) -> dict[str, np.ndarray]:
    """Describes every frame as voice.

    A frame is voiced where it is loud enough and enough of it repeats after its period, which is YIN's.

    Returns:
        Columns (F,): loudness_db re full scale, crossings of zero per value, voiced (bool), pitch_hz and periodicity,
        both NaN where unvoiced.
    """
    n_fft, hop, rate = config.n_fft, config.hop, config.sample_rate_hz

    def describe(stretch: np.ndarray, _held: slice) -> dict[str, np.ndarray]:
        librosa = load_librosa()

        rms = librosa.feature.rms(y=stretch, frame_length=n_fft, hop_length=hop)[0]
        loudness = 20.0 * np.log10(np.maximum(rms, _DB_FLOOR))
        pitch = librosa.yin(
            stretch,
            fmin=config.pitch_min_hz,
            fmax=config.pitch_max_hz,
            sr=rate,
            frame_length=config.pitch_frame,
            hop_length=hop,
        )
        crossings = librosa.feature.zero_crossing_rate(stretch, frame_length=n_fft, hop_length=hop)[0]
        lags = np.where(loudness > config.voicing_floor_db, rate / pitch, np.nan)
        repeated = periodicity(stretch, lags, config.periods, hop)
        return {"loudness": loudness, "crossings": crossings, "pitch": pitch, "periodicity": repeated}

    columns = in_blocks(samples, hop, max(n_fft, config.pitch_frame), describe)
    loudness = columns["loudness"]
    floor = max(config.voicing_floor_db, loudness.max() - _VOICED_RANGE_DB)
    voiced = (loudness > floor) & (columns["periodicity"] > _VOICED_SHARE)
    return {
        "loudness_db": loudness,
        "crossings": columns["crossings"],
        "voiced": voiced,
        "pitch_hz": np.where(voiced, columns["pitch"], np.nan),
        "periodicity": np.where(voiced, columns["periodicity"], np.nan),
    }
