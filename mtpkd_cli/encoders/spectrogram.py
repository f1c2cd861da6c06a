"""Spectrogram of a signal: power in bands of frequency, one step per window, as MT-PKDOT's released code takes it.

Reads one column of a table. The defaults are the released ones for the corrugator muscle at 512 Hz: windows of 16
values, four of them shared with the window before, 128 points per transform, so 65 bands and a step every 12 values.
The windows are scipy's (Tukey, 25 % tapered, mean removed) and so is the scale (power density).

References:
    Aslam et al., "Multi Teacher Privileged Knowledge Distillation", arXiv 2408.09035, 2024, released code.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.artifacts.quality import quality_of, worst
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._signal_options import SignalSource, load_signal
from mtpkd_cli.encoders._signal_quality import ANY, signal_quality

VERSION = 2

# The least power that a logarithm sees; far below any sensor's noise, in volts or microvolts squared per hertz.
_FLOOR = 1e-12


class Config(SignalSource):
    """Options of the spectrogram encoder."""

    nperseg: int = Field(16, ge=2, description="Values in a window.")
    noverlap: int = Field(4, ge=0, description="Values that a window shares with the one before; less than nperseg.")
    nfft: int = Field(128, ge=2, description="Points of the transform: nfft // 2 + 1 bands; at least nperseg.")
    log_scale: bool = Field(False, description="Decadic logarithm of the power; false = the power, as released.")

    @model_validator(mode="after")
    def _windows(self) -> Self:
        if self.noverlap >= self.nperseg:
            raise ValueError(f"noverlap = {self.noverlap} is not below nperseg = {self.nperseg}")
        if self.nfft < self.nperseg:
            raise ValueError(f"nfft = {self.nfft} is below nperseg = {self.nperseg}")
        return self


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of a signal.

    Returns:
        Features with T = (N - noverlap) // (nperseg - noverlap) steps of N values and D = nfft // 2 + 1 bands, band k
        at k * rate / nfft; notes count interpolated rows, flat clips, and clips that are shorter than a window
        (continued by their last value).

    Raises:
        DataError: See `mtpkd_cli.media.signals.read_signal`.
    """
    from scipy.signal import spectrogram

    signal = load_signal(segment, config)
    values = signal.values
    short = len(values) < config.nperseg
    if short:
        values = np.pad(values, (0, config.nperseg - len(values)), mode="edge")
    _, times_s, power = spectrogram(
        values, fs=signal.rate_hz, nperseg=config.nperseg, noverlap=config.noverlap, nfft=config.nfft
    )
    flat = float(np.ptp(signal.values) == 0)
    return Features(
        values=(np.log10(power + _FLOOR) if config.log_scale else power).T.astype(np.float32),
        times_s=times_s,
        names=tuple(f"band_{k}" for k in range(power.shape[0])),
        notes={**signal.notes, "flat": flat, "short": float(short)},
        quality=worst(
            signal_quality(signal, segment, ANY),
            quality_of(len(signal.values) / config.nperseg, "it is shorter than one window of the spectrogram"),
        ),
    )
