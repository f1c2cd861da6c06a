"""Confidence against accuracy, and the figures of each class: by hand, a plain loop and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from mtpkd_cli import metrics
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
    for row, found in zip(weights, ECE(labels, scores, weights), strict=True):
        total = 0.0
        for low in np.arange(15) / 15:
            own = (sure > low) & (sure <= low + 1 / 15)
            if row[own].sum():
                gap = np.average(right[own], weights=row[own]) - np.average(sure[own], weights=row[own])
                total += row[own].sum() * abs(gap)
        assert found == pytest.approx(total / row.sum())


def test_scores_that_are_no_probabilities_are_told() -> None:
    for scores in ([[0.5, 0.6]], [[1.5, -0.5]]):
        with pytest.raises(NumericalError, match="no probabilities"):
            ECE(np.array([0]), np.array(scores))


def test_figures_of_classes_are_scikit_learns_over_all_parts() -> None:
    rng = np.random.default_rng(7)
    drawn = [(rng.integers(0, 3, n), rng.dirichlet(np.ones(4), n)) for n in (13, 8)]
    parts = [metrics.Part(labels, scores, np.full(len(labels), "a")) for labels, scores in drawn]
    found = metrics.class_figures(parts, ["a", "b", "c", "never"])
    labels, said = np.concatenate([p.labels for p in parts]), np.concatenate([p.scores.argmax(1) for p in parts])
    assert found["confusion"] == oracle.confusion_matrix(labels, said, labels=range(4)).tolist()
    expected = oracle.precision_recall_fscore_support(labels, said, labels=range(4), zero_division=0)
    for row, precision, recall, f1, support in zip(found["classes"], *expected, strict=True):
        assert row["support"] == support
        assert (row["precision"] or 0, row["recall"] or 0, row["f1"] or 0) == pytest.approx((precision, recall, f1))
    assert found["classes"][3]["recall"] is None
    bins = found["reliability"]["bins"]
    assert sum(entry["samples"] for entry in bins) == 21
    error = sum(entry["samples"] * abs(entry["accuracy"] - entry["confidence"]) for entry in bins) / 21
    assert found["reliability"]["ece"] == pytest.approx(error)
