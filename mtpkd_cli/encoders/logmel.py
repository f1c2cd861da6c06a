"""Log-mel spectrum of sound, one step per frame, for models that learn from spectra.

Reads an audio file or the audio track of a video. Frames of 25 ms every 10 ms, power in mel bands (librosa's: Slaney's
scale and normalisation), in decibels re full scale and not below -100. A clip of 5 s has 500 steps: attention over time
grows with their square.

References:
    McFee et al., "librosa: audio and music signal analysis in Python", SciPy 2015.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._blocks import in_blocks
from mtpkd_cli.encoders._librosa import load_librosa, prepare
from mtpkd_cli.encoders._sound import SoundOptions, load_sound, magnitudes

__all__ = ["VERSION", "Config", "encode", "prepare"]

VERSION = 1
READS = "sound"


class Config(SoundOptions):
    """Options of the log-mel encoder."""

    n_mels: int = Field(64, ge=8, le=128, description="Bands of the mel spectrum.")
    low_hz: float = Field(50.0, ge=0, description="Lower end of the lowest band.")
    high_hz: float | None = Field(None, gt=0, description="Upper end of the highest band; none = half of the rate.")

    @model_validator(mode="after")
    def _bands(self) -> Self:
        top_hz = self.sample_rate_hz / 2
        if not self.low_hz < (self.high_hz or top_hz) <= top_hz:
            high = "none" if self.high_hz is None else f"{self.high_hz:g}"
            raise ValueError(f"low_hz = {self.low_hz:g} and high_hz = {high} are no band below {top_hz:g} Hz")
        width_hz = self.sample_rate_hz / self.n_fft
        edges_hz = band_edges(self.n_mels, self.low_hz, self.high_hz or top_hz)
        narrowest_hz = float((edges_hz[2:] - edges_hz[:-2]).min())
        if narrowest_hz <= width_hz:
            raise ValueError(
                f"n_mels = {self.n_mels}: bands down to {narrowest_hz:.0f} Hz wide, and frames of {self.window_s:g} s "
                f"tell {width_hz:.0f} Hz apart; lower n_mels, or raise window_s or low_hz"
            )
        return self


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of sound.

    Returns:
        Features with T = duration / hop_s rounded up, frame i centred at i * hop_s, and D = n_mels; notes count seconds
        without sound (lead, gaps and missing end) and clips that are shorter than a frame (padded with silence) or
        silent throughout.

    Raises:
        DataError: See `mtpkd_cli.media.audio.read_audio`.
    """
    librosa = load_librosa()

    sound = load_sound(segment, config, config.n_fft)

    def describe(stretch: np.ndarray, _held: slice) -> dict[str, np.ndarray]:
        power = magnitudes(stretch, config) ** 2
        mel = librosa.feature.melspectrogram(
            S=power, sr=config.sample_rate_hz, n_mels=config.n_mels, fmin=config.low_hz, fmax=config.high_hz
        )
        return {"db": librosa.power_to_db(mel, ref=1.0, top_db=None).T}

    # A frame that is centred on the segment's very end, or in its padding, tells of what is not there.
    n_frames = -(-sound.n_samples // config.hop)
    values = in_blocks(sound.samples, config.hop, config.n_fft, describe)["db"][:n_frames]
    return Features(
        values=values.astype(np.float32, copy=False),
        times_s=np.arange(n_frames) * config.hop / config.sample_rate_hz,
        names=tuple(f"mel_{i}" for i in range(config.n_mels)),
        notes=sound.notes,
        quality=sound.quality,
    )


def band_edges(n_mels: int, low_hz: float, high_hz: float) -> np.ndarray:
    """(n_mels + 2,) Hz: band i rises from edge i to edge i + 1 and falls to edge i + 2; even on Slaney's mel scale.

    Written again here since options are read without librosa, whose `mel_frequencies` this is.
    """
    # Linear up to 1 kHz, then 27 steps to every factor of 6.4.
    linear, log_step = 200.0 / 3.0, np.log(6.4) / 27.0

    def mel(hz: float) -> float:
        return hz / linear if hz < 1000.0 else 15.0 + float(np.log(hz / 1000.0)) / log_step

    mels = np.linspace(mel(low_hz), mel(high_hz), n_mels + 2)
    return np.where(mels < 15.0, mels * linear, 1000.0 * np.exp(log_step * (mels - 15.0)))
