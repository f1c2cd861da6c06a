"""Costs against SciPy, and what rounding and zero rows must not do to them."""

import pytest
import torch
from scipy.spatial.distance import cdist

from mtpkd_cli.ot import cosine_cost, half_squared_euclidean


def clouds(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = [torch.randn(2, n, 5, generator=generator, dtype=torch.float64).to(dtype) for n in (7, 3)]
    return draw[0], draw[1]


def test_both_costs_agree_with_scipy() -> None:
    x, y = clouds()
    for i in range(2):
        torch.testing.assert_close(
            half_squared_euclidean(x, y)[i], 0.5 * torch.from_numpy(cdist(x[i], y[i], "sqeuclidean"))
        )
        torch.testing.assert_close(cosine_cost(x, y)[i], torch.from_numpy(cdist(x[i], y[i], "cosine")))


def test_identical_rows_cost_exactly_zero_far_from_the_origin() -> None:
    x = clouds(torch.float32)[0] + 1000.0
    cost = half_squared_euclidean(x, x.clone())
    assert cost.diagonal(dim1=-2, dim2=-1).abs().max() == 0.0
    assert (cost >= 0).all()


def test_the_gradient_is_finite_and_right_where_rows_coincide() -> None:
    x, y = (part[0].clone().requires_grad_() for part in clouds())
    with torch.no_grad():
        y[1] = x[4]
    half_squared_euclidean(x, y).sum().backward()
    torch.testing.assert_close(x.grad, (x[:, None] - y[None]).sum(1).detach())


def test_a_row_of_zeros_costs_one_to_everything_and_has_a_finite_gradient() -> None:
    x, y = clouds()
    x[0, 2] = 0.0
    x.requires_grad_()
    cost = cosine_cost(x, y)
    assert (cost[0, 2] == 1.0).all()
    cost.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("cost", [half_squared_euclidean, cosine_cost])
def test_half_precision_is_computed_in_float32_also_under_autocast(cost, dtype: torch.dtype) -> None:
    x, y = clouds(dtype)
    expected = cost(x.float(), y.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        received = cost(x, y)
    assert received.dtype == torch.float32
    assert torch.equal(received, expected)
