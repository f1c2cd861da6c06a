"""Classification metrics: hand-computed values, scikit-learn plain and weighted, ties, missing classes."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from mtpkd_cli.errors import DataError, NumericalError
from mtpkd_cli.registry import METRICS

LABELS = np.array([0, 1, 1])
SCORES = np.array([[0.7, 0.3], [0.8, 0.2], [0.4, 0.6]])
NAMES = ("accuracy", "auroc", "balanced-accuracy", "macro-f1")


def case(seed: int, n_classes: int, n_samples: int = 53, n_rows: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random labels, probabilities on a coarse grid (many ties) and integer weights with zeros."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (n_samples, n_classes)) + 1.0
    weights = rng.multinomial(n_samples, np.full(n_samples, 1 / n_samples), n_rows)
    return rng.integers(0, n_classes, n_samples), scores / scores.sum(axis=1, keepdims=True), weights.astype(np.float32)


def sklearn_value(name: str, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The oracle on the samples with positive weight."""
    kept = weights > 0
    y, p, w = labels[kept], scores[kept], weights[kept]
    guess = p.argmax(axis=1)
    if name == "accuracy":
        return oracle.accuracy_score(y, guess, sample_weight=w)
    if name == "balanced-accuracy":
        recall = oracle.recall_score(y, guess, labels=np.unique(y), average="macro", sample_weight=w, zero_division=0)
        return float(recall)
    if name == "macro-f1":
        return float(oracle.f1_score(y, guess, average="macro", sample_weight=w, zero_division=0))
    if p.shape[1] == 2:
        return float(oracle.roc_auc_score(y, p[:, 1], sample_weight=w))
    areas = [oracle.roc_auc_score(y == c, p[:, c], sample_weight=w) for c in np.unique(y)]
    return float(np.mean(areas))


@pytest.mark.parametrize(
    ("name", "value"), [("accuracy", 2 / 3), ("balanced-accuracy", 0.75), ("macro-f1", 2 / 3), ("auroc", 0.5)]
)
def test_three_samples_give_the_value_computed_by_hand(name: str, value: float) -> None:
    scored = METRICS.load(name).metric(LABELS, SCORES)
    assert scored.shape == (1,)
    assert scored[0] == pytest.approx(value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_plain_and_weighted_values_equal_scikit_learn(name: str, n_classes: int, seed: int) -> None:
    labels, scores, weights = case(seed, n_classes)
    metric = METRICS.load(name).metric
    assert metric(labels, scores)[0] == pytest.approx(sklearn_value(name, labels, scores, np.ones(53)), abs=1e-12)
    expected = [sklearn_value(name, labels, scores, row) for row in weights]
    np.testing.assert_allclose(metric(labels, scores, weights), expected, atol=1e-12)
    fractional = np.random.default_rng(seed).uniform(0.1, 3, weights.shape)
    expected = [sklearn_value(name, labels, scores, row) for row in fractional]
    np.testing.assert_allclose(metric(labels, scores, fractional), expected, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_a_resample_misses_does_not_enter_its_mean(name: str) -> None:
    labels, scores, weights = case(7, 4)
    weights[0, labels == 2] = 0
    weights[1, (labels == 2) | (labels == 0)] = 0
    expected = [sklearn_value(name, labels, scores, row) for row in weights]
    np.testing.assert_allclose(METRICS.load(name).metric(labels, scores, weights), expected, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_an_integer_weight_is_that_many_copies(name: str) -> None:
    labels, scores, weights = case(3, 3)
    metric = METRICS.load(name).metric
    copies = [np.repeat(np.arange(53), row.astype(int)) for row in weights]
    np.testing.assert_allclose(
        metric(labels, scores, weights), [metric(labels[i], scores[i])[0] for i in copies], atol=1e-12
    )


def test_balanced_accuracy_equals_scikit_learns_own() -> None:
    labels, scores, weights = case(11, 3)
    scored = METRICS.load("balanced-accuracy").metric(labels, scores, weights[:1])[0]
    expected = oracle.balanced_accuracy_score(labels, scores.argmax(1), sample_weight=weights[0])
    assert scored == pytest.approx(expected)


def test_multi_class_auroc_equals_scikit_learns_macro_one_vs_rest() -> None:
    labels, scores, _ = case(5, 4)
    expected = oracle.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert METRICS.load("auroc").metric(labels, scores)[0] == pytest.approx(expected)


def test_equal_scores_go_to_the_lowest_class_and_give_half_an_auroc() -> None:
    labels, scores = np.array([0, 1, 0, 1, 1]), np.full((5, 2), 0.5)
    assert METRICS.load("accuracy").metric(labels, scores)[0] == pytest.approx(2 / 5)
    assert METRICS.load("auroc").metric(labels, scores)[0] == 0.5


@pytest.mark.parametrize("n_classes", [2, 3])
def test_auroc_with_one_class_is_undefined(n_classes: int) -> None:
    scores = np.full((7, n_classes), 1 / n_classes)
    assert np.isnan(METRICS.load("auroc").metric(np.ones(7, int), scores)).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_weight_at_all_is_undefined(name: str) -> None:
    assert np.isnan(METRICS.load(name).metric(LABELS, SCORES, np.zeros((2, 3)))).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_sample_scores_itself(name: str) -> None:
    value = METRICS.load(name).metric(np.array([1]), np.array([[0.2, 0.8]]))[0]
    assert np.isnan(value) if name == "auroc" else value == 1


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_a_class_or_not_finite_is_refused(name: str) -> None:
    metric = METRICS.load(name).metric
    with pytest.raises(DataError, match="label 2 is no class"):
        metric(np.array([0, 2, 1]), SCORES)
    with pytest.raises(DataError, match="float64"):
        metric(LABELS.astype(float), SCORES)
    with pytest.raises(NumericalError, match="1 predictions are not finite"):
        metric(LABELS, np.where(SCORES == 0.8, np.nan, SCORES))
    with pytest.raises(DataError, match="no samples"):
        metric(LABELS[:0], SCORES[:0])
    with pytest.raises(ValueError, match="negative"):
        metric(LABELS, SCORES, -np.ones((1, 3)))
    with pytest.raises(ValueError, match="expected"):
        metric(LABELS, SCORES, np.ones(3))
    with pytest.raises(ValueError, match="expected"):
        metric(LABELS, SCORES[:, 1])
