"""Intervals from the subject bootstrap: percentiles, SciPy as oracle, pairing, coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from mtpkd_cli.metrics import Part, bootstrap_weights, difference, interval, resampled_scores
from mtpkd_cli.registry import METRICS

ACCURACY = METRICS.load("accuracy").metric


def folds(right: np.ndarray, n_folds: int) -> list[Part]:
    """right: (S, samples per subject) bool. Subjects are named by number and dealt to the folds."""
    subjects = np.repeat(names(len(right)), right.shape[1]).reshape(right.shape)
    labels = np.arange(right.size).reshape(right.shape) % 2
    scores = np.eye(2)[np.where(right, labels, 1 - labels)]
    groups = [slice(fold, None, n_folds) for fold in range(n_folds)]
    return [Part(labels[g].ravel(), scores[g].reshape(-1, 2), subjects[g].ravel()) for g in groups]


def names(n_subjects: int) -> list[str]:
    return [f"s{i:03d}" for i in range(n_subjects)]


def test_the_interval_is_the_percentile_interval() -> None:
    values = np.append(np.random.default_rng(4).normal(size=999), np.nan)
    estimate = interval(values, 0.1, level=0.9)
    assert (estimate.value, estimate.n_resamples_used) == (0.1, 999)
    np.testing.assert_allclose([estimate.low, estimate.high], np.nanpercentile(values, [5, 95]))
    with pytest.raises(ValueError, match="level is 95"):
        interval(values, 0.1, level=95)


def test_one_sample_per_subject_agrees_with_scipy() -> None:
    right = np.random.default_rng(5).random((60, 1)) < 0.7
    resampled = resampled_scores(ACCURACY, folds(right, 1), names(60), bootstrap_weights(60, 9999, 0))
    ours = interval(resampled.values, resampled.point)
    theirs = stats.bootstrap(
        (right[:, 0].astype(float),), np.mean, n_resamples=9999, method="percentile", vectorized=True, rng=1
    )
    # Accuracy moves in steps of 1/60, so quantiles may differ by one step.
    np.testing.assert_allclose([ours.low, ours.high], theirs.confidence_interval, atol=1 / 60 + 1e-9)
    assert resampled.values.std() == pytest.approx(theirs.standard_error, rel=0.03)


def test_subjects_who_are_all_alike_leave_no_uncertainty() -> None:
    right = np.tile([True, False, True, True], (9, 1))
    resampled = resampled_scores(ACCURACY, folds(right, 3), names(9), bootstrap_weights(9, 100, 0))
    estimate = interval(resampled.values, resampled.point)
    assert (estimate.low, estimate.high) == pytest.approx((0.75, 0.75))


def test_one_subject_gives_a_value_without_an_interval() -> None:
    resampled = resampled_scores(ACCURACY, folds(np.ones((1, 7), bool), 1), names(1), bootstrap_weights(1, 20, 0))
    estimate = interval(resampled.values, resampled.point)
    assert (estimate.value, estimate.n_resamples_used) == (1, 0)
    assert np.isnan([estimate.low, estimate.high]).all()


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(6)
    easy = rng.random((20, 1))
    reference = rng.random((20, 30)) < easy
    better = reference | (rng.random((20, 30)) < 0.2)
    drawn = bootstrap_weights(20, 500, 0)
    a, b = (resampled_scores(ACCURACY, folds(right, 5), names(20), drawn) for right in (reference, better))
    paired = difference(a.point, a.values, b.point, b.values)
    alone = interval(b.values, b.point)
    assert paired.value == pytest.approx(b.point - a.point)
    assert paired.low > 0
    assert paired.high - paired.low < (alone.high - alone.low) / 2
    itself = difference(a.point, a.values, a.point, a.values)
    assert (itself.value, itself.low, itself.high) == (0, 0, 0)


@pytest.mark.parametrize("n_folds", [1, 5, 30])
def test_intervals_cover_the_true_value_when_samples_of_a_person_are_alike(n_folds: int) -> None:
    rng = np.random.default_rng(7)
    drawn = bootstrap_weights(30, 400, 0)
    covered = []
    for _ in range(200):
        ability = rng.beta(3, 2, (30, 1))
        resampled = resampled_scores(ACCURACY, folds(rng.random((30, 8)) < ability, n_folds), names(30), drawn)
        estimate = interval(resampled.values, resampled.point)
        covered.append(estimate.low <= 0.6 <= estimate.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_drawing_samples_instead_of_people_would_cover_less() -> None:
    rng = np.random.default_rng(8)
    widths = []
    for _ in range(20):
        right = rng.random((30, 20)) < rng.beta(3, 2, (30, 1))
        people = resampled_scores(ACCURACY, folds(right, 1), names(30), bootstrap_weights(30, 300, 0))
        each = folds(right.reshape(600, 1), 1)
        samples = resampled_scores(ACCURACY, each, names(600), bootstrap_weights(600, 300, 0))
        widths.append(people.values.std() / samples.values.std())
    assert np.mean(widths) > 1.5
