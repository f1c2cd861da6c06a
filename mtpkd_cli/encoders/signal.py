"""The signal itself, for models that learn from raw values: filtered, resampled, one feature per time step.

Reads one column of a table. The signal is filtered (Butterworth, both ways) where a band is given, resampled to
`rate_hz` by a polyphase filter that keeps out what the new rate cannot hold, and standardised within the clip unless
that is switched off. A clip of 5 s at 100 Hz has 500 steps: attention over time grows with their square.
"""

from fractions import Fraction
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._filters import filter_between
from mtpkd_cli.encoders._signal_options import SignalSource, load_signal
from mtpkd_cli.encoders._signal_quality import ANY, signal_quality

VERSION = 2

# A high-pass rings for a few periods of its end; half a second serves where there is none.
_PADDING_PERIODS, _PADDING_S = 3.0, 0.5
# Ratios of whole numbers up to this keep the time right to a millionth.
_RATIO_LIMIT = 1000


class Config(SignalSource):
    """Options of the raw signal encoder."""

    rate_hz: float = Field(100.0, gt=0, description="Rate to resample to: steps per second.")
    low_hz: float | None = Field(None, gt=0, description="Lower end of the band; none = slow changes and level stay.")
    high_hz: float | None = Field(
        None, gt=0, description="Upper end of the band, lowered to fit the signal's rate; none = as rate_hz allows."
    )
    standardise: bool = Field(True, description="Each clip to mean 0 and deviation 1; false = the sensor's unit.")

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.low_hz is not None and self.low_hz >= (self.high_hz or self.rate_hz / 2):
            end = f"high_hz = {self.high_hz:g}" if self.high_hz else f"half of rate_hz = {self.rate_hz:g}"
            raise ValueError(f"low_hz = {self.low_hz:g} is not below {end}")
        return self


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment as the values of the signal.

    Returns:
        Features with T = duration * rate_hz and D = 1, step i at i / rate_hz; notes count interpolated rows and clips
        that are flat (all 0 where standardised).

    Raises:
        DataError: The rate is too low for the band; see also `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    padding_s = max(_PADDING_S, _PADDING_PERIODS / config.low_hz if config.low_hz else 0.0)
    where = f"{segment.path}, column '{config.column}'"
    filtered = filter_between(
        signal.values, signal.rate_hz, config.low_hz, config.high_hz, padding_s=padding_s, where=where
    )
    values = resample(filtered, signal.rate_hz, config.rate_hz)
    flat = np.ptp(signal.values) == 0
    if config.standardise:
        values = values - values.mean()
        # What rounding leaves of a flat line is no signal to blow up to a deviation of 1.
        values = np.zeros_like(values) if flat else values / max(float(values.std()), np.finfo(float).tiny)
    return Features(
        values=values[:, None].astype(np.float32),
        times_s=np.arange(len(values)) / config.rate_hz,
        names=("value",),
        notes={**signal.notes, "flat": float(flat)},
        quality=signal_quality(signal, segment, ANY),
    )


def resample(values: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Values (N,) at another rate, (T,) with T = N / from_hz * to_hz rounded, at least 1; the first stays the first."""
    from scipy.signal import resample_poly

    ratio = Fraction(to_hz / from_hz).limit_denominator(_RATIO_LIMIT)
    if ratio == 1:
        return values
    n_steps = max(1, round(len(values) / from_hz * to_hz))
    if ratio == 0 or len(values) == 1:
        return np.full(n_steps, values.mean())
    # Continued along the line through its ends, a clip does not fall to zero at them.
    # Without its offset, of which the filter would make a ripple of a hundred-thousandth.
    offset = values.mean()
    result = offset + resample_poly(values - offset, ratio.numerator, ratio.denominator, padtype="line")
    return np.pad(result[:n_steps], (0, max(0, n_steps - len(result))), mode="edge")
