"""What teachers know beyond the prevalent one: shares, nats and label noise that are known by construction."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.held_out import HeldOut
from mtpkd_cli.evaluation.transfer import TransferDiagnosis, diagnose
from mtpkd_cli.evaluation.transfer_sentences import sentences

PEOPLE, EACH = 40, 25
N = PEOPLE * EACH
WHO = np.repeat([f"p{i:02d}" for i in range(PEOPLE)], EACH)


def _diagnose(
    labels: np.ndarray, logits: Mapping[str, np.ndarray], ordinal: bool = False, **more: Any
) -> TransferDiagnosis:
    """Of teachers face, which the student sees, heart, and any others."""
    held_out = {"fold-0/seed-0": HeldOut(labels, WHO[: len(labels)], np.arange(len(labels)), logits)}
    arguments: dict[str, Any] = {
        "task": "classification" if labels.ndim == 1 else "regression",
        "metric": "balanced-accuracy" if labels.ndim == 1 else "ccc",
        "independent": [name for name in logits if name != "face"],
        "ordinal": ordinal,
        "unlabelled": [0],
        "resamples": 200,
        "seed": 0,
    }
    return diagnose(held_out, {name: [name] for name in logits}, "face", **arguments | more)


def _binary(seed: int = 0) -> tuple[np.ndarray, Callable[[float], np.ndarray]]:
    """Labels, and strength -> logits (N, 2) of a teacher that sees the label with normal noise of its own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, N)

    def teacher(strength: float) -> np.ndarray:
        seen = strength * (2 * truth - 1) + rng.normal(size=N)
        return np.stack([-strength * seen, strength * seen], axis=1)  # the log odds are 2 strength seen

    return truth, teacher


def _information(strength: float) -> float:
    """Nats that a teacher of `_binary` has of its label: ln 2 minus the entropy that is left."""

    def left(x: float) -> float:
        log_p = -np.logaddexp(0, -2 * strength * x)
        return float(-log_p * norm.pdf(x, loc=strength))

    return float(np.log(2) - quad(left, -12, 12)[0])


def test_a_teacher_that_knows_what_the_prevalent_one_knows_adds_nothing() -> None:
    labels, teacher = _binary()
    face = teacher(0.8)
    row = _diagnose(labels, {"face": face, "heart": 3 * face}).teachers[1]  # over-confident, and no wiser
    assert row.shared is not None
    assert row.beyond is not None
    assert row.gap is not None
    assert row.agreement is not None
    assert row.shared.value == pytest.approx(1, abs=0.02)
    assert row.beyond.value == pytest.approx(0, abs=0.003)
    assert row.gap.value == 0
    assert row.agreement.same is not None
    assert row.agreement.same.value == 1


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_nats_are_the_information_that_a_teacher_has(strength: float) -> None:
    labels, teacher = _binary()
    rows = _diagnose(labels, {"face": teacher(0.0) + np.arange(2 * N).reshape(N, 2) % 7, "heart": teacher(strength)})
    face, heart = rows.teachers
    assert heart.likelihood.value == pytest.approx(_information(strength), abs=0.04)
    assert face.likelihood.value == pytest.approx(0, abs=0.01)
    # Of a prevalent teacher that knows nothing, the other one shares nothing.
    assert heart.shared is not None
    assert heart.beyond is not None
    assert heart.shared.value == pytest.approx(0, abs=0.03)
    assert heart.beyond.value == pytest.approx(_information(strength), abs=0.04)
    assert heart.beyond.excludes_zero


def test_two_independent_views_add_up_as_one_stronger_view() -> None:
    """Log odds of two normal views of strengths a and b are those of one view of strength sqrt(a^2 + b^2)."""
    labels, teacher = _binary(3)
    a, b = 0.6, 0.9
    heart = _diagnose(labels, {"face": teacher(a), "heart": teacher(b)}).teachers[1]
    added = _information(np.hypot(a, b)) - _information(a)
    assert heart.beyond is not None
    assert heart.shared is not None
    assert heart.beyond.value == pytest.approx(added, abs=0.03)
    assert heart.shared.value == pytest.approx(1 - added / _information(b), abs=0.08)
    right = norm.cdf([a, b])
    assert heart.agreement is not None
    assert heart.agreement.teacher_right is not None
    assert heart.agreement.prevalent_right is not None
    assert heart.agreement.teacher_right.value == pytest.approx(right[1] * (1 - right[0]), abs=0.03)
    assert heart.agreement.prevalent_right.value == pytest.approx(right[0] * (1 - right[1]), abs=0.03)


def test_noise_beside_a_prevalent_teacher_has_no_skill_and_no_share() -> None:
    labels, teacher = _binary()
    noise = np.random.default_rng(8).normal(size=(N, 2))
    row = _diagnose(labels, {"face": teacher(1.0), "heart": noise}).teachers[1]
    assert row.shared is None
    assert row.beyond is not None
    assert -0.01 < (row.beyond.value or 0.0) < 0.002


@pytest.mark.parametrize("flipped", [0.05, 0.2])
def test_wrong_labels_are_counted_and_bound_what_can_be_reached(flipped: float) -> None:
    truth, teacher = _binary(5)
    views = {"face": teacher(1.2), "heart": teacher(1.5)}
    labels = np.where(np.random.default_rng(1).random(N) < flipped, 1 - truth, truth)
    noise = _diagnose(labels, views).noise
    assert noise.wrong is not None
    assert noise.reliability is not None
    assert noise.ceiling is not None
    assert noise.wrong.value == pytest.approx(flipped, abs=0.04)
    assert noise.reliability.value == pytest.approx((1 - 2 * flipped) ** 2, abs=0.08)
    assert noise.ceiling.value == pytest.approx(1 - 2 * flipped, abs=0.05)
    assert noise.views == ["face", "heart"]


def test_wrong_labels_of_several_classes_are_counted_and_have_no_reliability() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, N)
    views = {name: 4 * np.eye(4)[truth] + rng.normal(size=(N, 4)) for name in ("face", "heart")}
    labels = np.where(rng.random(N) < 0.12, (truth + rng.integers(1, 4, N)) % 4, truth)
    noise = _diagnose(labels, views).noise
    assert noise.wrong is not None
    assert noise.wrong.value == pytest.approx(0.12, abs=0.04)
    assert noise.reliability is None


def test_reliability_of_levels_is_the_share_of_variance_that_is_true() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(1, 6, N)
    labels = truth + rng.choice([-1, 0, 1], N, p=[0.3, 0.4, 0.3])
    levels = np.arange(7)
    views = {}
    for name in ("face", "heart"):
        seen = truth + rng.normal(size=N)
        views[name] = -0.5 * (levels - seen[:, None]) ** 2
    noise = _diagnose(labels, views, ordinal=True).noise
    assert noise.reliability is not None
    assert noise.reliability.value == pytest.approx(2 / (2 + 0.6), abs=0.06)


def test_reliability_of_targets_is_the_share_of_variance_that_is_true() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(size=(N, 2)) * [1.0, 10.0]
    labels = truth + rng.normal(size=(N, 2)) * [1.0, 5.0]  # reliability 1/2 and 4/5
    views = {name: 0.4 * truth + rng.normal(size=(N, 2)) * [0.3, 3.0] + 2 for name in ("face", "heart")}
    noise = _diagnose(labels, views).noise
    assert noise.wrong is None
    assert noise.reliability is not None
    assert noise.reliability.value == pytest.approx((1 / 2 + 4 / 5) / 2, abs=0.06)


def test_nats_of_targets_are_those_of_normal_variables() -> None:
    """Of y with unit variance of which the views explain r^2 and r^2 + s^2: -ln(1 - r^2) / 2, and so on."""
    rng = np.random.default_rng(7)
    a, b, rest = rng.normal(size=(3, N))
    labels = (0.6 * a + 0.5 * b + np.sqrt(1 - 0.61) * rest)[:, None]
    diagnosis = _diagnose(labels, {"face": 3 * a[:, None] + 1, "heart": b[:, None]})
    face, heart = diagnosis.teachers
    assert face.likelihood.value == pytest.approx(-0.5 * np.log(1 - 0.36), abs=0.03)
    assert heart.likelihood.value == pytest.approx(-0.5 * np.log(1 - 0.25), abs=0.03)
    assert heart.beyond is not None
    assert heart.beyond.value == pytest.approx(0.5 * np.log((1 - 0.36) / (1 - 0.61)), abs=0.03)
    assert heart.agreement is not None
    assert heart.agreement.correlation is not None
    assert heart.agreement.correlation.value == pytest.approx(0, abs=0.08)
    assert heart.agreement.same is None


def test_recordings_without_a_modality_are_left_out_and_the_rest_is_compared_alike() -> None:
    labels, teacher = _binary()
    face, heart = teacher(0.8), teacher(0.8)
    heart[: N // 2] = np.nan
    face[-EACH:] = np.nan
    rows = _diagnose(labels, {"face": face, "heart": heart}).teachers
    assert [row.recordings for row in rows] == [N - EACH, N // 2]
    assert rows[1].gap is not None
    common = slice(N // 2, N - EACH)
    accuracies = [
        np.mean([(one[common].argmax(1) == labels[common])[labels[common] == c].mean() for c in (0, 1)])
        for one in (face, heart)
    ]
    assert rows[1].gap.value == pytest.approx(accuracies[1] - accuracies[0])


def test_folds_and_seeds_are_averaged_and_people_drawn_once() -> None:
    labels, teacher = _binary()
    halves = (slice(0, N // 2), slice(N // 4, N))
    views = {"face": teacher(0.5), "heart": teacher(1.0)}
    held_out = {
        f"fold-{number}/seed-0": HeldOut(
            labels[rows], WHO[rows], np.arange(N)[rows], {k: v[rows] for k, v in views.items()}
        )
        for number, rows in enumerate(halves)
    }
    diagnosis = diagnose(
        held_out, {"face": ["face"], "heart": ["heart"]}, "face", task="classification", metric="accuracy",
        independent=["heart"], ordinal=False, unlabelled=[10, 20], resamples=300, seed=1,
    )  # fmt: skip
    expected = np.mean([(views["heart"][rows].argmax(1) == labels[rows]).mean() for rows in halves])
    skill = diagnosis.teachers[1].skill
    assert skill.value == pytest.approx(expected)
    assert skill.low is not None
    assert skill.high is not None
    assert skill.low < expected < skill.high
    assert (diagnosis.people, diagnosis.labelled, diagnosis.unlabelled) == (PEOPLE, (N / 2 + 3 * N / 4) / 2, 15)
    told = " ".join(sentences(diagnosis))
    assert "40 labelled people" in told
    assert "too narrow" not in told


def test_few_people_are_told_as_such() -> None:
    labels, teacher = _binary()
    few = 5 * EACH
    told = " ".join(sentences(_diagnose(labels[:few], {"face": teacher(1)[:few], "heart": teacher(1)[:few]})))
    assert "5 labelled people" in told
    assert "too narrow by 11 % or more" in told


def test_no_wrong_label_among_few_recordings_is_not_sold_as_none() -> None:
    """Of n recordings without an event up to 1 - .05^(1/n) are allowed; a bootstrap of none would say 0."""
    truth, _ = _binary()
    few = 8 * EACH
    sure = np.stack([-4.0 * truth, 4.0 * truth], axis=1)[:few] + 2 * np.array([1, -1])
    diagnosis = _diagnose(truth[:few], {"face": sure, "heart": sure})
    assert diagnosis.noise.wrong is not None
    assert (diagnosis.noise.wrong.value, diagnosis.noise.wrong.high) == (0, 0)
    told = " ".join(sentences(diagnosis))
    count = few // 4
    assert (
        f"none has another label. Of {count} recordings this still allows {100 * (1 - 0.05 ** (1 / count)):.0f} %"
        in told
    )
    assert "[0, 0]" not in told


def test_one_person_alone_and_a_teacher_that_saw_nothing_are_refused() -> None:
    labels, teacher = _binary()
    with pytest.raises(DataError, match="labels of one person only"):
        _diagnose(labels[:EACH], {"face": teacher(1)[:EACH], "heart": teacher(1)[:EACH]})
    with pytest.raises(DataError, match="'heart' has held-out predictions of no labelled recording"):
        _diagnose(labels, {"face": teacher(1), "heart": np.full((N, 2), np.nan)})
