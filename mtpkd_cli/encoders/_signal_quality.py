"""How much of a signal was measured: where it changes, keeps off its rails, and is no hum; N values.

Sensors that are alive are never exactly constant for long: their noise is above their smallest step. Over an hour of
each of three wrist devices (4 Hz, steps of a thousandth of a microsiemens) skin conductance never kept a value for 2 s,
whereas temperature (steps of 0.02 degrees) kept one for up to 18 s, 72 values. What kind of sensor an encoder reads
therefore says how long a value may last.
"""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.artifacts.quality import MEASURED, Quality, quality_of, worst
from mtpkd_cli.encoders import Segment
from mtpkd_cli.media.signals import Signal

# What is flagged, not refused: too few values to tell a dead sensor from a slow one.
_LITTLE = 0.1
# A spectrum of fewer values, or of a shorter stretch, has no line to speak of.
_HUM_VALUES, _HUM_S = 64, 1.0
# Fewer values show no more than two of their levels by chance; fewer than the second show nothing.
_LEVELS_OF, _FEW_VALUES = 100, 8
# No heart beats and nobody breathes as fast as 228 times a minute.
_HUM_FROM_HZ = 3.8
_RAIL_SHARE = 0.1


@dataclass(frozen=True)
class Liveness:
    """What a sensor of some kind does as long as it is alive.

    Args:
        longest_s: A value that lasts longer is stuck.
        least_values: And holds at least so many values.
        moves: It takes more than two values, and rests on neither end of its range: it is no slow level.
        hum: A line of the spectrum with this share of the power is hum and nothing else; above 1 = not looked for.
    """

    longest_s: float
    least_values: int = 2
    moves: bool = True
    hum: float = 2.0


FAST = Liveness(1.0, hum=0.98)
PULSE = Liveness(1.0, hum=0.95)
BREATH = Liveness(2.0, hum=0.95)
CONDUCTANCE = Liveness(2.0, moves=False)
ANY = Liveness(1.0, least_values=100, moves=False)


def signal_quality(signal: Signal, segment: Segment, alive: Liveness, step_s: float = 0.0) -> Quality:
    """How much of a segment's signal was measured by a sensor of this kind, and described in steps of this length."""
    values, rate_hz = signal.values, signal.rate_hz
    length_s = len(values) / rate_hz
    return worst(
        _filled_share(signal),
        covered(segment, length_s),
        _still(values, rate_hz, alive),
        _levels(values, alive),
        quality_of(len(values) / _FEW_VALUES, "there are hardly any values"),
        quality_of(length_s / step_s if step_s else 1.0, "it is shorter than one step"),
        *([_railed(values)] if alive.moves else []),
        hum_of(values, rate_hz, alive.hum),
    )


def covered(segment: Segment, length_s: float) -> Quality:
    """How much of the wanted stretch there is; all of it where the segment is open."""
    if segment.end_s is None:
        return MEASURED
    wanted_s = segment.end_s - (segment.start_s or 0.0)
    return quality_of(length_s / wanted_s, "the recording ends before the window does")


def hum_of(values: np.ndarray, rate_hz: float, share: float) -> Quality:
    """Nothing, where one line of the spectrum has this share of the power and is faster than any heart or breath."""
    n = len(values)
    if share > 1 or n < max(_HUM_VALUES, _HUM_S * rate_hz) or np.ptp(values) == 0:
        return MEASURED
    held, frequency_hz = spectral_line(values, rate_hz)
    return Quality(0.0, f"only a hum of {frequency_hz:.0f} Hz") if held >= share else MEASURED


def spectral_line(values: np.ndarray, rate_hz: float) -> tuple[float, float]:
    """Share of the power, drift left out, in the strongest line from 3.8 Hz on, and its frequency in Hz."""
    n = len(values)
    course = np.polynomial.Polynomial.fit(np.arange(n), values, 1)(np.arange(n))
    power = np.abs(np.fft.rfft((values - course) * np.hanning(n))) ** 2
    frequencies_hz = np.fft.rfftfreq(n, 1 / rate_hz)
    fast = np.flatnonzero(frequencies_hz >= _HUM_FROM_HZ)
    if not fast.size or not power.sum():
        return 0.0, 0.0
    top = int(fast[power[fast].argmax()])
    return float(power[max(0, top - 2) : top + 3].sum() / power.sum()), float(frequencies_hz[top])


def stuck_share(values: np.ndarray, least: int) -> float:
    """Share of the values that stand in runs of at least `least` equal ones."""
    ends = np.concatenate([np.flatnonzero(np.diff(values)), [len(values) - 1]])
    lengths = np.diff(ends, prepend=-1)
    return float(lengths[lengths >= least].sum() / len(values))


def _filled_share(signal: Signal) -> Quality:
    return quality_of(1.0 - signal.n_interpolated / len(signal.values), "values are missing and were interpolated")


def _still(values: np.ndarray, rate_hz: float, alive: Liveness) -> Quality:
    if len(values) == 1:
        return Quality(0.0, "there is one value only")
    if np.ptp(values) == 0:
        return Quality(0.0 if len(values) >= alive.least_values else _LITTLE, "the signal never changes")
    # At low rates a second is a few values, which any sensor may repeat.
    least = max(alive.least_values, int(alive.longest_s * rate_hz), 8)
    share = 1.0 - stuck_share(values, least)
    # A slow level that rests between changes, a button or a coarse converter is alive: it is flagged, not refused.
    return quality_of(share if alive.moves else max(_LITTLE, share), "the signal does not change")


def _levels(values: np.ndarray, alive: Liveness) -> Quality:
    """Little, where a signal takes two values only, a constant and its converter's last digit; nothing, if it moves."""
    if alive is CONDUCTANCE or len(values) < _LEVELS_OF or len(np.unique(values)) > 2:
        return MEASURED  # a level that rests is what skin conductance may do
    return Quality(0.0 if alive.moves else _LITTLE, "the signal takes two values only")


def _railed(values: np.ndarray) -> Quality:
    """How much is off the ends of the range, where more is on them than a wave that turns there."""
    ends = (values == values.min()) | (values == values.max())
    share = float(ends.mean())
    few = len(values) < _HUM_VALUES or share < _RAIL_SHARE or np.ptp(values) == 0
    return MEASURED if few else quality_of(1.0 - share, "the signal is clipped at the end of its range")
