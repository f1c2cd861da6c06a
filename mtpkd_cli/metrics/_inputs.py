"""What a metric is given: checked, in float64, with one row per weighting."""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.errors import DataError, NumericalError


@dataclass(frozen=True)
class SubjectWeights:
    """Weights (R, N) of samples that have those of their subjects, never written out: sums are made per subject first.

    Args:
        draws: (R, S) >= 0, weight of each subject.
        subject_of: (N,) the column of each sample's subject.
    """

    draws: np.ndarray
    subject_of: np.ndarray

    def within(self, columns: np.ndarray, samples: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Returns (S, K) sums over each subject's samples of `columns`, (N, K), or of those that `samples` names."""
        sums = np.zeros((self.draws.shape[1], *columns.shape[1:]))
        np.add.at(sums, self.subject_of[samples], columns)
        return sums

    def __matmul__(self, columns: np.ndarray) -> np.ndarray:
        """Returns (R, K) weighted sums of columns (N, K), or (R,) of one column (N,)."""
        sums: np.ndarray = self.draws @ self.within(columns)
        return sums

    def sum(self, axis: int) -> np.ndarray:
        """Returns (R,) the weight of all samples."""
        assert axis == 1
        return self @ np.ones(len(self.subject_of))

    def written_out(self) -> np.ndarray:
        """Returns the weights as (R, N)."""
        return np.take(self.draws, self.subject_of, axis=1)


Weights = np.ndarray | SubjectWeights


def weight_rows(weights: Weights | None, n_samples: int) -> Weights:
    """Returns the weights, (R, N) float64; one row of ones where there are none.

    Raises:
        DataError: There is no sample.
        ValueError: The shape is not (R, N), or a weight is negative or NaN.
    """
    if n_samples == 0:
        raise DataError("there are no samples to score", expected="at least one labelled sample in the part")
    if weights is None:
        return np.ones((1, n_samples))
    if isinstance(weights, SubjectWeights):
        values, shape = weights.draws, (len(weights.draws), len(weights.subject_of))
    else:
        values = weights = np.asarray(weights, np.float64)
        shape = values.shape
    if len(shape) != 2 or shape[1] != n_samples:
        raise ValueError(f"weights have shape {shape}, expected (R, {n_samples})")
    if values.size and not values.min() >= 0:
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
