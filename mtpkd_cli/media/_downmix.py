"""Channels of sound -> mono: their mean, or one of them; and how much of the sound the mean takes away."""

import numpy as np


class Downmix:
    """Makes mono of pieces of some channels, and compares its energy with theirs.

    Args:
        channel: Which channel is heard, from 1; None = the mean of all.
    """

    def __init__(self, channel: int | None = None) -> None:
        self._channel = channel
        self._channels, self._energy, self._energy_of_channels = 1, 0.0, 0.0

    def mono(self, piece: np.ndarray) -> np.ndarray:
        """(n, C) float32 of C channels -> (n,) float32; raises IndexError where there is no such channel."""
        if self._channel is not None:
            return piece[:, self._channel - 1]
        mono = piece.mean(axis=1, dtype=np.float32)
        if piece.shape[1] > 1 and len(piece):
            self._channels = piece.shape[1]
            # Without their offsets, which are no sound.
            self._energy += float(np.var(mono, dtype=float)) * len(piece)
            self._energy_of_channels += float(np.var(piece, axis=0, dtype=float).mean()) * len(piece)
        return mono

    @property
    def cancelled(self) -> float:
        """Share of the sound that is lost in the mean: 0 of equal and of independent channels, 1 of opposite ones."""
        if not self._energy_of_channels:
            return 0.0
        return max(0.0, 1.0 - self._channels * self._energy / self._energy_of_channels)
