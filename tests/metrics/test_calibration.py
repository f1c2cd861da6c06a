"""Confidence against accuracy: by hand and by a plain loop."""

import numpy as np
import pytest

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


def study_of(seed: int, n_subjects: int, n_samples: int, n_folds: int, confidence: float) -> list[metrics.Part]:
    """Predictions of two seeds, each in folds: as sure as `confidence` says, right in 7 of 10, people differ."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(2):
        for fold in np.array_split(np.arange(n_subjects), n_folds):
            subjects = np.repeat(fold, n_samples)
            right = rng.random(len(subjects)) < 0.7 + 0.1 * rng.normal(size=n_subjects)[subjects]
            sure = np.clip(confidence + 0.1 * rng.normal(size=len(subjects)), 0.51, 0.99)
            labels = rng.integers(0, 2, len(subjects))
            first = np.where(right == (labels == 0), sure, 1 - sure)
            parts.append(metrics.Part(labels, np.stack([first, 1 - first], axis=1), subjects.astype(str)))
    return parts


def resampled(parts: list[metrics.Part], n_subjects: int, pooled: bool = True) -> metrics.Resampled:
    order = sorted(map(str, range(n_subjects)))
    return metrics.resampled_scores(ECE, parts, order, metrics.bootstrap_weights(n_subjects, 300, 1), pooled=pooled)


@pytest.mark.parametrize(("n_subjects", "n_samples", "n_folds"), [(12, 4, 12), (12, 16, 4), (35, 30, 5)])
def test_the_interval_of_the_error_holds_it(n_subjects: int, n_samples: int, n_folds: int) -> None:
    assert METRICS.load("ece").POOLED
    outside_of_means = 0
    for seed in range(12):
        ours, theirs = (study_of(seed + k, n_subjects, n_samples, n_folds, sure) for k, sure in ((0, 0.7), (99, 0.9)))
        well, sure = resampled(ours, n_subjects), resampled(theirs, n_subjects)
        whole = metrics.put_together(ours)
        assert well.point == ECE(whole.labels, whole.scores)[0]
        for one in (well.estimate, sure.estimate):
            assert 0 <= one.low <= one.value <= one.high <= 1
        versus = metrics.difference(well.point, well.values, sure.point, sure.values)
        assert versus.low <= versus.value <= versus.high
        means = resampled(ours, n_subjects, pooled=False)
        assert means.point > well.point
        outside_of_means += means.point < means.estimate.low
    if n_folds < n_subjects:
        assert outside_of_means >= 1


def test_people_who_are_exchanged_between_a_sure_and_a_well_calibrated_method_are_pooled_too() -> None:
    """The statistic of the permutation test is the difference that the table shows: 99 exchanges of two copies tie."""
    ours, theirs = study_of(1, 12, 16, 4, 0.7), study_of(2, 12, 16, 4, 0.95)
    order, swaps = sorted(map(str, range(12))), metrics.subject_swaps(12, 99, 0)
    seen: list[int] = []

    def watched(labels: np.ndarray, scores: np.ndarray, weights: object = None) -> np.ndarray:
        seen.append(len(labels))
        return ECE(labels, scores, weights)

    pairs = [(one, metrics.Part(one.labels, two.scores, one.subjects)) for one, two in zip(ours, theirs, strict=True)]
    assert 0 < metrics.permutation_p(watched, pairs, order, swaps, pooled=True) < 1
    assert set(seen) == {2 * 2 * 12 * 16}
    scores = metrics.subject_scores(ECE, ours, order, pooled=True)
    whole = metrics.put_together(ours)
    person = whole.subjects == order[3]
    assert scores[3] == pytest.approx(ECE(whole.labels[person], whole.scores[person])[0])
