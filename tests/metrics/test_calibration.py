"""Confidence against accuracy: by hand and by a plain loop."""

import numpy as np
import pytest

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.registry import METRICS

ECE = METRICS.load("ece").metric


def test_two_bins_by_hand() -> None:
    """0.9 sure and right in one of two: a gap of 0.4; 0.6 sure and right: a gap of 0.4."""
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    assert ECE(np.array([0, 1, 1]), scores)[0] == pytest.approx(0.4)
    assert ECE(np.array([0, 1, 1]), scores, np.array([[1.0, 0, 0]]))[0] == pytest.approx(0.1)
    assert ECE(np.array([0, 1]), np.eye(2))[0] == 0.0


@pytest.mark.parametrize("n_classes", [2, 5])
def test_weighted_error_equals_a_plain_loop(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    scores, labels = rng.dirichlet(np.ones(n_classes), 41), rng.integers(0, n_classes, 41)
    weights = rng.integers(0, 3, (3, 41)).astype(float)
    sure, right = scores.max(1), scores.argmax(1) == labels
    for row, error in zip(weights, ECE(labels, scores, weights), strict=True):
        total = 0.0
        for low in np.arange(15) / 15:
            in_bin = (sure > low) & (sure <= low + 1 / 15)
            if row[in_bin].sum():
                gap = np.average(right[in_bin], weights=row[in_bin]) - np.average(sure[in_bin], weights=row[in_bin])
                total += row[in_bin].sum() * abs(gap)
        assert error == pytest.approx(total / row.sum())


def test_scores_that_are_no_probabilities_are_refused() -> None:
    for scores in ([[0.5, 0.6]], [[1.5, -0.5]]):
        with pytest.raises(NumericalError, match="no probabilities"):
            ECE(np.array([0]), np.array(scores))
