"""Regression metrics: hand-computed values, SciPy and scikit-learn, ignored frames, constants, concatenation."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import root_mean_squared_error

from mtpkd_cli.errors import DataError, NumericalError
from mtpkd_cli.registry import METRICS

CCC, PCC, RMSE = (METRICS.load(name) for name in ("ccc", "pcc", "rmse"))
NAMES = ("ccc", "pcc", "rmse")


def column(*values: float) -> np.ndarray:
    return np.array(values, float)[:, None]


def lin(y: np.ndarray, x: np.ndarray) -> float:
    """CCC as printed by Lin, from NumPy's own moments."""
    return float(2 * np.cov(y, x, bias=True)[0, 1] / (y.var() + x.var() + (y.mean() - x.mean()) ** 2))


def case(seed: int, n_samples: int = 41, n_targets: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.uniform(-1, 1, (n_samples, n_targets))
    scores = 0.6 * labels + rng.normal(0.1, 0.3, labels.shape)
    weights = rng.multinomial(n_samples, np.full(n_samples, 1 / n_samples), 5)
    return labels, scores, weights.astype(np.float32)


def test_three_samples_give_the_values_computed_by_hand() -> None:
    labels, scores = column(0, 1, 2), column(1, 1, 3)
    # s_xy = 2/3, s_y^2 = 2/3, s_x^2 = 8/9, bias = 2/3
    assert CCC.metric(labels, scores)[0] == pytest.approx((4 / 3) / (2 / 3 + 8 / 9 + 4 / 9))
    assert PCC.metric(labels, scores)[0] == pytest.approx((2 / 3) / np.sqrt(2 / 3 * 8 / 9))
    assert RMSE.metric(labels, scores)[0] == pytest.approx(np.sqrt(2 / 3))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_weighted_values_equal_the_oracles_on_that_many_copies(seed: int, offset: float) -> None:
    labels, scores, weights = case(seed)
    labels, scores = labels + offset, scores + offset
    for row, weight in enumerate(weights.astype(int)):
        copies = np.repeat(np.arange(41), weight)
        pairs = [(labels[copies, c], scores[copies, c]) for c in range(2)]
        ccc, pcc = [lin(*pair) for pair in pairs], [stats.pearsonr(*pair).statistic for pair in pairs]
        np.testing.assert_allclose(CCC.per_target(labels, scores, weights)[row], ccc, rtol=1e-7)
        np.testing.assert_allclose(PCC.per_target(labels, scores, weights)[row], pcc, rtol=1e-7)
        rmse = root_mean_squared_error(labels, scores, sample_weight=weights[row])
        assert RMSE.metric(labels, scores, weights)[row] == pytest.approx(rmse)
        assert CCC.metric(labels, scores, weights)[row] == pytest.approx(np.mean(ccc))


@pytest.mark.parametrize("name", NAMES)
def test_minus_five_is_a_label_like_any_other(name: str) -> None:
    labels, scores, weights = case(4)
    labels[np.arange(41) % 7 == 0, 1] = -5.0
    metric = METRICS.load(name).metric
    shifted = [values + np.array([0.0, 7.0]) for values in (labels, scores)]  # none knows where zero is
    np.testing.assert_allclose(metric(labels, scores, weights), metric(*shifted, weights), rtol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_nan_masks_its_own_entry_only(name: str) -> None:
    labels, scores, weights = case(5)
    kept = np.arange(41) % 7 > 0
    per_target = METRICS.load(name).per_target
    whole = per_target(labels, scores, weights)
    labels[~kept, 1] = np.nan
    values = per_target(labels, scores, weights)
    np.testing.assert_allclose(values[:, 0], whole[:, 0])
    expected = per_target(labels[kept, 1:], scores[kept, 1:], weights[:, kept])
    np.testing.assert_allclose(values[:, 1:], expected)


def test_ccc_concatenates_frames_instead_of_averaging_over_videos() -> None:
    labels, scores, _ = case(6, n_samples=40, n_targets=1)
    labels[30:] += 2
    scores[30:] += 1
    long, short = CCC.metric(labels[:30], scores[:30])[0], CCC.metric(labels[30:], scores[30:])[0]
    whole = CCC.metric(labels, scores)[0]
    assert whole == pytest.approx(lin(labels[:, 0], scores[:, 0]))
    assert abs(whole - (long + short) / 2) > 0.05
    assert abs(whole - (30 * long + 10 * short) / 40) > 0.05


@pytest.mark.parametrize("constant", [0.0, 0.1, -0.7, 1e6])
def test_a_constant_prediction_has_ccc_zero_and_no_pcc(constant: float) -> None:
    labels, _, weights = case(7)
    scores = np.full(labels.shape, constant)
    assert (CCC.metric(labels, scores, weights) == 0).all()
    assert np.isnan(PCC.metric(labels, scores, weights)).all()


def test_two_constants_agree_fully_only_when_equal() -> None:
    same, other = np.full((7, 2), 0.1), np.full((7, 2), 0.3)
    assert CCC.metric(same, same)[0] == 1
    assert CCC.metric(same, other)[0] == 0


def test_a_resample_in_which_predictions_are_constant_has_ccc_zero() -> None:
    labels, scores, weights = case(8)
    scores[:20] = 0.123
    weights[2, 20:] = 0
    values = CCC.metric(labels, scores, weights)
    assert values[2] == 0
    assert (values[[0, 1, 3, 4]] > 0).all()


def test_perfect_predictions_reach_the_best_value() -> None:
    labels, _, weights = case(9)
    np.testing.assert_allclose(CCC.metric(labels, labels, weights), 1)
    np.testing.assert_allclose(PCC.metric(labels, 3 * labels - 1, weights), 1)
    assert (RMSE.metric(labels, labels, weights) == 0).all()
    np.testing.assert_allclose(CCC.metric(labels, -labels + 2 * labels.mean(axis=0)), -1)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_without_a_valid_entry_is_undefined(name: str) -> None:
    labels, scores, weights = case(10)
    labels[:, 0] = np.nan
    values = METRICS.load(name).per_target(labels, scores, weights)
    assert np.isnan(values[:, 0]).all()
    assert not np.isnan(values[:, 1]).any()
    assert np.isnan(METRICS.load(name).metric(labels, scores)).all()


@pytest.mark.parametrize("name", NAMES)
def test_predictions_that_are_not_finite_and_shapes_that_do_not_fit_are_refused(name: str) -> None:
    metric = METRICS.load(name).metric
    with pytest.raises(NumericalError, match="first in row 1"):
        metric(column(0, 1, 2), column(0, np.inf, 2))
    with pytest.raises(ValueError, match="expected both"):
        metric(np.zeros(3), np.zeros(3))
    with pytest.raises(DataError, match="no samples"):
        metric(np.zeros((0, 1)), np.zeros((0, 1)))
