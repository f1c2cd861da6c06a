"""Frames under windows: means over the windows that cover a frame, and few rows that stand for many frames.

Legend: F frames, W windows, S people, C classes or targets, G rows that stand for several frames each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Rows by which a metric has the same value as by the frames that they stand for.

    Args:
        labels: (G,) int or (G, C) float.
        scores: (G, C) float.
        people: (G,) int, whose frames they are.
        counts: (G,) float, how many frames each stands for.
    """

    labels: np.ndarray
    scores: np.ndarray
    people: np.ndarray
    counts: np.ndarray


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of several repetitions as one; a frame counts once per seed."""
    columns = zip(*((part.labels, part.scores, part.people, part.counts) for part in parts), strict=True)
    return Rows(*(np.concatenate(column) for column in columns))


def covering_mean(scores: np.ndarray, spans: np.ndarray, n_frames: int) -> np.ndarray:
    """Mean of the scores of all windows over each frame, (F, C); NaN where no window covers it.

    Args:
        scores: (W, C).
        spans: (W, 2) int, first and last frame of each window, from 0, both included.
        n_frames: F.
    """
    steps = np.zeros((n_frames + 1, scores.shape[1] + 1))
    rows = np.column_stack([scores, np.ones(len(scores))])
    np.add.at(steps, spans[:, 0], rows)
    np.subtract.at(steps, spans[:, 1] + 1, rows)
    sums = np.cumsum(steps[:-1], axis=0)
    count = np.rint(sums[:, -1:])
    return np.divide(sums[:, :-1], count, out=np.full((n_frames, scores.shape[1]), np.nan), where=count > 0)


def class_rows(labels: np.ndarray, scores: np.ndarray, people: np.ndarray) -> Rows:
    """Joins neighbouring frames of equal label, scores and person; every metric of classes gives the same value.

    Args:
        labels: (F,) int.
        scores: (F, C).
        people: (F,) int.
    """
    first = _starts(labels[:, None], scores, people[:, None])
    counts = np.diff(np.append(first, len(labels))).astype(np.float64)
    return Rows(labels[first], scores[first], people[first], counts)


def target_rows(labels: np.ndarray, scores: np.ndarray, people: np.ndarray) -> Rows:
    """Joins all frames of a person into three rows, the corners of a triangle with their mean and covariance.

    Counts, means, squares and products of labels and scores stay the same for every target, and so does every metric
    that depends on no more than these, however the people are weighted.

    Args:
        labels: (F, C).
        scores: (F, C).
        people: (F,) int.
    """
    person, first, run = np.unique(people, return_index=True, return_inverse=True)
    counts = np.bincount(run).astype(np.float64)[:, None]

    def mean(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(person), values.shape[1]))
        np.add.at(sums, run, values)
        return np.divide(sums, counts)

    # Counted from one of its own values, so that a constant stays one to the last bit.
    (x, mean_x), (y, mean_y) = (_centred(values, values[first], run, mean) for values in (scores, labels))
    along = np.sqrt(mean(x * x))
    shared = np.divide(mean(x * y), along, out=np.zeros(along.shape), where=along > 0)
    rest = np.sqrt(np.maximum(mean(y * y) - shared**2, 0.0))
    # Three unit vectors at 120 degrees have mean 0 and covariance 1/2.
    angles = 2 * np.pi * np.arange(3) / 3
    corners = np.sqrt(2) * np.column_stack([np.cos(angles), np.sin(angles)])
    return Rows(
        np.concatenate([mean_y + shared * u + rest * v for u, v in corners]),
        np.concatenate([mean_x + along * u for u, _ in corners]),
        np.tile(person, 3),
        np.tile(counts[:, 0] / 3, 3),
    )


def _centred(
    values: np.ndarray, origin: np.ndarray, run: np.ndarray, mean: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Deviations from each person's mean, (F, C), and those means, (S, C)."""
    moved = values - origin[run]
    shift = mean(moved)
    return moved - shift[run], origin + shift


def _starts(*columns: np.ndarray) -> np.ndarray:
    """Rows where any of the columns, each (F, K), differs from the row before; row 0 among them."""
    changed = np.zeros(len(columns[0]), bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= (column[1:] != column[:-1]).any(axis=1)
    return np.flatnonzero(changed)
