"""Describing the frames of a long signal a stretch at a time, so that spectra of an hour never stand in memory at once.

Legend: N values, F = 1 + N // hop frames; frame i is centred at value i * hop.
"""

from collections.abc import Callable

import numpy as np

# Half a minute at the default hop: about 0.1 GB of spectra and correlations.
_FRAMES = 3000


def in_blocks(
    samples: np.ndarray, hop: int, frame: int, describe: Callable[[np.ndarray, slice], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Calls a function of frames on overlapping stretches and joins what it gives, as if it had been called once.

    Args:
        samples: (N,) values.
        hop: Values from one frame to the next.
        frame: Values in the longest frame that the function looks at; it may look at one frame before too.
        describe: (n,) values and which of the F frames they hold -> columns (1 + n // hop, ...) by name.

    Returns:
        Columns (F, ...) by name.
    """
    n_frames, reach = 1 + len(samples) // hop, -(-frame // hop) + 2
    parts: list[dict[str, np.ndarray]] = []
    for first in range(0, n_frames, _FRAMES):
        last = min(n_frames, first + _FRAMES)
        begin = max(0, first - reach)
        stretch = samples[begin * hop : (last - 1 + reach) * hop]
        held = slice(begin, begin + 1 + len(stretch) // hop)
        columns = describe(stretch, held)
        # Copied, or the cut would keep the whole stretch alive.
        parts.append({name: values[first - begin : last - begin].copy() for name, values in columns.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
