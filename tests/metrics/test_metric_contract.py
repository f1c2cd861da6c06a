"""Every file in mtpkd_cli/metrics keeps the contract of the package's front door."""

import inspect

import numpy as np
import pytest

from mtpkd_cli.metrics import auroc
from mtpkd_cli.metrics._inputs import SubjectWeights
from mtpkd_cli.registry import METRICS

NAMES = METRICS.names()


def example(task: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), 23)
    return (rng.integers(0, 3, 23), scores) if task != "regression" else (rng.normal(size=(23, 3)), scores)


def test_the_metrics_of_the_study_are_there() -> None:
    assert {"accuracy", "auroc", "balanced-accuracy", "ccc", "macro-f1", "pcc", "rmse"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_what_it_is(name: str) -> None:
    module = METRICS.load(name)
    assert module.TASK in ("classification", "regression", "ordinal")
    assert isinstance(module.GREATER_IS_BETTER, bool)
    assert module.LABEL
    assert module.UNIT in ("", "target units", "levels")
    assert METRICS.help(name)
    assert list(inspect.signature(module.metric).parameters) == ["labels", "scores", "weights"]


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_gives_one_value_per_weighting_whatever_their_scale(name: str) -> None:
    module = METRICS.load(name)
    labels, scores = example(module.TASK)
    weights = np.random.default_rng(1).integers(0, 4, (5, 23)).astype(np.float32)
    weights[3] = 1
    before = weights.copy()
    values = module.metric(labels, scores, weights)
    assert values.shape == (5,)
    assert values.dtype == np.float64
    assert (weights == before).all()
    assert values[3] == pytest.approx(module.metric(labels, scores)[0])
    np.testing.assert_allclose(module.metric(labels, scores, 2.5 * weights), values)
    np.testing.assert_allclose([module.metric(labels, scores, row[None])[0] for row in weights], values)


@pytest.mark.parametrize("most_counts", [0, auroc.MOST_COUNTS])
@pytest.mark.parametrize("name", NAMES)
def test_weights_of_subjects_need_not_be_written_out(
    name: str, most_counts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auroc, "MOST_COUNTS", most_counts)
    module, rng = METRICS.load(name), np.random.default_rng(4)
    labels, scores = example(module.TASK)
    scores[5:15] = scores[:10]  # equal scores count half
    weights = SubjectWeights(rng.integers(0, 3, (40, 6)).astype(float), rng.integers(0, 6, 23))
    weights.draws[0], weights.draws[1] = 0, np.eye(6)[2]
    values, expected = (module.metric(labels, scores, rows) for rows in (weights, weights.written_out()))
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-14)
    assert np.isnan(values[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_samples_does_not_matter(name: str) -> None:
    module = METRICS.load(name)
    labels, scores = example(module.TASK)
    order = np.random.default_rng(2).permutation(23)
    assert module.metric(labels[order], scores[order])[0] == pytest.approx(module.metric(labels, scores)[0])


@pytest.mark.parametrize("name", NAMES)
def test_predicting_the_labels_is_better_in_the_direction_the_metric_names(name: str) -> None:
    module = METRICS.load(name)
    labels, scores = example(module.TASK)
    truth = np.eye(3)[labels] if module.TASK != "regression" else labels
    gain = module.metric(labels, truth)[0] - module.metric(labels, scores)[0]
    assert gain > 0 if module.GREATER_IS_BETTER else gain < 0
