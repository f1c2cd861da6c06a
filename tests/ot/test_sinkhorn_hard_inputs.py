"""Sinkhorn at the edge: tiny epsilon, half precision, too few iterations, and inputs that it must refuse."""

import math

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.ot import sinkhorn


def problem(n: int = 7, m: int = 5) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    cost = torch.rand(n, m, generator=generator, dtype=torch.float64)
    a, b = (torch.rand(size, generator=generator, dtype=torch.float64) + 0.1 for size in (n, m))
    return cost, a / a.sum(), b / b.sum()


@pytest.mark.parametrize("epsilon", [1e-4, 1e-6])
def test_value_and_gradient_stay_finite_at_a_tiny_epsilon(epsilon: float) -> None:
    cost = problem(9, 9)[0]
    exact = cost.numpy()[linear_sum_assignment(cost.numpy())].mean()
    cost = cost.float().requires_grad_()
    result = sinkhorn(cost, epsilon=epsilon, max_iterations=2000)
    result.reg_ot_cost.backward()
    assert cost.grad is not None
    assert cost.grad.isfinite().all()
    # float32 cannot meet the marginals at cost / epsilon = 1e6; the value stays a lower bound, and a near one.
    assert exact - 0.01 < result.reg_ot_cost.item() < exact + 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_input_is_solved_in_float32_also_under_autocast(dtype: torch.dtype) -> None:
    cost, a, b = (part.to(dtype) for part in problem())
    expected = sinkhorn(cost.float(), a.float(), b.float(), epsilon=0.01)
    cost.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        received = sinkhorn(cost, a, b, epsilon=0.01)
    assert received.reg_ot_cost.dtype == torch.float32
    assert torch.equal(received.reg_ot_cost, expected.reg_ot_cost)
    received.reg_ot_cost.backward()
    assert cost.grad is not None
    assert cost.grad.dtype == dtype
    assert cost.grad.isfinite().all()


@pytest.mark.parametrize("max_iterations", [1, 2, 3, 12])
def test_running_out_of_iterations_is_reported_not_raised(max_iterations: int) -> None:
    result = sinkhorn(*problem(), epsilon=1e-3, max_iterations=max_iterations, tolerance=1e-9)
    assert result.n_iterations == max_iterations
    assert not result.converged
    assert 1e-9 < result.marginal_error.item() <= 2.0


def test_one_point_against_one_point_costs_its_distance() -> None:
    assert sinkhorn(torch.tensor([[0.3]]), epsilon=0.01).reg_ot_cost.item() == pytest.approx(0.3)


def test_costs_that_are_not_finite_are_counted() -> None:
    cost, a, b = problem()
    cost[0, 1], cost[3, 2], cost[6, 4] = math.nan, math.inf, -math.inf
    with pytest.raises(NumericalError, match="3 of 35 entries of the cost matrix are NaN or infinite"):
        sinkhorn(cost, a, b)


def test_costs_beyond_the_floating_point_range_are_an_error_not_a_nan() -> None:
    with pytest.raises(NumericalError, match=r"leave the range of torch\.float32"):
        sinkhorn(torch.full((2, 3), 3e38), epsilon=1e-3)


@pytest.mark.parametrize("weights", [[0.0] * 7, [-1.0] + [1.0] * 6, [math.nan] + [1.0] * 6])
def test_weights_that_are_no_distribution_are_refused(weights: list[float]) -> None:
    with pytest.raises(NumericalError, match="weights a are not a distribution"):
        sinkhorn(problem()[0], torch.tensor(weights))


def test_no_points_a_wrong_length_and_a_non_positive_epsilon_are_refused() -> None:
    cost, a, b = problem()
    with pytest.raises(NumericalError, match="of no points"):
        sinkhorn(cost[:0])
    with pytest.raises(ValueError, match="for 7 points"):
        sinkhorn(cost, b)
    with pytest.raises(ValueError, match="epsilon must be > 0"):
        sinkhorn(cost, a, b, epsilon=0.0)
