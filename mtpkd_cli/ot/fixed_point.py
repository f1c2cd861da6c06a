"""The fixed point of Sinkhorn's iterations, and the value rebuilt from it with its envelope derivative.

Three devices keep a training step's problem (tens to hundreds of points) to a few tens of cheap iterations: epsilon
scaling from the range of the costs down, matrix-vector scalings of the plan between exact log-domain updates, and
over-relaxation by the rate that is observed. Everything is batched over `...`; a problem that has converged goes on
with the others, which does it no harm.

References:
    Schmitzer 2019 (stabilised scaling, epsilon scaling); Feydy et al. 2019 (averaged symmetric update);
    Lehmann et al. 2021 (over-relaxation).
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtpkd_cli.errors import NumericalError

# Between two log-domain updates (exact, dear) come this many scalings of the plan (cheap), then a convergence check.
FIRST_SCALINGS, MOST_SCALINGS = 8, 16
SCALING_RANGE = (1e-20, 1e20)
MOST_RELAXED = 1.95


class Solution(NamedTuple):
    """Potentials `f: (..., n)`, `g: (..., m)`, their plan (..., n, m) and its L1 error at the marginals (...,)."""

    f: Tensor
    g: Tensor
    plan: Tensor
    marginal_error: Tensor
    n_iterations: int


class DualValue(torch.autograd.Function):
    """The dual value (...,) at fixed potentials; d/d cost = plan, d/da = f, d/db = g, by the envelope theorem."""

    @staticmethod
    def forward(ctx: Any, _cost: Tensor, a: Tensor, b: Tensor, solution: Solution, epsilon: float) -> Tensor:
        ctx.save_for_backward(solution.f, solution.g, solution.plan)
        dual = (a * solution.f).sum(-1) + (b * solution.g).sum(-1)
        return dual - epsilon * (solution.plan.sum((-1, -2)) - 1.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        f, g, plan = ctx.saved_tensors
        to_cost = grad[..., None, None] * plan if ctx.needs_input_grad[0] else None
        return to_cost, grad[..., None] * f, grad[..., None] * g, None, None


@torch.no_grad()
def solve(
    cost: Tensor,
    a: Tensor,
    b: Tensor,
    epsilon: float,
    max_iterations: int,
    tolerance: float,
    *,
    symmetric: bool = False,
    guess: Tensor | None = None,
) -> Solution:
    """Finds the potentials: log-domain updates, each followed by a few scalings of the plan they give.

    Any scaling of the plan by positive u, v is a valid pair of potentials (f + eps log u, g + eps log v), so where the
    scalings lose precision (underflow at small epsilon; they are clamped) or overshoot (over-relaxation) they only give
    a worse start to the next log-domain update, which is exact and the one that is measured.

    Args:
        cost: (..., n, m), finite; its batch shape may be broadcast against that of the weights.
        a: (..., n), sums to 1.
        b: (..., m), sums to 1.
        epsilon: Entropic regularisation, > 0.
        max_iterations: Pairs of updates, scalings included, after which the last plan is returned as it is.
        tolerance: Accepted L1 error of both marginals together.
        symmetric: `cost` is symmetric with a zero diagonal and a is b: the averaged update then halves the error each
            time and gives f = g.
        guess: (..., m) a g to start from in those problems where its dual value is above that of epsilon scaling.

    Raises:
        NumericalError: cost / epsilon is beyond the floating point range.
    """
    log_a, log_b, scaled = a.log(), b.log(), cost / epsilon
    f, g, n_iterations = torch.zeros_like(a), torch.zeros_like(b), 0
    n_scalings, omega, previous = FIRST_SCALINGS, torch.ones_like(a[..., 0]), None
    for step in _epsilons(cost, epsilon, 0 if symmetric else max_iterations - 1):
        f = _softmin(cost / step, log_b, g, step)
        g = _softmin(cost.mT / step, log_a, f, step)
        n_iterations += 1
    if guess is not None:
        guess = guess.expand_as(g)
        gain = _dual(scaled, log_b, a, b, guess, epsilon) - _dual(scaled, log_b, a, b, g, epsilon)
        g = torch.where((gain > 0)[..., None], guess, g)
    while True:
        new = _softmin(scaled, log_b, g, epsilon)
        f = 0.5 * (f + new) if symmetric else new
        g = f if symmetric else _softmin(scaled.mT, log_a, f, epsilon)
        n_iterations += 1
        plan = ((f / epsilon + log_a)[..., :, None] + ((g / epsilon + log_b)[..., None, :] - scaled)).exp()
        error = (plan.sum(-1) - a).abs().sum(-1) + (plan.sum(-2) - b).abs().sum(-1)
        worst = float(error.max())
        if worst <= tolerance or n_iterations >= max_iterations:
            break
        if previous is not None and not symmetric:
            omega, n_scalings = relaxation(omega, error, previous, n_scalings + 1), MOST_SCALINGS
        n_scalings, previous = min(n_scalings, max_iterations - n_iterations - 1), error
        u, v = _symmetric_scaling(plan, a, n_scalings) if symmetric else _scalings(plan, a, b, n_scalings, omega)
        f, g = f + epsilon * u.log(), g + epsilon * v.log()
        n_iterations += n_scalings
    if not math.isfinite(worst):
        raise NumericalError(
            f"costs up to {float(cost.abs().max()):.3g} leave the range of {cost.dtype} at epsilon {epsilon:g}",
            expected="cost / epsilon far below the largest float",
            todo="scale the embeddings or raise epsilon",
        )
    return Solution(f, g, plan, error, n_iterations)


def _epsilons(cost: Tensor, epsilon: float, at_most: int) -> Iterator[float]:
    """Yields decreasing regularisations, from the range of the costs down to just above `epsilon`."""
    lowest, highest = torch.aminmax(cost)
    step = float(highest - lowest)
    while step > epsilon and at_most > 0:
        yield step
        step, at_most = step / 4, at_most - 1


def _softmin(scaled_cost: Tensor, log_weights: Tensor, potential: Tensor, epsilon: float) -> Tensor:
    """Returns -eps log sum_j w_j exp((g_j - C_ij) / eps): the potential that meets the rows' marginals exactly."""
    return -epsilon * ((potential / epsilon + log_weights)[..., None, :] - scaled_cost).logsumexp(-1)


def _dual(scaled_cost: Tensor, log_b: Tensor, a: Tensor, b: Tensor, g: Tensor, epsilon: float) -> Tensor:
    """Returns the dual value (...,) of g with the f that is best for it."""
    return (a * _softmin(scaled_cost, log_b, g, epsilon)).sum(-1) + (b * g).sum(-1)


def relaxation(omega: Tensor, error: Tensor, previous: Tensor, n: int) -> Tensor:
    """Returns each problem's over-relaxation: the optimum of its observed linear rate, backing off where it grew.

    For a rate r of plain iterations the best omega is 2 / (1 + sqrt(1 - r)) (Lehmann et al. 2021); problems whose
    weights differ over far-apart points (r near 1) then need tens of iterations instead of thousands.
    """
    rate = (error / previous.clamp_min(torch.finfo(error.dtype).tiny)).clamp(1e-6, 0.9999) ** (1.0 / n)
    optimum = (2.0 / (1.0 + (1.0 - rate).sqrt())).clamp_max(MOST_RELAXED)
    return torch.where(error > previous, 0.5 + 0.5 * omega, torch.maximum(omega, optimum))


def _scalings(plan: Tensor, a: Tensor, b: Tensor, n: int, omega: Tensor) -> tuple[Tensor, Tensor]:
    """Returns u, v > 0 after n relaxed rounds of fitting diag(u) P diag(v) to its marginals."""
    tiny, relaxed = torch.finfo(plan.dtype).tiny, bool((omega > 1).any())
    a, b, omega = a[..., None], b[..., None], omega[..., None, None]
    u, v = torch.ones_like(a), torch.ones_like(b)

    def fitted(old: Tensor, weights: Tensor, marginal: Tensor) -> Tensor:
        new = (weights / marginal.clamp_min(tiny)).clamp(*SCALING_RANGE)
        return (old * (new / old) ** omega).clamp(*SCALING_RANGE) if relaxed else new

    for _ in range(n):
        u = fitted(u, a, plan @ v)
        v = fitted(v, b, plan.mT @ u)
    return u[..., 0], v[..., 0]


def _symmetric_scaling(plan: Tensor, a: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Returns u, u > 0 after n averaged rounds of fitting diag(u) P diag(u) to its one marginal."""
    tiny, u = torch.finfo(plan.dtype).tiny, torch.ones_like(a)
    for _ in range(n):
        marginal = (plan @ u[..., None])[..., 0]
        u = (u * a / marginal.clamp_min(tiny)).sqrt().clamp(*SCALING_RANGE)
    return u, u
