"""Steps of a feature sequence: equal stretches of a signal, each described by a few numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtpkd_cli.artifacts.quality import Quality
from mtpkd_cli.encoders import Features
from mtpkd_cli.errors import DataError


@dataclass(frozen=True)
class Steps:
    """T stretches that follow each other and cover N values.

    Args:
        bounds: (T + 1,) int, strictly increasing, from 0 to N.
        times_s: (T,) float64, centres, seconds from the first value.
    """

    bounds: np.ndarray
    times_s: np.ndarray

    def each(self, values: np.ndarray, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
        """(T,) the statistic of every stretch of (N,) values."""
        return np.array([statistic(values[i:j]) for i, j in zip(self.bounds[:-1], self.bounds[1:], strict=True)])

    def count(self, positions: np.ndarray) -> np.ndarray:
        """(T,) how many of the positions, (P,) int in 0..N-1, lie in every stretch."""
        return np.histogram(positions, bins=self.bounds)[0].astype(float)

    def total(self, positions: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(T,) sum of the weights, (P,), of the positions in every stretch."""
        return np.histogram(positions, bins=self.bounds, weights=weights)[0].astype(float)


def split_steps(n: int, rate_hz: float, step_s: float) -> Steps:
    """Cuts n values into stretches of `step_s`; the last takes what is left, from a half to one and a half of it.

    Raises:
        DataError: A step is shorter than the distance of two values.
    """
    per_step = step_s * rate_hz
    if per_step < 1:
        raise DataError(
            f"step_s = {step_s:g} is shorter than the {1 / rate_hz:g} s between two values",
            expected=f"step_s of at least {1 / rate_hz:g}",
            todo="raise step_s in the encoder's options",
        )
    n_steps = max(1, int(n / per_step + 0.5))
    bounds = np.floor(np.arange(n_steps + 1) * per_step + 0.5).astype(int)
    bounds[-1] = n
    return Steps(bounds, (bounds[:-1] + bounds[1:]) / (2 * rate_hz))


def stepwise(columns: dict[str, np.ndarray], steps: Steps, notes: dict[str, float], quality: Quality) -> Features:
    """Puts columns (T,) by name together as the features of these steps."""
    values = np.stack(list(columns.values()), axis=1).astype(np.float32)
    return Features(values, steps.times_s, tuple(columns), notes, quality=quality)
