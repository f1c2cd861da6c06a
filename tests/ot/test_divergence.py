"""The debiased divergence of two clouds: its zero, its symmetry, closed forms, POT, geomloss, gradients."""

import math

import ot as pot
import pytest
import torch

from mtpkd_cli.ot import half_squared_euclidean, sinkhorn_divergence

TIGHT = {"max_iterations": 20000, "tolerance": 1e-11}


def clouds(n: int = 7, m: int = 5, d: int = 3, batch: tuple[int, ...] = (), seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(*batch, size, d, generator=generator, dtype=torch.float64) for size in (n, m))
    return x, y + 0.3


def weights(n: int, seed: int) -> torch.Tensor:
    drawn = torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.1
    return drawn / drawn.sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identical_clouds_are_at_zero_with_no_gradient(dtype: torch.dtype) -> None:
    x = clouds(32, 5, 16)[0].to(dtype)
    y = x.clone().requires_grad_()
    result = sinkhorn_divergence(x, y)
    result.value.backward()
    assert result.converged
    assert result.value.item() == pytest.approx(0.0, abs=1e-7)
    assert y.grad is not None
    assert y.grad.abs().max() < 1e-4


def test_reordered_clouds_are_at_zero() -> None:
    x = clouds(9)[0]
    assert sinkhorn_divergence(x, x.flip(0)).value.item() == pytest.approx(0.0, abs=1e-9)


def test_it_is_symmetric_and_positive_for_different_clouds() -> None:
    x, y = clouds()
    a, b = weights(7, 1), weights(5, 2)
    forth = sinkhorn_divergence(x, y, a=a, b=b, epsilon=0.1, **TIGHT).value
    back = sinkhorn_divergence(y, x, a=b, b=a, epsilon=0.1, **TIGHT).value
    torch.testing.assert_close(forth, back)
    assert forth > 0.01


@pytest.mark.parametrize("epsilon", [1e-6, 0.01, 5.0])
def test_two_diracs_are_at_half_their_squared_distance(epsilon: float) -> None:
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert sinkhorn_divergence(x, y, epsilon=epsilon).value.item() == pytest.approx(12.5, rel=1e-6)


def test_a_translated_cloud_is_at_half_the_squared_shift() -> None:
    x = clouds(8)[0]
    shift = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    value = sinkhorn_divergence(x, x + shift, epsilon=0.2, **TIGHT).value
    assert value.item() == pytest.approx(0.5 * float(shift @ shift), rel=1e-8)


@pytest.mark.parametrize("epsilon", [0.1, 1.0])
def test_discretised_gaussians_have_the_closed_form(epsilon: float) -> None:
    def closed_form(mean: float, s1: float, s2: float) -> float:
        d = math.sqrt(4 * s1**2 * s2**2 + epsilon**2)
        entropic = epsilon * (1 - math.log(2 * epsilon)) + epsilon * math.log(d + epsilon)
        return 0.5 * (mean**2 + s1**2 + s2**2 - d + entropic)

    x = torch.linspace(-7, 7, 281, dtype=torch.float64)
    a, b = (torch.exp(-0.5 * ((x - mean) / sd) ** 2) for mean, sd in ((0.0, 1.0), (0.7, 0.6)))
    expected = closed_form(0.7, 1.0, 0.6) - 0.5 * (closed_form(0, 1.0, 1.0) + closed_form(0, 0.6, 0.6))
    value = sinkhorn_divergence(x[:, None], x[:, None], a=a, b=b, epsilon=epsilon, tolerance=1e-8).value
    assert value.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
@pytest.mark.parametrize("uniform", [True, False])
def test_it_agrees_with_pot(epsilon: float, uniform: bool) -> None:
    x, y = (0.4 * part for part in clouds(12, 7))
    a, b = (torch.full((n,), 1 / n, dtype=torch.float64) if uniform else weights(n, n) for n in (12, 7))

    def entropic(x: torch.Tensor, y: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        cost = half_squared_euclidean(x, y)
        args = a.numpy(), b.numpy(), cost.numpy(), epsilon
        plan = torch.from_numpy(pot.sinkhorn(*args, method="sinkhorn_log", stopThr=1e-12, numItermax=100000))
        return (plan * cost).sum() + epsilon * torch.xlogy(plan, plan / (a[:, None] * b)).sum()

    expected = entropic(x, y, a, b) - 0.5 * (entropic(x, x, a, a) + entropic(y, y, b, b))
    given = {} if uniform else {"a": a, "b": b}
    assert sinkhorn_divergence(x, y, epsilon=epsilon, **given).value.item() == pytest.approx(expected.item(), rel=1e-4)
    tight = sinkhorn_divergence(x, y, epsilon=epsilon, **given, **TIGHT)
    assert tight.value.item() == pytest.approx(expected.item(), rel=1e-8)


def test_it_agrees_with_geomloss() -> None:
    geomloss = pytest.importorskip("geomloss")
    x, y = clouds(12, 7)
    loss = geomloss.SamplesLoss("sinkhorn", p=2, blur=0.5, scaling=0.999, backend="tensorized")
    expected = loss(x, y).item()
    assert sinkhorn_divergence(x, y, epsilon=0.25, **TIGHT).value.item() == pytest.approx(expected, rel=1e-4)


def test_gradients_to_both_clouds_and_weights_match_finite_differences() -> None:
    x, y = clouds(4, 3, 2)
    inputs = [part.requires_grad_() for part in (x, y, weights(4, 1), weights(3, 2))]

    def value(x: torch.Tensor, y: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return sinkhorn_divergence(x, y, a=a, b=b, epsilon=0.3, **TIGHT).value

    assert torch.autograd.gradcheck(value, inputs)


def test_no_gradient_reaches_a_cloud_that_does_not_ask() -> None:
    teacher, student = clouds(7, 7)
    student.requires_grad_()
    sinkhorn_divergence(teacher, student).value.backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert student.grad.abs().max() > 0


@pytest.mark.parametrize("sizes", [(6, 6), (6, 4)])
def test_a_batch_gives_what_its_members_give(sizes: tuple[int, int]) -> None:
    x, y = clouds(*sizes, batch=(3,))
    together = sinkhorn_divergence(x, y, epsilon=0.1, **TIGHT)
    assert together.value.shape == together.converged.shape == together.marginal_error.shape == (3,)
    for i in range(3):
        torch.testing.assert_close(
            together.value[i], sinkhorn_divergence(x[i], y[i], epsilon=0.1, **TIGHT).value, rtol=1e-7, atol=1e-10
        )


def test_following_the_gradient_moves_one_cloud_onto_the_other() -> None:
    x, y = clouds(6, 6)
    y.requires_grad_()
    start = sinkhorn_divergence(x, y, epsilon=0.05).value.item()
    for _ in range(60):
        (slope,) = torch.autograd.grad(sinkhorn_divergence(x, y, epsilon=0.05).value, y)
        with torch.no_grad():
            y -= 0.5 * y.shape[0] * slope
    assert sinkhorn_divergence(x, y, epsilon=0.05).value.item() < 0.01 * start


@pytest.mark.parametrize("epsilon", [1e-6, 0.01])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_value_and_gradient_are_finite_at_any_precision_and_epsilon(dtype: torch.dtype, epsilon: float) -> None:
    x, y = (part.to(dtype) for part in clouds(9, 9))
    y.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = sinkhorn_divergence(x, y, epsilon=epsilon)
    result.value.backward()
    assert result.value.dtype == torch.float32
    assert result.value.isfinite()
    assert y.grad is not None
    assert y.grad.isfinite().all()


def test_exhausted_iterations_show_in_the_result() -> None:
    x, y = clouds()
    result = sinkhorn_divergence(x, y, epsilon=1e-3, max_iterations=4, tolerance=1e-9)
    assert not result.converged
    assert result.n_iterations == 4
    assert result.marginal_error > 1e-9


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives() -> None:
    x, y = (part.float() for part in clouds(32, 30, 16))
    there = sinkhorn_divergence(x.cuda(), y.cuda(), epsilon=0.1)
    assert there.value.device.type == "cuda"
    torch.testing.assert_close(there.value.cpu(), sinkhorn_divergence(x, y, epsilon=0.1).value, rtol=1e-4, atol=1e-5)
