"""Fused Gromov-Wasserstein: POT's own value, finite differences, what it keeps apart, hard inputs."""

import numpy as np
import ot as pot
import pytest
import torch
from torch import Tensor

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.ot import cosine_similarities, fused_transport


def similarities(n: int = 7, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    h = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return cosine_similarities(h).to(dtype)


def objective(first: np.ndarray, second: np.ndarray, plan: np.ndarray, alpha: float) -> float:
    """The definition, one entry at a time."""
    n = len(plan)
    structure = sum(
        (first[i, k] - second[j, m]) ** 2 * plan[i, j] * plan[k, m]
        for i in range(n)
        for j in range(n)
        for k in range(n)
        for m in range(n)
    )
    return float((1 - alpha) * (plan * first).sum() + alpha * structure)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", [1, 2])
def test_its_value_is_that_of_pot_and_of_the_definition(alpha: float, seed: int) -> None:
    teacher, student = similarities(), similarities(seed=seed)
    first, second = (1 - s.numpy() for s in (teacher, student))
    np.fill_diagonal(first, 0)
    np.fill_diagonal(second, 0)
    start = np.eye(7) / 7
    expected = pot.gromov.fused_gromov_wasserstein2(first, first, second, alpha=alpha, G0=start)
    result = fused_transport(teacher, student, alpha=alpha, tolerance=1e-12)
    assert result.converged
    assert result.value.item() == pytest.approx(float(expected), abs=1e-9)
    assert result.value.item() == pytest.approx(objective(first, second, result.plan.numpy(), alpha), abs=1e-12)
    assert fused_transport(teacher, student, alpha=alpha).value.item() == pytest.approx(float(expected), rel=1e-3)
    torch.testing.assert_close(result.plan.sum(0), torch.full((7,), 1 / 7, dtype=torch.float64))
    torch.testing.assert_close(result.plan.sum(1), torch.full((7,), 1 / 7, dtype=torch.float64))


def test_it_is_zero_for_equal_similarities_and_never_above_the_identity() -> None:
    teacher = similarities()
    assert fused_transport(teacher, teacher).value.item() == pytest.approx(0, abs=1e-12)
    for seed in range(1, 6):
        student = similarities(seed=seed)
        value = fused_transport(teacher, student).value.item()
        assert 0 < value <= 0.5 * (teacher - student).square().mean().item() + 1e-12


def test_it_sees_which_sample_is_which_and_forgives_what_the_teacher_finds_alike() -> None:
    h = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h[1] = h[0] + 0.02 * h[2]
    teacher = cosine_similarities(h)

    def swapped(i: int, j: int) -> float:
        order = list(range(8))
        order[i], order[j] = j, i
        return fused_transport(teacher, teacher[order][:, order]).value.item()

    assert swapped(2, 5) > 0.02
    assert swapped(0, 1) < 1e-3


def test_its_gradient_is_that_of_finite_differences_and_reaches_the_student_alone() -> None:
    teacher, student = similarities().requires_grad_(), similarities(seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: fused_transport(teacher, s, tolerance=1e-12).value, (student,))
    fused_transport(teacher, student).value.backward()
    assert teacher.grad is None


def test_following_the_gradient_leads_to_the_teacher() -> None:
    generator = torch.Generator().manual_seed(4)
    teacher = similarities(9)
    h = torch.randn(9, 4, generator=generator, dtype=torch.float64).requires_grad_()
    start = fused_transport(teacher, cosine_similarities(h)).value.item()
    optimiser = torch.optim.Adam([h], lr=0.05)
    for _ in range(150):
        optimiser.zero_grad()
        value = fused_transport(teacher, cosine_similarities(h)).value
        value.backward()
        optimiser.step()
    assert value.item() < 0.02 * start


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_half_precision_is_computed_in_float32_under_autocast(dtype: torch.dtype) -> None:
    teacher, student = similarities(dtype=dtype), similarities(seed=1, dtype=dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = fused_transport(teacher, student)
    result.value.backward()
    expected = fused_transport(teacher.double(), student.detach().double()).value.item()
    assert result.value.dtype == torch.float32
    assert result.value.item() == pytest.approx(expected, rel=1e-4)
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_exhausted_iterations_show_in_the_result() -> None:
    result = fused_transport(similarities(20), similarities(20, seed=1), max_iterations=1, tolerance=0.0)
    assert not result.converged
    assert result.n_iterations == 1


def test_two_samples_and_one_are_no_special_case() -> None:
    assert fused_transport(torch.ones(1, 1), torch.ones(1, 1)).value.item() == 0
    teacher, student = torch.tensor([[1.0, 0.2], [0.2, 1.0]]), torch.tensor([[1.0, 0.6], [0.6, 1.0]])
    # The identity and the swap differ by M alone: 0.5 * 2 * 0.4^2 / 4.
    assert fused_transport(teacher, student).value.item() == pytest.approx(0.04)


def test_what_is_not_finite_is_told() -> None:
    bad = similarities().clone()
    bad[0, 1] = float("nan")
    with pytest.raises(NumericalError, match="NaN or infinite"):
        fused_transport(similarities(), bad)
