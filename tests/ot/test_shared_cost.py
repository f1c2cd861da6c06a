"""Transport of many pairs over the same points agrees with solving each pair by itself."""

import pytest
import torch
from torch import Tensor

from mtpkd_cli.ot.shared_cost import MOST_EXPONENT, kernel_holds, shared_cost_divergence
from mtpkd_cli.ot.sinkhorn import debiased_transport

LIMITS = {"epsilon": 0.1, "max_iterations": 5000, "tolerance": 1e-9}


def _problem(rows: int = 7, points: int = 5, sharp: float = 5.0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    unit = torch.nn.functional.normalize(torch.randn(points, 4, generator=generator, dtype=torch.float64), dim=1)
    cost = (1 - unit @ unit.T).clamp_min(0).fill_diagonal_(0)
    p, q = (torch.randn(rows, points, generator=generator, dtype=torch.float64) * sharp for _ in range(2))
    return cost, p.softmax(-1), q.softmax(-1)


@pytest.mark.parametrize("sharp", [0.1, 5.0, 20.0])
def test_values_and_gradients_equal_those_of_the_general_solver(sharp: float) -> None:
    cost, p, q = _problem(sharp=sharp)
    gradients, values = [], []
    for solver in (shared_cost_divergence, debiased_transport):
        left, right = p.clone().requires_grad_(), q.clone().requires_grad_()
        costs = (cost,) if solver is shared_cost_divergence else (cost, cost, cost)
        value = solver(*costs, left, right, **LIMITS).value
        # Only directions within the simplex mean anything: potentials are free up to a constant.
        (value * torch.arange(1.0, 8.0)).sum().backward()
        values.append(value.detach())
        gradients.append([g - g.mean(-1, keepdim=True) for g in (left.grad, right.grad) if g is not None])
    torch.testing.assert_close(*values, atol=1e-8, rtol=1e-7)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_equal_pairs_are_at_distance_zero_with_a_zero_gradient() -> None:
    cost, p, _ = _problem()
    q = p.clone().requires_grad_()
    value = shared_cost_divergence(cost, p, q, **LIMITS).value
    value.sum().backward()
    assert value.abs().max() < 1e-8
    assert q.grad is not None
    assert (q.grad - q.grad.mean(-1, keepdim=True)).abs().max() < 1e-6


def test_weights_that_underflow_to_zero_stay_finite() -> None:
    cost, p, _ = _problem()
    q = torch.eye(5)[[0, 1, 2, 3, 4, 0, 1]].requires_grad_()
    result = shared_cost_divergence(cost.float(), p.float(), q, epsilon=0.1, max_iterations=1000, tolerance=1e-3)
    result.value.sum().backward()
    assert result.value.isfinite().all()
    assert (result.value > 0).all()
    assert q.grad is not None
    assert q.grad.isfinite().all()


def test_an_unfinished_solution_says_so() -> None:
    cost, p, q = _problem(sharp=20.0)
    result = shared_cost_divergence(cost, p, q, epsilon=0.05, max_iterations=1, tolerance=1e-9)
    assert result.marginal_error.max() > 1e-9
    assert result.n_iterations == 1


def test_costs_beyond_the_kernel_or_with_a_gradient_are_left_to_the_general_solver() -> None:
    cost = _problem()[0]
    assert kernel_holds(cost, 0.1)
    assert not kernel_holds(cost, float(cost.max()) / (2 * MOST_EXPONENT))
    assert not kernel_holds(cost.clone().requires_grad_(), 0.1)
    assert not kernel_holds(cost.expand(3, 5, 5), 0.1)
