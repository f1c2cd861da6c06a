"""Per-class counts from which accuracy, balanced accuracy and macro F1 follow."""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.metrics._inputs import class_inputs, weight_rows


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


def class_counts(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> ClassCounts:
    """Counts by one product (R, N) x (N, 3C); the arguments are a metric's."""
    labels, scores = class_inputs(labels, scores)
    one_hot = np.eye(scores.shape[1])
    actual, predicted = one_hot[labels], one_hot[scores.argmax(axis=1)]
    columns = np.concatenate([actual * predicted, actual, predicted], axis=1)
    return ClassCounts(*np.split(weight_rows(weights, len(labels)) @ columns, 3, axis=1))
