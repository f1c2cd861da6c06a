"""Quadratically weighted kappa, for classes in an order; in [-1, 1], 0 is chance.

1 - sum_ij (i - j)^2 O_ij / sum_ij (i - j)^2 E_ij, with O the confusion matrix and E what its margins would give by
chance (Cohen 1968, Psychological Bulletin 70:213-220). With squared weights both sums follow from first and second
moments of labels and predictions: it is their concordance correlation coefficient.
"""

import numpy as np

from mtpkd_cli.metrics._inputs import Weights, class_inputs, ratio, weight_rows

TASK = "ordinal"
GREATER_IS_BETTER = True
LABEL = "quadratic kappa"
UNIT = ""


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) kappa of the class with the largest score; NaN where labels and predictions are one single class."""
    labels, scores = class_inputs(labels, scores)
    rows = weight_rows(weights, len(labels))
    actual, predicted = labels.astype(np.float64), scores.argmax(axis=1).astype(np.float64)
    total = rows.sum(axis=1)
    columns = np.stack([actual, predicted, (actual - predicted) ** 2, actual**2 + predicted**2], axis=1)
    sum_actual, sum_predicted, observed, squares = (rows @ columns).T
    expected = squares - 2 * ratio(sum_actual * sum_predicted, total)
    # What rounding leaves of equal margins on one class is no disagreement.
    return 1 - ratio(observed, np.where(expected <= 1e-12 * squares, 0.0, expected))
