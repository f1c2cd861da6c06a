"""What a metric is given: checked, in float64, with one row per weighting."""

import numpy as np

from mtpkd_cli.errors import DataError, NumericalError


def weight_rows(weights: np.ndarray | None, n_samples: int) -> np.ndarray:
    """Returns the weights as (R, N) float64; one row of ones where there are none.

    Raises:
        DataError: There is no sample.
        ValueError: The shape is not (R, N), or a weight is negative or NaN.
    """
    if n_samples == 0:
        raise DataError("there are no samples to score", expected="at least one labelled sample in the part")
    if weights is None:
        return np.ones((1, n_samples))
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or weights.shape[1] != n_samples:
        raise ValueError(f"weights have shape {weights.shape}, expected (R, {n_samples})")
    if weights.size and not weights.min() >= 0:
        raise ValueError("weights hold a negative value or NaN")
    return weights


def class_inputs(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels (N,) int and scores (N, C).

    Raises:
        DataError: A label is not a class index in [0, C).
        NumericalError: A score is not finite.
        ValueError: The shapes do not fit.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] < 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape}, expected (N,) and (N, C) with C >= 2")
    n_classes = scores.shape[1]
    if labels.dtype.kind not in "iu":
        raise DataError(f"class labels are {labels.dtype}", expected=f"integers in [0, {n_classes})")
    outside = (labels < 0) | (labels >= n_classes)
    if outside.any():
        row = int(outside.argmax())
        raise DataError(f"label {labels[row]} is no class", where=f"row {row}", expected=f"[0, {n_classes})")
    return labels, _finite(scores)


def target_inputs(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and scores as (N, C) float64.

    Raises:
        NumericalError: A score is not finite.
        ValueError: The shapes do not fit.
    """
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    if labels.ndim != 2 or labels.shape[1] == 0 or labels.shape != scores.shape:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape}, expected both (N, C) with C >= 1")
    return labels, _finite(scores)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Returns the quotient, NaN where the denominator is not positive."""
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)


def _finite(scores: np.ndarray) -> np.ndarray:
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        raise NumericalError(f"{int(bad.sum())} predictions are not finite", where=f"first in row {int(bad.argmax())}")
    return scores
