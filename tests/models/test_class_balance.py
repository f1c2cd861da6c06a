"""Classes that count alike: the shift is found without labels, and what it leaves alone."""

import numpy as np
import pytest
import torch

from mtpkd_cli.models import Student
from mtpkd_cli.models.class_balance import balanced_probabilities, balancing_shift

N, C = 301, 4


def logits_of(shift: list[float], seed: int = 0) -> torch.Tensor:
    return torch.randn(N, C, generator=torch.Generator().manual_seed(seed)) + torch.tensor(shift)


def test_every_class_has_the_same_mean() -> None:
    logits = logits_of([3.0, 0.0, -1.0, 0.5])
    mean = torch.softmax(logits + balancing_shift(logits), 1).mean(0)
    assert torch.allclose(mean, torch.full((C,), 1 / C), atol=1e-4)


def test_the_shift_undoes_one_that_was_added_and_has_mean_zero() -> None:
    logits, added = logits_of([0.0] * C), torch.tensor([1.5, -0.5, 0.0, -1.0])
    before, after = balancing_shift(logits), balancing_shift(logits + added)
    assert torch.allclose(after, before - added, atol=1e-3)
    assert after.mean().item() == pytest.approx(0, abs=1e-6)


def test_of_two_classes_the_order_of_samples_stays() -> None:
    logits = logits_of([2.0, 0.0, 0.0, 0.0])[:, :2]
    p = torch.softmax(logits, 1)[:, 1]
    shifted = torch.softmax(logits + balancing_shift(logits), 1)[:, 1]
    assert torch.equal(p.argsort(), shifted.argsort())


def test_of_nothing_and_of_a_class_that_is_never_said_it_is_finite() -> None:
    assert torch.equal(balancing_shift(torch.zeros(0, C)), torch.zeros(C))
    never = logits_of([0.0, 0.0, 0.0, -80.0])
    assert balancing_shift(never).isfinite().all()


def test_probabilities_are_shifted_by_what_is_said_of_others() -> None:
    others, own = (torch.softmax(logits_of([2.0, 0, 0, 0], seed), 1) for seed in (1, 2))
    expected = torch.softmax(own.log() + balancing_shift(others.log()), 1)
    assert torch.allclose(balanced_probabilities(own, others), expected, atol=1e-6)


def test_a_weak_view_of_a_rare_class_is_told_from_the_frequent_one() -> None:
    """Two classes, 1 in 4, a view that separates them by half a deviation: plain decisions name the frequent one."""
    rng = np.random.default_rng(0)
    labels = rng.random(4000) < 0.25
    seen = rng.normal(size=4000) + 0.5 * labels
    log_odds = torch.tensor(0.5 * seen - 0.125 + np.log(0.25 / 0.75), dtype=torch.float32)
    logits = torch.stack([torch.zeros_like(log_odds), log_odds], 1)

    def balanced_accuracy(of: torch.Tensor) -> float:
        predicted = of.argmax(1).numpy().astype(bool)
        return float((predicted[labels].mean() + (~predicted[~labels]).mean()) / 2)

    assert balanced_accuracy(logits) < 0.52
    assert balanced_accuracy(logits + balancing_shift(logits)) > 0.58


def test_a_student_answers_with_its_shift_and_is_fitted_without_it() -> None:
    arguments = {"features": {"face": 5}, "privileged": 1, "outputs": C, "embedding": 6, "heads": 2, "dropout": 0.0}
    shift = [0.5, -1.0, 0.25, 0.25]
    torch.manual_seed(0)
    plain = Student(**arguments).eval()
    shifted = Student(**arguments, class_shift=shift).eval()
    shifted.load_state_dict(plain.state_dict())
    batch = {"face": (torch.randn(7, 3, 5), torch.ones(7, 3, dtype=torch.bool))}
    with torch.no_grad():
        expected = plain(batch).logits
        assert torch.allclose(shifted(batch).logits, expected + torch.tensor(shift))
        with shifted.standard_units():
            assert torch.equal(shifted(batch).logits, expected)
    assert set(shifted.state_dict()) == set(plain.state_dict())
    with pytest.raises(ValueError, match="not finite"):
        Student(**arguments, class_shift=[0.0, float("nan"), 0.0, 0.0])
