"""Metrics of classes in an order: hand-computed values, scikit-learn, ties, one class only."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.registry import METRICS

KAPPA, ERROR = METRICS.load("qwk").metric, METRICS.load("mae-levels").metric


def test_the_error_is_that_of_the_median_class() -> None:
    labels = np.array([0, 2, 3])
    # The largest probability would say 0, 3, 3; half of the probability lies up to 1, 2, 3.
    scores = np.array([[0.4, 0.3, 0.2, 0.1], [0.3, 0.1, 0.25, 0.35], [0.0, 0.1, 0.2, 0.7]])
    assert ERROR(labels, scores)[0] == pytest.approx((1 + 0 + 0) / 3)
    assert ERROR(labels, 7 * scores)[0] == pytest.approx(1 / 3)
    assert ERROR(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]], np.float32))[0] == pytest.approx(0.5)
    np.testing.assert_allclose(ERROR(labels, scores, np.array([[3.0, 0, 1], [0, 0, 0]])), [0.75, np.nan])


def test_no_other_single_answer_has_a_smaller_expected_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(5), 40)
    levels = np.arange(5)
    # Labels weighted by their probability: the expectation itself.
    labels, rows = np.tile(levels, 40), np.repeat(scores, 5, axis=0)
    error = ERROR(labels, rows, scores.reshape(1, -1))[0]
    best = np.abs(levels[:, None] - levels) @ scores.T
    assert error == pytest.approx(best.min(axis=0).mean())
    assert error < (scores * np.abs(levels - scores.argmax(1)[:, None])).sum(1).mean()


@pytest.mark.parametrize("scores", [[[-0.1, 1.1]], [[0.0, 0.0]]])
def test_what_is_no_probability_is_told(scores: list[list[float]]) -> None:
    with pytest.raises(NumericalError, match="no probabilities"):
        ERROR(np.array([1]), np.array(scores))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_kappa_is_that_of_scikit_learn(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    labels, scores = rng.integers(0, n_classes, 53), rng.dirichlet(np.ones(n_classes), 53)
    weights = rng.multinomial(53, np.full(53, 1 / 53), 6).astype(float)
    options = {"weights": "quadratic", "labels": range(n_classes)}
    expected = [cohen_kappa_score(labels, scores.argmax(1), sample_weight=row, **options) for row in weights]
    np.testing.assert_allclose(KAPPA(labels, scores, weights), expected, atol=1e-12)
    assert KAPPA(labels, np.eye(n_classes)[labels])[0] == pytest.approx(1)
    assert KAPPA(labels, np.eye(n_classes)[n_classes - 1 - labels])[0] < 0


def test_kappa_by_hand() -> None:
    # One of four is off by one level; by chance, every label would meet every prediction.
    labels, predicted = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    chance = np.mean([(a - b) ** 2 for a in labels for b in predicted])
    assert KAPPA(labels, np.eye(3)[predicted])[0] == pytest.approx(1 - 0.25 / chance)


def test_kappa_of_one_class_is_undefined_and_of_constant_answers_is_zero() -> None:
    two = np.full(4, 2)
    assert np.isnan(KAPPA(two, np.eye(3)[two]))[0]
    assert KAPPA(np.array([0, 1, 2, 1]), np.eye(3)[two])[0] == pytest.approx(0)
    assert KAPPA(two, np.eye(3)[np.array([0, 1, 0, 1])])[0] == pytest.approx(0)
