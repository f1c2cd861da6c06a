"""Debiased transport of many pairs of distributions over the same few points: one kernel serves all pairs.

    D(p, q) = OT(p, q) - OT(p, p)/2 - OT(q, q)/2 for rows p_i, q_i (k,), all with one symmetric cost C (k, k)

With C shared, an iteration for all B pairs is two products (B, k) x (k, k) with K = exp(-C / eps), where a batch of
plans would cost B k^2 exponentials. At the fixed point D and its gradients need the potentials alone:

    D = <p, f_pq - f_pp> + <q, g_pq - f_qq>,    dD/dq = g_pq - f_qq

by the envelope theorem (each pair of potentials ends with an exact update, so its plan has mass 1), and nothing is kept
for backward but two constants of the rows' size. It is for constant costs, and where C / eps leaves the range of the
kernel `debiased_transport` is to be used.

References:
    Cuturi 2013 (batches of histograms); Feydy et al. 2019 (averaged symmetric update, debiasing); Lehmann et al. 2021
    (over-relaxation).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mtpkd_cli.ot.fixed_point import SCALING_RANGE, relaxation

MOST_EXPONENT = 40.0
"""Largest C / eps that the kernel holds: exp(-40) times a weight of exp(-40) is still a normal float32."""

_CHECK_EVERY = 8


class SharedCostResult(NamedTuple):
    """Per pair: `value` (B,) with its gradient, `marginal_error` (B,); `n_iterations` of the slowest pair."""

    value: Tensor
    marginal_error: Tensor
    n_iterations: int


def kernel_holds(cost: Tensor, epsilon: float) -> bool:
    """Whether a constant cost (k, k) can be used here at this epsilon."""
    return cost.dim() == 2 and not cost.requires_grad and float(cost.max()) <= MOST_EXPONENT * epsilon


def shared_cost_divergence(
    cost: Tensor, p: Tensor, q: Tensor, *, epsilon: float, max_iterations: int, tolerance: float
) -> SharedCostResult:
    """Solves all pairs together.

    Args:
        cost: (k, k), symmetric with a zero diagonal, constant; `kernel_holds` is true of it.
        p: (B, k), rows sum to 1.
        q: (B, k) likewise; both may carry gradients.
        epsilon: Entropic regularisation, in units of cost.
        max_iterations: Where it stops unconverged.
        tolerance: Accepted L1 error of both marginals together.
    """
    with torch.no_grad(), torch.autocast(cost.device.type, enabled=False):
        kernel, first, second = (-cost / epsilon).exp(), p.detach(), q.detach()
        both = torch.cat([first, second])
        selves, self_errors, self_iterations = _symmetric(kernel, both, max_iterations, tolerance)
        self_first, self_second = selves.chunk(2)
        left, right, error, iterations = _crossed(kernel, first, second, self_second, max_iterations, tolerance)
        errors = torch.stack([error, *self_errors.chunk(2)]).amax(0)
    to_first, to_second = epsilon * (left / self_first).log(), epsilon * (right / self_second).log()
    value = (p * to_first).sum(-1) + (q * to_second).sum(-1)
    return SharedCostResult(value, errors, max(iterations, self_iterations))


def _symmetric(kernel: Tensor, weights: Tensor, most: int, tolerance: float) -> tuple[Tensor, Tensor, int]:
    """exp(f / eps) of each row against itself, by averaged updates, which halve the error each time.

    Scalings are kept apart from the weights, as exp(potential / eps): they then stay within exp(+- C / eps) however
    small a weight is, and a point of weight 0 has its potential like any other.
    """
    scaling, done = 1 / (weights @ kernel), 0
    while True:
        fitted = 1 / ((weights * scaling) @ kernel)
        error = 2 * (weights * (scaling / fitted - 1)).abs().sum(-1)
        scaling = (scaling * fitted).sqrt()
        if float(error.max()) <= tolerance or done >= most:
            return scaling, error, done
        for _ in range(min(3, most - done - 1)):
            scaling = (scaling / ((weights * scaling) @ kernel)).sqrt()
            done += 1
        done += 1


def _crossed(
    kernel: Tensor, p: Tensor, q: Tensor, right: Tensor, most: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor, int]:
    """exp(f / eps) and exp(g / eps) of p against q, over-relaxed by the rate that each pair shows.

    It starts from the scaling of q against itself: a student near its teacher is at its answer at once.
    """
    omega, previous, done = torch.ones_like(p[:, :1]), None, 0
    left = 1 / ((q * right) @ kernel)
    while True:
        rounds = min(_CHECK_EVERY, most - done)
        for number in range(rounds):
            # The last of a round is plain: its error is that of the plan, not of the relaxation.
            power = omega if number < rounds - 1 else torch.ones_like(omega)
            right = _relaxed(right, 1 / ((p * left) @ kernel), power)
            left = _relaxed(left, 1 / ((q * right) @ kernel), power)
        done += rounds
        # The rows' marginals were met by the last update, so the columns' error is all of it.
        error = (q * (right * ((p * left) @ kernel) - 1)).abs().sum(-1)
        if float(error.max()) <= tolerance or done >= most:
            return left, right, error, done
        if previous is not None:
            omega = relaxation(omega[:, 0], error, previous, _CHECK_EVERY)[:, None]
        previous = error


def _relaxed(old: Tensor, new: Tensor, omega: Tensor) -> Tensor:
    return (old * (new / old) ** omega).clamp(*SCALING_RANGE)
