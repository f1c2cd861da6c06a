"""Mono sound that comes in pieces, resampled as it comes: only the result is kept."""

import numpy as np


class Resampler:
    """Collects pieces at one rate as samples at another, by soxr's high quality, which librosa uses as well.

    Args:
        from_hz: Rate of the pieces.
        to_hz: Rate of the samples.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        import soxr

        self.rate_hz, self._to_hz = from_hz, to_hz
        self.peak, self.n_given = 0.0, 0
        self._pieces: list[np.ndarray] = []
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, "float32", "HQ")

    def add(self, piece: np.ndarray) -> None:
        """Takes the next (n,) float32 values."""
        if len(piece):
            self.n_given += len(piece)
            self.peak = float(np.maximum(self.peak, np.abs(piece).max()))  # not-a-number stays
            self._pieces.append(piece if self._stream is None else self._stream.resample_chunk(piece))

    def samples(self) -> np.ndarray:
        """Ends the sound and returns it, (N,) float32 in [-1, 1], N = its length at the new rate, rounded up."""
        if self._stream is not None:
            self._pieces.append(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        joined = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.float32)
        self._pieces.clear()
        n = -(-self.n_given * self._to_hz // self.rate_hz)
        joined = joined[:n] if len(joined) >= n else np.pad(joined, (0, n - len(joined)))
        # Lossy decoding and resampling overshoot full scale by a little.
        return np.clip(joined, -1.0, 1.0, out=joined)
