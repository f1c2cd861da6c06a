"""The threshold that validation subjects choose: by construction, against trying all of them, and never on test."""

import numpy as np
import pytest

from mtpkd_cli import metrics
from mtpkd_cli.registry import METRICS

TUNED, PLAIN = METRICS.load("balanced-accuracy-tuned").metric, METRICS.load("balanced-accuracy").metric


def probabilities(ones: list[float]) -> np.ndarray:
    return np.stack([1 - np.array(ones), np.array(ones)], axis=1)


def test_a_shifted_score_is_cut_where_the_classes_part() -> None:
    scores = probabilities([0.6, 0.7, 0.72, 0.9, 0.95])
    labels = np.array([0, 0, 0, 1, 1])
    threshold = metrics.best_threshold(labels, scores)
    assert threshold == pytest.approx(0.81)
    assert PLAIN(labels, scores)[0] == 0.5
    assert TUNED(labels, metrics.scores_at_threshold(scores, threshold))[0] == 1.0


def test_the_usual_threshold_stays_where_it_is_as_good() -> None:
    assert metrics.best_threshold(np.array([0, 1]), probabilities([0.1, 0.6])) == 0.5
    assert metrics.best_threshold(np.array([1, 1]), probabilities([0.1, 0.2])) == 0.5
    assert metrics.best_threshold(np.zeros(0, int), np.zeros((0, 2))) == 0.5


@pytest.mark.parametrize("seed", range(4))
def test_no_other_threshold_that_says_both_classes_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, scores = rng.integers(0, 2, 31), probabilities(list(rng.integers(1, 9, 31) / 10))
    best = PLAIN(labels, metrics.scores_at_threshold(scores, metrics.best_threshold(labels, scores)))[0]
    every = [PLAIN(labels, metrics.scores_at_threshold(scores, t))[0] for t in np.linspace(0.11, 0.79, 137)]
    assert best == pytest.approx(max(every))


def test_at_the_threshold_class_zero_is_said_as_with_equal_scores() -> None:
    assert metrics.scores_at_threshold(probabilities([0.25, 0.5, 0.75]), 0.5).argmax(axis=1).tolist() == [0, 0, 1]
