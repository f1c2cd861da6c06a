"""How many labels a score is worth: curves whose answer is known by construction."""

from typing import Any

import numpy as np
import pytest

from mtpkd_cli.evaluation.curve import (
    CurvePoint,
    CurveShare,
    Worth,
    interval_of_labels,
    monotone,
    worth_in_labels,
    worth_sentences,
)
from mtpkd_cli.evaluation.summary import Score

LABELS = np.array([3.0, 6.0, 15.0, 30.0, 60.0])


def _logarithmic(labels: Any, slope: float = 0.1) -> np.ndarray:
    return 0.5 + slope * np.log(np.asarray(labels, float))[:, None]


@pytest.mark.parametrize("factor", [2.5, 1.3, 4.0])
def test_a_curve_shifted_by_a_factor_is_worth_so_many_times_the_labels(factor: float) -> None:
    worth = worth_in_labels(LABELS, _logarithmic(LABELS), _logarithmic(factor * LABELS))[:, 0]
    expected = np.where(factor * LABELS <= LABELS[-1], factor * LABELS, np.inf)
    np.testing.assert_allclose(worth, expected, rtol=1e-9)


def test_a_student_that_is_worse_is_worth_fewer_and_an_equal_one_what_it_has() -> None:
    reference = _logarithmic(LABELS)
    worse = worth_in_labels(LABELS, reference, _logarithmic(LABELS / 2))[:, 0]
    np.testing.assert_allclose(worse, [0, 3, 7.5, 15, 30])
    np.testing.assert_allclose(worth_in_labels(LABELS, reference, reference.copy())[:, 0], LABELS)
    # Equal but for the order of summation.
    np.testing.assert_allclose(worth_in_labels(LABELS, reference, reference + 1e-15)[:, 0], LABELS)


def test_resamples_are_paired_column_by_column() -> None:
    slopes = np.array([0.05, 0.1, 0.3])
    # What moves both curves alike (the same test people) changes nothing of what the labels are worth.
    shifts = np.array([-9.0, 0.0, 9.0])
    reference, taught = (
        np.hstack([_logarithmic(labels, slope) for slope in slopes]) + shifts for labels in (LABELS, 1.8 * LABELS)
    )
    worth = worth_in_labels(LABELS, reference, taught)
    np.testing.assert_allclose(worth[:4], np.repeat(1.8 * LABELS[:4, None], 3, axis=1), rtol=1e-6)


def test_identical_students_on_a_curve_that_falls_are_worth_what_they_have() -> None:
    # Noise of fits: the reference of 6 people beats that of 15. Who says the same as it has gained nothing.
    reference = np.array([0.6, 0.7, 0.65, 0.8, 0.81])[:, None]
    np.testing.assert_allclose(worth_in_labels(LABELS, reference, reference)[:, 0], LABELS)
    better = worth_in_labels(LABELS, reference, reference + 0.01)[:, 0]
    assert (better > LABELS).all()
    worse = worth_in_labels(LABELS, reference, reference - 0.01)[:, 0]
    assert (worse < LABELS).all()


def test_a_score_that_is_not_defined_has_no_worth() -> None:
    reference, taught = _logarithmic(LABELS).repeat(3, axis=1), _logarithmic(1.5 * LABELS).repeat(3, axis=1)
    reference[2, 0] = np.nan
    taught[1, 1] = np.nan
    worth = worth_in_labels(LABELS, reference, taught)
    assert np.isnan(worth[:, 0]).all()
    assert np.isnan(worth[:, 1]).tolist() == [False, True, False, False, False]
    assert not np.isnan(worth[:, 2]).any()


@pytest.mark.parametrize("labels", [[3, 3, 6], [6, 3, 15], [0, 3, 6]])
def test_labels_that_do_not_rise_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="expected numbers above 0 that rise"):
        worth_in_labels(np.array(labels, float), np.zeros((3, 1)), np.zeros((3, 1)))


def test_the_monotone_curve_is_the_nearest_that_never_falls() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 40)) + np.linspace(0, 2, 6)[:, None]
    fitted = monotone(values)
    assert (np.diff(fitted, axis=0) >= -1e-12).all()
    np.testing.assert_allclose(fitted.mean(axis=0), values.mean(axis=0))
    np.testing.assert_allclose(monotone(fitted), fitted)
    from sklearn.isotonic import IsotonicRegression

    for ours, column in zip(fitted.T, values.T, strict=True):
        np.testing.assert_allclose(ours, IsotonicRegression().fit_transform(np.arange(6), column), atol=1e-12)


def test_an_interval_may_reach_beyond_the_curve() -> None:
    values = np.array([np.inf] * 10 + [0.0] * 3 + [float(i) for i in range(1, 88)] + [np.nan] * 5)
    assert interval_of_labels(values) == (0.0, np.inf)
    assert interval_of_labels(np.arange(1.0, 42.0)) == (2.0, 40.0)
    low, high = interval_of_labels(np.array([np.nan]))
    assert np.isnan(low)
    assert np.isnan(high)


def _share(labels: float, worth: Worth | None) -> CurveShare:
    score = Score(value=0.5, low=0.4, high=0.6)
    return CurveShare(
        share=labels / 60, people=labels, samples=10 * labels, methods={"kd": CurvePoint(score=score, worth=worth)}
    )


def test_a_claim_is_made_only_where_all_of_the_interval_is_beyond_the_labels_that_there_are() -> None:
    sure = Worth.of(31.2, np.linspace(22, 48, 1001), 12.0)
    beyond = Worth.of(np.inf, np.array([40.0] * 20 + [np.inf] * 81), 30.0)
    unsure = Worth.of(14.0, np.linspace(2, 40, 101), 3.0)  # reaches below the three that it has
    fewer = Worth.of(14.0, np.array([0.0] * 10 + [20.0] * 91), 3.0)
    equal = Worth.of(12.0, np.full(100, 12.0), 12.0)
    undefined = Worth.of(np.nan, np.full(100, 20.0), 12.0)
    judged = [one.claimed for one in (sure, beyond, unsure, fewer, equal, undefined)]
    assert judged == [True, True, False, False, False, False]
    assert (beyond.value, fewer.low) == ("more", "fewer")
    shares = [_share(3.4, unsure), _share(12.0, sure), _share(30.0, beyond), _share(60.0, None)]
    assert worth_sentences(shares, "subject", ["kd", "mt-kd"]) == [
        "kd: with unlabelled recordings, labels of 12 people are worth those of 31 (95 % interval 23 to 47)",
        "kd: with unlabelled recordings, labels of 30 people are worth those of more than 60 (95 % interval 40 to more "
        "than 60)",
    ]
    (in_samples, _) = worth_sentences(shares, "sample", ["kd"])
    assert "labels of 120 samples are worth those of 31" in in_samples


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Both curves from the same noisy test people, many studies: 95 % intervals of the worth of a factor of 2."""
    rng, hits, studies, people = np.random.default_rng(5), 0, 150, 40
    expected = 2 * LABELS[1]
    for _ in range(studies):
        person = rng.normal(size=(1, people))  # who is easy is easy for both
        reference = _logarithmic(LABELS) + 0.1 * person + 0.05 * rng.normal(size=(5, people))
        taught = _logarithmic(2 * LABELS) + 0.1 * person + 0.05 * rng.normal(size=(5, people))
        draws = rng.multinomial(people, np.full(people, 1 / people), size=300) / people
        resampled = worth_in_labels(LABELS, reference @ draws.T, taught @ draws.T)[1]
        low, high = interval_of_labels(resampled)
        hits += low <= expected <= high
    assert 0.9 <= hits / studies <= 0.99
