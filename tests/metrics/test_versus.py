"""Methods against one other, the best control, who loses, and targets recording by recording."""

import numpy as np
import pytest
from scipy import stats

from mtpkd_cli import metrics
from mtpkd_cli.registry import METRICS

ACCURACY, CCC, PCC = (METRICS.load(name) for name in ("accuracy", "ccc", "pcc"))
ORDER = [f"s{i}" for i in range(9)]


def predictions(skill: float, seed: int) -> dict[str, tuple[np.ndarray, metrics.Part]]:
    right = np.random.default_rng(seed).random((9, 5)) < skill
    part = metrics.Part(np.ones(45, int), np.eye(2)[right.ravel().astype(int)], np.repeat(ORDER, 5))
    return {"fold-0/seed-0": (np.arange(45), part)}


def test_every_method_is_compared_and_p_corrected_within_the_family() -> None:
    parts = {
        "base": predictions(0.5, 0),
        "good": predictions(0.9, 1),
        "same": predictions(0.5, 2),
        "teacher": predictions(0.95, 3),
    }
    draws, swaps = metrics.bootstrap_weights(9, 500, 0), metrics.subject_swaps(9, 1000, 0)
    scores = {
        name: metrics.resampled_scores(ACCURACY.metric, [part for _, part in repetitions.values()], ORDER, draws)
        for name, repetitions in parts.items()
    }
    differences = metrics.versus(
        ACCURACY.metric, parts, scores, "base", family=["good", "same"], subjects=ORDER, swaps=swaps
    )
    assert list(differences) == ["good", "same", "teacher"]
    assert differences["good"].p_holm == pytest.approx(2 * differences["good"].p)
    assert np.isnan(differences["teacher"].p_holm)
    ours, theirs = (parts[name]["fold-0/seed-0"][1].scores[:, 1].reshape(9, 5).mean(1) for name in ("good", "base"))
    # SciPy's percentile interval of the mean paired difference over subjects, who all have five samples.
    expected = stats.bootstrap((ours - theirs,), np.mean, n_resamples=20_000, method="percentile", rng=0)
    assert differences["good"].estimate.value == pytest.approx((ours - theirs).mean())
    assert differences["good"].estimate.low == pytest.approx(expected.confidence_interval.low, abs=0.04)
    assert differences["good"].estimate.high == pytest.approx(expected.confidence_interval.high, abs=0.04)
    # Comparisons with different others, put together: p is corrected for both, not within each.
    pairs = [("good", "base"), ("teacher", "same")]
    single = [
        metrics.versus(ACCURACY.metric, {k: parts[k] for k in pair}, scores, pair[1], family=pair[:1], subjects=ORDER,
                       swaps=swaps) for pair in pairs
    ]  # fmt: skip
    assert single[0]["good"].p_holm == single[0]["good"].p
    together = metrics.one_family(single)
    assert {name: versus.other for name, versus in together.items()} == dict(pairs)
    ordered = sorted(together.values(), key=lambda versus: versus.p)
    assert ordered[0].p_holm == pytest.approx(2 * ordered[0].p)
    assert ordered[1].p_holm == pytest.approx(max(ordered[1].p, ordered[0].p_holm))
    untested = metrics.versus(ACCURACY.metric, parts, scores, "base", family=["good"], subjects=ORDER, swaps=None)
    assert np.isnan(untested["good"].p)
    assert metrics.best_of(scores, ["base", "good"], True) == "good"
    assert metrics.best_of(scores, ["base", "good"], False) == "base"
    assert metrics.best_of(scores, [], True) is None


def test_who_gains_and_who_loses() -> None:
    right = np.array([[1, 1], [1, 0], [0, 0], [1, 1]], bool)
    base = np.array([[1, 0], [1, 0], [1, 1], [1, 0]], bool)
    ours, theirs = (
        {"k": (np.arange(8), metrics.Part(np.ones(8, int), np.eye(2)[x.ravel().astype(int)], np.repeat(ORDER[:4], 2)))}
        for x in (right, base)
    )
    gains, shares = metrics.transfer(ACCURACY.metric, ours, theirs, ORDER[:5], True)
    assert gains[:4] == pytest.approx([0.5, 0.0, -1.0, 0.5])
    assert np.isnan(gains[4])
    assert shares == metrics.Transfer(subjects=4, gain=0.5, lose=0.25, worst=1.0)
    assert metrics.transfer(ACCURACY.metric, {}, theirs, ORDER, True)[1].subjects == 0
    assert metrics.transfer(ACCURACY.metric, ours, theirs, ORDER[:5], False)[1].lose == 0.5


def test_by_recording_takes_what_changes_within_recordings_alone() -> None:
    """Two recordings at different levels: together they correlate, each alone runs against its target."""
    level, change = np.repeat([0.0, 10.0, 0.0], [5, 5, 2]), np.tile(np.arange(6.0), 2)
    labels, scores = (level + change)[:, None], (level - change)[:, None]
    part = metrics.Part(labels, scores, np.repeat(["a", "b", "b"], [5, 5, 2]))
    single = metrics.parts_by_recording(PCC.per_target, [part], [np.repeat(["x", "y", "short"], [5, 5, 2])])
    draws = metrics.bootstrap_weights(2, 50, 0)
    together = metrics.resampled_scores(metrics.target_metric(PCC.per_target, 0), [part], ["a", "b"], draws)
    alone = metrics.resampled_scores(metrics.mean_over_recordings(0), single, ["a", "b"], draws)
    assert together.point > 0.5
    expected = np.mean([stats.pearsonr(labels[at, 0], scores[at, 0])[0] for at in (slice(0, 5), slice(5, 10))])
    assert alone.point == pytest.approx(expected)
    assert np.isnan(single[0].scores).sum() == 1
