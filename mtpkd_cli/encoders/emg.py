"""Electromyogram: strength of muscle activity, its bursts and spectrum, and change since the clip's first second.

Reads one column of a table. The signal is band-passed (Butterworth, both ways), squared and averaged over a short
window: the root is the envelope, given as its decadic logarithm since activity spans orders of magnitude. Where the
rate is too low for the band, its upper end moves below half the rate; bands that would vanish are an error.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._filters import filter_between
from mtpkd_cli.encoders._signal_options import RateBounds, SignalOptions, baseline_length, load_signal, rates_between
from mtpkd_cli.encoders._signal_quality import FAST, signal_quality
from mtpkd_cli.encoders._windows import Steps, split_steps, stepwise

VERSION = 2

# The filter rings for a few periods of its lower end, 50 ms at 20 Hz.
_PADDING_S = 0.5
# An envelope of zero has no logarithm; this is far below any sensor's noise, in volts or microvolts.
_FLOOR = 1e-9


class Config(SignalOptions):
    """Options of the electromyogram encoder."""

    column: str = Field("emg_trapezius", min_length=1, description="Name of the signal's column.")
    rates_hz: RateBounds = rates_between(40.0, 40_000.0)
    low_hz: float = Field(20.0, gt=0, description="Lower end of the band.")
    high_hz: float = Field(250.0, gt=0, description="Upper end of the band; lowered to fit the signal's rate.")
    envelope_s: float = Field(0.05, gt=0, description="Window of the envelope in seconds.")
    activation_ratio: float = Field(2.0, gt=1, description="Active = envelope above this many times its median.")

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz = {self.low_hz:g} is not below high_hz = {self.high_hz:g}")
        return self


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of electromyogram.

    Returns:
        Features with T = duration / step_s; notes count interpolated rows and clips that are flat (all features 0).

    Raises:
        DataError: The rate is too low for the band; see also `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    values, rate_hz = signal.values, signal.rate_hz
    steps = split_steps(len(values), rate_hz, config.step_s)
    flat = float(np.ptp(values) == 0)
    where = f"{segment.path}, column '{config.column}'"
    filtered = filter_between(values, rate_hz, config.low_hz, config.high_hz, padding_s=_PADDING_S, where=where)
    columns = _describe(filtered, rate_hz, steps, config)
    if flat:
        columns = {name: np.zeros(len(values)) for name, values in columns.items()}
    return stepwise(
        columns, steps, {**signal.notes, "flat": flat}, signal_quality(signal, segment, FAST, config.step_s)
    )


def _describe(filtered: np.ndarray, rate_hz: float, steps: Steps, config: Config) -> dict[str, np.ndarray]:
    """Columns (T,) by name."""
    from scipy.ndimage import uniform_filter1d

    width = max(1, round(config.envelope_s * rate_hz))
    power = uniform_filter1d(filtered**2, width, mode="nearest")
    # The running sum's rounding can go below zero after a burst.
    envelope = np.sqrt(np.maximum(power, 0.0)) + _FLOOR
    log_envelope = np.log10(envelope)
    active = (envelope > config.activation_ratio * np.median(envelope)).astype(float)
    crossings = np.abs(np.diff(np.signbit(filtered).astype(float), prepend=np.signbit(filtered[0])))
    mean = steps.each(log_envelope, np.mean)
    return {
        "log_envelope_mean": mean,
        "log_envelope_std": steps.each(log_envelope, np.std),
        "log_envelope_max": steps.each(log_envelope, np.max),
        "log_envelope_change": mean - log_envelope[: baseline_length(len(filtered), rate_hz)].mean(),
        "active_share": steps.each(active, np.mean),
        "crossings_hz": steps.each(crossings, np.mean) * rate_hz,
        "median_hz": steps.each(filtered, lambda part: _median_frequency(part, rate_hz)),
    }


def _median_frequency(part: np.ndarray, rate_hz: float) -> float:
    """The frequency in Hz with half of the power below it; 0 where there is no power."""
    spectrum = np.cumsum(np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2)
    if spectrum[-1] == 0:
        return 0.0
    return float(np.searchsorted(spectrum, 0.5 * spectrum[-1]) * rate_hz / len(part))
