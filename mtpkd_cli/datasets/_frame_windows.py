"""Windows over the frames of a recording, and what the labels of their frames say of them."""

import numpy as np


def windows(n_frames: int, length: int, hop: int) -> np.ndarray:
    """First and last frame of each window, (W, 2) int, counted from 1, both included.

    Every frame is in a window: the last one ends with the recording, and a recording that is shorter than a window is
    one window.

    Args:
        n_frames: Frames of the recording, >= 1.
        length: Frames of a window, >= 1.
        hop: Frames from one window's start to the next, 1 <= hop <= length.
    """
    last = max(0, n_frames - length)
    starts = np.unique(np.append(np.arange(0, last + 1, hop), last))
    return np.column_stack([starts + 1, np.minimum(starts + length, n_frames)])


def mean_targets(values: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Means over the frames that count, (W, C); NaN where none does.

    Args:
        values: (F, C), NaN = the frame does not count.
        spans: (W, 2) from `windows`.
    """
    valid = ~np.isnan(values)
    sums = np.cumsum(np.vstack([np.zeros(values.shape[1]), np.where(valid, values, 0.0)]), axis=0)
    counts = np.cumsum(np.vstack([np.zeros(values.shape[1], int), valid]), axis=0)
    first, last = spans[:, 0] - 1, spans[:, 1]
    count = counts[last] - counts[first]
    return np.divide(sums[last] - sums[first], count, out=np.full(count.shape, np.nan), where=count > 0)


def most_common_class(classes: np.ndarray, spans: np.ndarray, n_classes: int) -> np.ndarray:
    """The class of most frames that count, the lowest of several, (W,) int; -1 where no frame counts.

    Args:
        classes: (F,) int, -1 = the frame does not count.
        spans: (W, 2) from `windows`.
        n_classes: Number of classes.
    """
    one_hot = classes[:, None] == np.arange(n_classes)
    counts = np.cumsum(np.vstack([np.zeros(n_classes, int), one_hot]), axis=0)
    count = counts[spans[:, 1]] - counts[spans[:, 0] - 1]
    return np.where(count.any(axis=1), count.argmax(axis=1), -1)
