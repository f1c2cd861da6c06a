"""The permutation test over subjects, Holm's correction and per-subject scores, against SciPy and by construction."""

import numpy as np
import pytest
from scipy import stats

from mtpkd_cli import metrics
from mtpkd_cli.registry import METRICS

ACCURACY = METRICS.load("accuracy").metric
AUROC = METRICS.load("auroc").metric
CCC = METRICS.load("ccc").metric


def part_of(right: np.ndarray) -> metrics.Part:
    """(S, n) bool: which samples of each subject are predicted right; all labels are class 1."""
    subjects = np.repeat([f"s{i}" for i in range(len(right))], right.shape[1])
    chosen = right.ravel().astype(int)
    return metrics.Part(np.ones(right.size, int), np.eye(2)[chosen], subjects)


def drawn(seed: int, n_subjects: int, per_subject: int, skill: float) -> np.ndarray:
    return np.random.default_rng(seed).random((n_subjects, per_subject)) < skill


def p_of(ours: np.ndarray, theirs: np.ndarray, n_swaps: int) -> float:
    order = [f"s{i}" for i in range(len(ours))]
    swaps = metrics.subject_swaps(len(ours), n_swaps, seed=0)
    return metrics.permutation_p(ACCURACY, [(part_of(ours), part_of(theirs))], order, swaps)


@pytest.mark.parametrize("seed", range(5))
def test_exact_p_is_scipys(seed: int) -> None:
    ours, theirs = drawn(seed, 7, 5, 0.7), drawn(seed + 100, 7, 5, 0.5)
    difference = ours.mean(1) - theirs.mean(1)
    # SciPy's two-sided p doubles the smaller tail; of the absolute mean it is one tail.
    expected = stats.permutation_test(
        (difference,), lambda x, axis: np.abs(x.mean(axis)), permutation_type="samples", alternative="greater"
    )
    assert p_of(ours, theirs, 10_000) == pytest.approx(expected.pvalue, abs=1e-12)


def test_drawn_p_is_near_the_exact_one_and_never_zero() -> None:
    ours, theirs = drawn(1, 9, 5, 0.7), drawn(2, 9, 5, 0.5)
    exact, by_chance = p_of(ours, theirs, 512), p_of(ours, theirs, 511)
    assert abs(exact - by_chance) < 4 * np.sqrt(exact * (1 - exact) / 511)
    best, worst = np.ones((30, 3), bool), np.zeros((30, 3), bool)
    assert p_of(best, worst, 99) == 1 / 100


def test_same_predictions_have_p_one() -> None:
    ours = drawn(3, 6, 4, 0.6)
    assert p_of(ours, ours, 1000) == 1.0


def test_swaps_are_all_or_drawn_and_begin_with_none() -> None:
    exact = metrics.subject_swaps(3, 8, seed=0)
    assert exact.shape == (8, 3)
    assert len(np.unique(exact, axis=0)) == 8
    assert not exact[0].any()
    some = metrics.subject_swaps(4, 15, seed=0)
    assert some.shape == (16, 4)
    assert not some[0].any()


def test_subjects_stay_whole_over_parts() -> None:
    """Two seeds of the same subjects: swapping them apart would find twice the evidence."""
    ours, theirs = drawn(5, 6, 5, 0.8), drawn(6, 6, 5, 0.5)
    order, swaps = [f"s{i}" for i in range(6)], metrics.subject_swaps(6, 64, seed=0)
    pair = (part_of(ours), part_of(theirs))
    once = metrics.permutation_p(ACCURACY, [pair], order, swaps)
    assert metrics.permutation_p(ACCURACY, [pair, pair], order, swaps) == once


@pytest.mark.parametrize("metric", [AUROC, CCC], ids=["auroc", "ccc"])
def test_other_metrics_equal_a_plain_loop(metric: metrics._uncertainty.Metric) -> None:
    rng = np.random.default_rng(4)
    subjects = np.repeat(["a", "b", "c", "d"], 7)
    if metric is AUROC:
        labels, ours, theirs = rng.integers(0, 2, 28), rng.random((28, 2)), rng.random((28, 2))
    else:
        labels, ours, theirs = rng.random((28, 3)), rng.random((28, 3)), rng.random((28, 3))
    swaps = metrics.subject_swaps(4, 16, seed=0)
    statistics = []
    for swap in swaps:
        picked = swap[np.searchsorted(["a", "b", "c", "d"], subjects)][:, None]
        first, second = np.where(picked, theirs, ours), np.where(picked, ours, theirs)
        statistics.append(abs(metric(labels, first, None)[0] - metric(labels, second, None)[0]))
    expected = np.mean(np.array(statistics) >= statistics[0] - 1e-12)
    pair = (metrics.Part(labels, ours, subjects), metrics.Part(labels, theirs, subjects))
    assert metrics.permutation_p(metric, [pair], ["a", "b", "c", "d"], swaps) == expected


@pytest.mark.slow
def test_a_comparison_of_like_with_like_is_significant_in_five_per_cent() -> None:
    """200 pairs of methods of the same skill, with subjects of differing ease: 2 to 18 are below .05 (99.8 %)."""
    below = 0
    for case in range(200):
        ease = np.random.default_rng(case).uniform(0.3, 0.9, (12, 1))
        rng = np.random.default_rng(10_000 + case)
        ours, theirs = rng.random((12, 20)) < ease, rng.random((12, 20)) < ease
        below += p_of(ours, theirs, 999) <= 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 200, 0.05)
    assert low <= below <= high


def two_rankings(case: int, gain: float) -> tuple[metrics.Part, metrics.Part]:
    """Two methods of 20 people with 10 samples each; the first sees the class better by `gain`. The second is surer."""
    rng = np.random.default_rng(case)
    subjects, labels = np.repeat(np.arange(20), 10), rng.integers(0, 2, 200)
    shared = labels + rng.normal(size=200) + rng.normal(size=20)[subjects]
    logits = [shared + gain * labels + 0.3 * rng.normal(size=200), shared + 0.3 * rng.normal(size=200)]
    scores = [1 / (1 + np.exp(-scale * score)) for scale, score in zip((0.2, 5.0), logits, strict=True)]
    first, second = (metrics.Part(labels, np.stack([1 - p, p], 1), subjects.astype(str)) for p in scores)
    return first, second


def ranked_p(pair: tuple[metrics.Part, metrics.Part], ranked: bool = True) -> float:
    order = [str(i) for i in range(20)]
    return metrics.permutation_p(AUROC, [pair], order, metrics.subject_swaps(20, 499, seed=0), ranked=ranked)


def test_how_sure_a_method_is_does_not_matter_to_a_metric_of_order() -> None:
    """Scores of two scales that change places rank people by the method that they come from, and hide a gain."""
    first, second = two_rankings(0, gain=0.5)
    sharper = metrics.Part(first.labels, first.scores**3, first.subjects)
    assert ranked_p((first, second)) == ranked_p((sharper, second)) < 0.02
    assert ranked_p((first, second), ranked=False) > 0.1
    assert METRICS.load("auroc").ORDER_ONLY


@pytest.mark.slow
def test_methods_of_equal_order_are_told_apart_in_five_per_cent() -> None:
    below = sum(ranked_p(two_rankings(case, gain=0.0)) <= 0.05 for case in range(200))
    low, high = stats.binom.ppf([0.001, 0.999], 200, 0.05)
    assert low <= below <= high


def test_undefined_difference_has_no_p() -> None:
    part = metrics.Part(np.zeros(4, int), np.eye(2)[[0, 1, 0, 1]], np.array(["a", "a", "b", "b"]))
    swaps = metrics.subject_swaps(2, 4, seed=0)
    assert np.isnan(metrics.permutation_p(AUROC, [(part, part)], ["a", "b"], swaps))
    assert np.isnan(metrics.permutation_p(AUROC, [], ["a", "b"], swaps))


def test_holm_by_hand() -> None:
    corrected = metrics.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": np.nan})
    assert np.isnan(corrected.pop("d"))
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert metrics.holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_pairs_hold_what_both_have_scored() -> None:
    part = metrics.Part(np.arange(3), np.arange(9.0).reshape(3, 3), np.array(["a", "b", "c"]))
    ours = {"k": (np.array([4, 7, 9]), part), "only-ours": (np.array([1, 2, 3]), part)}
    theirs = {"k": (np.array([9, 4, 5]), part)}
    ((first, second),) = metrics.paired_parts(ours, theirs)
    assert first.subjects.tolist() == ["a", "c"]
    assert second.subjects.tolist() == ["b", "a"]


def test_scores_of_each_subject() -> None:
    right = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], bool)
    other = ~right
    scores = metrics.subject_scores(ACCURACY, [part_of(right), part_of(other[:2])], ["s0", "s1", "s2", "s3"])
    assert scores[:3] == pytest.approx([0.5, 0.5, 0.25])
    assert np.isnan(scores[3])
