"""Per-target moments from which CCC, PCC and RMSE follow."""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.metrics._inputs import Weights, ratio, target_inputs, weight_rows

# Below this share of the mean square, a variance is what rounding leaves of a constant.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Moments:
    """Population moments over the valid entries, each (R, C); NaN where no valid entry has weight.

    Args:
        variance_labels: Variance of the labels, exactly 0 where they are constant.
        variance_scores: Variance of the predictions, exactly 0 where they are constant.
        covariance: Exactly 0 where either is constant.
        bias: Mean of prediction minus label.
        mean_squared_error: Mean of (prediction - label)^2.
    """

    variance_labels: np.ndarray
    variance_scores: np.ndarray
    covariance: np.ndarray
    bias: np.ndarray
    mean_squared_error: np.ndarray


def valid_entries(labels: np.ndarray) -> np.ndarray:
    """Returns (N, C) bool: which labels count; NaN is a missing label and masks that entry alone."""
    return ~np.isnan(labels)


def moments_of(labels: np.ndarray, scores: np.ndarray, weights: Weights | None) -> Moments:
    """Moments by one product (R, N) x (N, 8C); labels, scores and weights as a metric takes them."""
    labels, scores = target_inputs(labels, scores)
    rows = weight_rows(weights, len(labels))
    valid = valid_entries(labels)
    # Both are shifted by one value near the data, so that squares do not cancel when the mean is far from zero.
    centre = np.array(
        [np.median(column[keep]) if keep.any() else 0.0 for column, keep in zip(labels.T, valid.T, strict=True)]
    )
    y, x = np.where(valid, labels - centre, 0.0), np.where(valid, scores - centre, 0.0)
    error = np.where(valid, scores - labels, 0.0)
    columns = np.concatenate([valid, y, x, y * y, x * x, y * x, error, error * error], axis=1)
    total, *sums = np.split(rows @ columns, 8, axis=1)
    mean_y, mean_x, square_y, square_x, product, bias, mse = (ratio(part, total) for part in sums)
    variance_y, variance_x = _variance(square_y, mean_y), _variance(square_x, mean_x)
    constant = (variance_y == 0) | (variance_x == 0)
    return Moments(variance_y, variance_x, np.where(constant, 0.0, product - mean_y * mean_x), bias, mse)


def _variance(mean_square: np.ndarray, mean: np.ndarray) -> np.ndarray:
    variance = mean_square - mean * mean
    return np.where(variance <= ROUNDING * mean_square, 0.0, variance)
