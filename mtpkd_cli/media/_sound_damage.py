"""What sound suffers: noise, and packets that are lost.

Each function begins a stream: (level, draws) -> change, and `change` takes (samples (N,) float32 mono in [-1, 1], rate
in Hz) and gives new samples. A sample's sound is read at once, so it is one part. Legend: N samples.
"""

from collections.abc import Callable

import numpy as np

Change = Callable[[np.ndarray, int], np.ndarray]

_PACKET_S = 0.02


def add_noise(level: float, draws: np.random.Generator) -> Change:
    """White noise `level` dB below the mean power of the stretch; silence stays silent, and what is too loud clips."""

    def change(samples: np.ndarray, _rate_hz: int) -> np.ndarray:
        power = float(np.mean(np.square(samples, dtype=np.float64)))
        sd = np.float32((power / 10 ** (level / 10)) ** 0.5)
        noise = draws.standard_normal(samples.shape, np.float32)
        return np.asarray(samples + sd * noise, np.float32).clip(-1, 1)

    return change


def drop_packets(level: float, draws: np.random.Generator) -> Change:
    """Packets of 20 ms are lost by chance, `level` of them; silence takes their place."""

    def change(samples: np.ndarray, rate_hz: int) -> np.ndarray:
        packet = max(1, round(_PACKET_S * rate_hz))
        lost = draws.random(-(-len(samples) // packet)) < level
        return np.where(np.repeat(lost, packet)[: len(samples)], np.float32(0), samples)

    return change
