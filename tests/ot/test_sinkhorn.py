"""Entropic OT: values from POT, SciPy and closed forms; marginals; gradients by finite differences."""

import math

import ot as pot
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from mtpkd_cli.ot import sinkhorn
from mtpkd_cli.ot.sinkhorn import SinkhornResult

TIGHT = {"max_iterations": 20000, "tolerance": 1e-11}


def problem(n: int = 7, m: int = 5, seed: int = 0, batch: tuple[int, ...] = ()) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    cost = torch.rand(*batch, n, m, generator=generator, dtype=torch.float64)
    a, b = (torch.rand(*batch, size, generator=generator, dtype=torch.float64) + 0.1 for size in (n, m))
    return cost, a / a.sum(-1, keepdim=True), b / b.sum(-1, keepdim=True)


def primal(result: SinkhornResult, cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor, epsilon: float) -> float:
    divergence = torch.xlogy(result.plan, result.plan / (a[:, None] * b[None, :])).sum()
    return float((result.plan * cost).sum() + epsilon * divergence)


@pytest.mark.parametrize("epsilon", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("shape", [(7, 5), (12, 31)])
def test_value_and_plan_agree_with_pot(epsilon: float, shape: tuple[int, int]) -> None:
    cost, a, b = problem(*shape)
    plan = torch.from_numpy(
        pot.sinkhorn(
            a.numpy(), b.numpy(), cost.numpy(), epsilon, method="sinkhorn_log", stopThr=1e-12, numItermax=100000
        )
    )
    expected = (plan * cost).sum() + epsilon * torch.xlogy(plan, plan / (a[:, None] * b)).sum()
    tight = sinkhorn(cost, a, b, epsilon=epsilon, **TIGHT)
    assert tight.converged
    assert tight.reg_ot_cost.item() == pytest.approx(expected.item(), rel=1e-9)
    torch.testing.assert_close(tight.plan, plan, rtol=1e-6, atol=1e-10)
    assert sinkhorn(cost, a, b, epsilon=epsilon).reg_ot_cost.item() == pytest.approx(expected.item(), rel=1e-4)


def test_dual_value_equals_the_primal_of_its_own_plan() -> None:
    cost, a, b = problem()
    result = sinkhorn(cost, a, b, epsilon=0.05, **TIGHT)
    assert result.reg_ot_cost.item() == pytest.approx(primal(result, cost, a, b, 0.05), rel=1e-9)


def test_marginals_are_met_to_the_tolerance_that_is_reported() -> None:
    cost, a, b = problem(batch=(3,))
    result = sinkhorn(cost, a, b, epsilon=0.03, tolerance=1e-6)
    error = (result.plan.sum(-1) - a).abs().sum(-1) + (result.plan.sum(-2) - b).abs().sum(-1)
    torch.testing.assert_close(result.marginal_error, error, rtol=0, atol=1e-15)
    assert (error <= 1e-6).all()
    assert result.converged.all()


def test_a_small_epsilon_recovers_the_optimal_permutation() -> None:
    cost = problem(13, 13)[0]
    rows, columns = linear_sum_assignment(cost.numpy())
    result = sinkhorn(cost, epsilon=1e-3, max_iterations=20000)
    assert result.converged
    assert (result.plan.argmax(1).numpy() == columns).all()
    # KL of a permutation against the product of uniform marginals is log n.
    expected = cost[rows, columns].mean().item() + 1e-3 * math.log(13)
    assert result.reg_ot_cost.item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 2.0])
def test_discretised_gaussians_have_the_closed_form(epsilon: float) -> None:
    # Janati, Muzellec, Peyre & Cuturi 2020, Theorem 1, in one dimension and for the cost 1/2 (x - y)^2.
    (m1, s1), (m2, s2) = (0.0, 1.0), (0.7, 0.6)
    x = torch.linspace(-7, 7, 281, dtype=torch.float64)
    a, b = (torch.exp(-0.5 * ((x - mean) / sd) ** 2) for mean, sd in ((m1, s1), (m2, s2)))
    d = math.sqrt(4 * s1**2 * s2**2 + epsilon**2)
    entropic = epsilon * (1 - math.log(2 * epsilon)) + epsilon * math.log(d + epsilon)
    expected = 0.5 * ((m1 - m2) ** 2 + s1**2 + s2**2 - d + entropic)
    received = sinkhorn(0.5 * (x[:, None] - x[None, :]) ** 2, a, b, epsilon=epsilon, tolerance=1e-8)
    assert received.reg_ot_cost.item() == pytest.approx(expected, rel=1e-6)


def test_gradients_to_cost_and_weights_match_finite_differences() -> None:
    inputs = [part.requires_grad_() for part in problem(4, 3, batch=(2,))]
    assert torch.autograd.gradcheck(lambda c, a, b: sinkhorn(c, a, b, epsilon=0.1, **TIGHT).reg_ot_cost, inputs)


def test_gradient_to_a_cost_shared_by_a_batch_is_the_sum_of_the_plans() -> None:
    cost, a, b = problem(batch=(3,))
    cost = cost[0].requires_grad_()
    result = sinkhorn(cost, a, b, epsilon=0.1, **TIGHT)
    result.reg_ot_cost.sum().backward()
    torch.testing.assert_close(cost.grad, result.plan.sum(0))
    assert not result.plan.requires_grad


def test_only_the_proportions_of_weights_matter() -> None:
    cost, a, b = problem()
    torch.testing.assert_close(
        sinkhorn(cost, 3 * a, 0.2 * b, epsilon=0.1).reg_ot_cost, sinkhorn(cost, a, b, epsilon=0.1).reg_ot_cost
    )


def test_points_of_weight_zero_are_as_if_absent_and_leave_gradients_finite() -> None:
    cost, a, b = (part.requires_grad_() for part in problem())
    mask_a, mask_b = torch.ones(7, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    mask_a[[0, 4]], mask_b[2] = 0.0, 0.0
    result = sinkhorn(cost, a * mask_a, b * mask_b, epsilon=0.05, **TIGHT)
    kept = sinkhorn(cost[mask_a > 0][:, mask_b > 0], a[mask_a > 0], b[mask_b > 0], epsilon=0.05, **TIGHT)
    assert result.converged
    torch.testing.assert_close(result.reg_ot_cost, kept.reg_ot_cost)
    result.reg_ot_cost.backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in (cost, a, b))
    assert cost.grad is not None
    assert cost.grad[0].abs().max() == 0.0


def test_a_batch_gives_what_its_members_give() -> None:
    cost, a, b = problem(batch=(2, 3))
    together = sinkhorn(cost, a, b, epsilon=0.05, **TIGHT)
    assert together.reg_ot_cost.shape == together.converged.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            alone = sinkhorn(cost[i, j], a[i, j], b[i, j], epsilon=0.05, **TIGHT)
            torch.testing.assert_close(together.reg_ot_cost[i, j], alone.reg_ot_cost)
            torch.testing.assert_close(together.plan[i, j], alone.plan, rtol=1e-6, atol=1e-10)


def test_over_relaxation_saves_most_iterations_where_weights_differ_over_far_apart_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cost = 0.8 + 0.2 * problem(16, 16)[0]
    cost = (0.5 * (cost + cost.T)).fill_diagonal_(0.0)
    a, b = problem(16, 16, seed=4)[1:]
    relaxed = sinkhorn(cost, a, b, epsilon=0.01, max_iterations=50000)
    monkeypatch.setattr("mtpkd_cli.ot.fixed_point.MOST_RELAXED", 1.0)
    plain = sinkhorn(cost, a, b, epsilon=0.01, max_iterations=50000)
    assert relaxed.converged
    assert plain.converged
    assert 4 * relaxed.n_iterations < plain.n_iterations
    torch.testing.assert_close(relaxed.reg_ot_cost, plain.reg_ot_cost, rtol=1e-3, atol=0)
