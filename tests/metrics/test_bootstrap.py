"""The subject bootstrap: what it draws, the study's mean over folds, undefined values, blocks."""

import numpy as np
import pytest

from mtpkd_cli.metrics import (
    Part,
    _uncertainty,
    bootstrap_weights,
    fold_mean,
    interval,
    resampled_scores,
    subject_weights,
)
from mtpkd_cli.metrics._inputs import SubjectWeights, Weights
from mtpkd_cli.registry import METRICS

ACCURACY, AUROC = METRICS.load("accuracy").metric, METRICS.load("auroc").metric


def part(right: np.ndarray, subjects: np.ndarray) -> Part:
    """Samples whose prediction is right or wrong as given; labels alternate."""
    labels = np.arange(len(right)) % 2
    return Part(labels, np.eye(2)[np.where(right, labels, 1 - labels)], subjects)


def folds(right: np.ndarray, n_folds: int) -> list[Part]:
    """right: (S, samples per subject). Subjects are named by number and dealt to the folds."""
    names = np.array([f"s{i:03d}" for i in range(len(right))])
    groups = [np.arange(fold, len(right), n_folds) for fold in range(n_folds)]
    return [part(right[g].ravel(), np.repeat(names[g], right.shape[1])) for g in groups]


def names(n_subjects: int) -> list[str]:
    return [f"s{i:03d}" for i in range(n_subjects)]


def test_a_resample_draws_as_many_subjects_as_there_are() -> None:
    drawn = bootstrap_weights(13, 4000, seed=3)
    assert drawn.shape == (4000, 13)
    assert drawn.dtype == np.float32
    assert (drawn.sum(axis=1) == 13).all()
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(drawn.var(), 12 / 13, atol=0.05)
    assert (drawn == bootstrap_weights(13, 4000, seed=3)).all()
    assert (drawn != bootstrap_weights(13, 4000, seed=4)).any()


def test_all_samples_of_a_subject_share_their_weight() -> None:
    subjects = np.array(["b", "a", "b", "c", "a", "a", "b"])
    weights = subject_weights(subjects, 5, seed=0)
    assert weights.shape == (5, 7)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, bootstrap_weights(3, 5, seed=0)[:, [1, 0, 1, 2, 0, 0, 1]])


def test_the_point_is_the_mean_over_folds_and_seeds() -> None:
    right = np.random.default_rng(0).random((11, 5)) < 0.6
    parts = folds(right, 3)
    resampled = resampled_scores(ACCURACY, parts, names(11), bootstrap_weights(11, 7, 0))
    assert resampled.point == pytest.approx(np.mean([ACCURACY(p.labels, p.scores)[0] for p in parts]))
    assert (resampled.undefined_parts, resampled.undefined_values) == (0, 0)


def test_one_fold_equals_the_metric_under_subject_weights() -> None:
    right = np.random.default_rng(1).random((11, 5)) < 0.6
    [whole] = folds(right, 1)
    resampled = resampled_scores(AUROC, [whole], names(11), bootstrap_weights(11, 50, 5))
    np.testing.assert_allclose(
        resampled.values, AUROC(whole.labels, whole.scores, subject_weights(whole.subjects, 50, 5))
    )


def test_leaving_one_subject_out_counts_a_subject_as_often_as_it_was_drawn() -> None:
    right = np.random.default_rng(2).random((13, 7)) < 0.6
    drawn = bootstrap_weights(13, 200, 0)
    one_each = resampled_scores(ACCURACY, folds(right, 13), names(13), drawn)
    np.testing.assert_allclose(one_each.values, drawn @ right.mean(axis=1) / 13, rtol=1e-6)
    pooled = resampled_scores(ACCURACY, folds(right, 1), names(13), drawn)
    np.testing.assert_allclose(one_each.values, pooled.values, rtol=1e-6)


def test_a_part_whose_subjects_were_not_drawn_drops_out() -> None:
    parts = [part(np.ones(4, bool), np.array(["a", "a", "b", "b"])), part(np.zeros(3, bool), np.array(["c", "c", "c"]))]
    drawn = np.array([[2, 1, 0], [0, 0, 3], [1, 1, 1]], np.float32)
    resampled = resampled_scores(ACCURACY, parts, ["a", "b", "c"], drawn)
    np.testing.assert_allclose(resampled.values, [1, 0, 0.5])
    assert resampled.undefined_values == 0


def test_undefined_values_are_left_out_and_counted() -> None:
    mixed = Part(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array(["a", "b"]))
    single = Part(np.array([1, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array(["c", "c"]))
    drawn = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 3]], np.float32)
    resampled = resampled_scores(AUROC, [mixed, single], ["a", "b", "c"], drawn)
    assert resampled.point == 1
    assert resampled.undefined_parts == 1
    assert resampled.undefined_values == 4  # the one-class part three times, the mixed part once
    np.testing.assert_array_equal(resampled.values, [1, np.nan, np.nan])
    assert interval(resampled.values, resampled.point).n_resamples_used == 1


def test_fold_mean_weighs_parts_by_their_share_and_skips_undefined_ones() -> None:
    values = np.array([[1.0, np.nan, np.nan], [0.0, 0.5, np.nan]])
    shares = np.array([[1.0, 1.0, 0.0], [3.0, 2.0, 1.0]])
    np.testing.assert_allclose(fold_mean(values, shares), [0.25, 0.5, np.nan])


def test_blocks_give_what_one_product_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    right = np.random.default_rng(3).random((11, 5)) < 0.6
    drawn = bootstrap_weights(11, 64, 0)
    whole = resampled_scores(AUROC, folds(right, 2), names(11), drawn).values
    monkeypatch.setattr(_uncertainty, "BLOCK_ELEMENTS", 150)
    np.testing.assert_array_equal(resampled_scores(AUROC, folds(right, 2), names(11), drawn).values, whole)


def test_the_metric_never_sees_more_weights_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_uncertainty, "BLOCK_ELEMENTS", 200)
    sizes = []

    def watched(labels: np.ndarray, scores: np.ndarray, weights: Weights | None) -> np.ndarray:
        sizes.append(weights.written_out().size if isinstance(weights, SubjectWeights) else 0)
        return ACCURACY(labels, scores, weights)

    resampled_scores(watched, folds(np.ones((11, 5), bool), 1), names(11), bootstrap_weights(11, 64, 0))
    assert max(sizes) <= 200


def test_what_does_not_fit_is_refused() -> None:
    [whole] = folds(np.ones((3, 2), bool), 1)
    drawn = bootstrap_weights(3, 5, 0)
    with pytest.raises(ValueError, match="no parts"):
        resampled_scores(ACCURACY, [], names(3), drawn)
    with pytest.raises(ValueError, match="s002"):
        resampled_scores(ACCURACY, [whole], ["s000", "s001", "other"], drawn)
    with pytest.raises(ValueError, match=r"\(R, 2\)"):
        resampled_scores(ACCURACY, [whole], names(2), drawn)
    with pytest.raises(ValueError, match="2 labels, 3 scores"):
        Part(np.zeros(2, int), np.zeros((3, 2)), np.array(["a", "b"]))
