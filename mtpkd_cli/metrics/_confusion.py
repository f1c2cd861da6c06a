"""Per-class counts from which accuracy, balanced accuracy and macro F1 follow."""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.metrics._inputs import Weights, class_inputs, ratio, weight_rows


@dataclass(frozen=True)
class ClassCounts:
    """Margins and diagonal of the confusion matrix, one row per weighting.

    Args:
        hits: (R, C) weight of the samples of a class that were also predicted as it.
        support: (R, C) weight of the samples of a class.
        predicted: (R, C) weight of the samples predicted as a class.
    """

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


def class_counts(labels: np.ndarray, scores: np.ndarray, weights: Weights | None) -> ClassCounts:
    """Counts by one product (R, N) x (N, 3C); labels, scores and weights as a metric takes them."""
    labels, scores = class_inputs(labels, scores)
    one_hot = np.eye(scores.shape[1])
    actual, predicted = one_hot[labels], one_hot[scores.argmax(axis=1)]
    columns = np.concatenate([actual * predicted, actual, predicted], axis=1)
    return ClassCounts(*np.split(weight_rows(weights, len(labels)) @ columns, 3, axis=1))


def mean_recall(counts: ClassCounts) -> np.ndarray:
    """Returns (R,) mean recall over the classes with support; NaN where there is none."""
    recall = np.nan_to_num(ratio(counts.hits, counts.support))
    return ratio(recall.sum(axis=1), (counts.support > 0).sum(axis=1))


def confusion(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns (C, C) int: how many samples of each class (row) were predicted as each class (column)."""
    labels, scores = class_inputs(labels, scores)
    counts = np.zeros((scores.shape[1], scores.shape[1]), int)
    np.add.at(counts, (labels, scores.argmax(axis=1)), 1)
    return counts
