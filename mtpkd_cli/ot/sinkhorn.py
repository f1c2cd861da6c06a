"""Entropic optimal transport by Sinkhorn iterations, and the debiased Sinkhorn divergence.

    reg_ot_cost(C, a, b) = min_P <P, C> + eps KL(P | a b^T)   over P >= 0 with P 1 = a, P^T 1 = b
                         = max_{f,g} <a, f> + <b, g> - eps (sum_ij a_i b_j exp((f_i + g_j - C_ij) / eps) - 1)

The potentials f, g are computed without a graph; the value is then differentiated by the envelope theorem (d/dC = P,
d/da = f, d/db = g), so backward costs one product, keeps no iterations in memory and cannot amplify their rounding.
It is a first derivative only: differentiating twice is refused.

References:
    Cuturi 2013 (Sinkhorn distances); Feydy et al. 2019 (the debiased divergence). The iterations: `fixed_point`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mtpkd_cli.ot.cost import half_squared_euclidean
from mtpkd_cli.ot.fixed_point import DualValue, Solution, solve
from mtpkd_cli.ot.problem import checked_problem


@dataclass(frozen=True)
class SinkhornResult:
    """A solved problem; only `reg_ot_cost` carries a gradient.

    Attributes:
        reg_ot_cost: (...,) dual value, a lower bound of the minimum and equal to it at convergence.
        f: (..., n) potential of the first marginal.
        g: (..., m) potential of the second; (f + c, g - c) is the same solution.
        plan: (..., n, m) transport plan P.
        converged: (...,) bool, `marginal_error <= tolerance`.
        n_iterations: Pairs of updates made, together for the whole batch.
        marginal_error: (...,) |P 1 - a|_1 + |P^T 1 - b|_1, of total mass 1.
    """

    reg_ot_cost: Tensor
    f: Tensor
    g: Tensor
    plan: Tensor
    converged: Tensor
    n_iterations: int
    marginal_error: Tensor


@dataclass(frozen=True)
class DivergenceResult:
    """A debiased divergence: `value` carries the gradient, the rest shows how far its three problems can be trusted.

    Attributes:
        value: (...,) divergence, >= 0 up to tolerance and rounding, 0 for equal arguments.
        converged: (...,) bool, all three problems did.
        n_iterations: The most iterations that one of them took.
        marginal_error: (...,) the largest of the three.
    """

    value: Tensor
    converged: Tensor
    n_iterations: int
    marginal_error: Tensor


def sinkhorn(
    cost: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    epsilon: float = 0.01,
    max_iterations: int = 1000,
    tolerance: float = 1e-3,
) -> SinkhornResult:
    """Solves entropic optimal transport for a batch of cost matrices, which iterate together until all converge.

    Args:
        cost: (..., n, m) finite costs; one matrix can be shared by a batch of weights.
        a: (..., n) weights >= 0, zeros allowed, scaled here to sum 1 (only their proportions matter); None = uniform.
        b: (..., m) likewise.
        epsilon: Entropic regularisation, in units of cost.
        max_iterations: Where it stops unconverged, which the result reports.
        tolerance: Accepted `marginal_error`; the value is then low by at most that times the range of the costs.

    Raises:
        NumericalError: Cost or weights are not finite, weights are negative or all zero, or there are no points.
    """
    problem = checked_problem(cost, a, b, epsilon)
    with torch.autocast(cost.device.type, enabled=False):
        solution = solve(*problem, epsilon, max_iterations, tolerance)
    return SinkhornResult(
        reg_ot_cost=_value(problem, solution, epsilon),
        f=solution.f,
        g=solution.g,
        plan=solution.plan,
        converged=solution.marginal_error <= tolerance,
        n_iterations=solution.n_iterations,
        marginal_error=solution.marginal_error,
    )


def sinkhorn_divergence(
    x: Tensor,
    y: Tensor,
    *,
    epsilon: float = 0.01,
    a: Tensor | None = None,
    b: Tensor | None = None,
    max_iterations: int = 1000,
    tolerance: float = 1e-3,
) -> DivergenceResult:
    """Debiased entropic OT of clouds `x: (..., n, d)` and `y: (..., m, d)` under the cost 1/2 |x - y|^2.

    Same quantity as geomloss' `SamplesLoss("sinkhorn", p=2, blur=sqrt(epsilon))`. 0 iff the weighted clouds are equal
    as sets; the order of rows does not matter. `a` and `b` are the weights of the rows of x and y, None = uniform;
    limits and errors are those of `sinkhorn`.
    """
    costs = half_squared_euclidean(x, y), half_squared_euclidean(x, x), half_squared_euclidean(y, y)
    return debiased_transport(*costs, a, b, epsilon=epsilon, max_iterations=max_iterations, tolerance=tolerance)


def debiased_transport(
    cost_xy: Tensor,
    cost_xx: Tensor,
    cost_yy: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    *,
    epsilon: float = 0.01,
    max_iterations: int = 1000,
    tolerance: float = 1e-3,
) -> DivergenceResult:
    """Returns OT(x,y) - OT(x,x)/2 - OT(y,y)/2 from three cost matrices (..., n, m), (..., n, n), (..., m, m).

    `cost_xx` and `cost_yy` are symmetric with a zero diagonal (not checked). `a` (..., n) and `b` (..., m) are the
    weights of x and y, None = uniform; limits and errors are those of `sinkhorn`.
    """
    cross, *selves = (checked_problem(*parts, epsilon) for parts in ((cost_xy, a, b), (cost_xx, a, a), (cost_yy, b, b)))
    limits = epsilon, max_iterations, tolerance
    with torch.autocast(cost_xy.device.type, enabled=False):
        solutions = _solve_selves(selves, *limits)
        # Equal clouds in equal order have equal potentials: a student near its teacher starts at its answer.
        solutions.append(solve(*cross, *limits, guess=solutions[1].g))
    xx, yy, xy = (_value(*pair, epsilon) for pair in zip([*selves, cross], solutions, strict=True))
    errors = torch.broadcast_tensors(*(solution.marginal_error for solution in solutions))
    error = torch.stack(errors).amax(0)
    n_iterations = max(solution.n_iterations for solution in solutions)
    return DivergenceResult(xy - 0.5 * (xx + yy), error <= tolerance, n_iterations, error)


def _value(problem: tuple[Tensor, Tensor, Tensor], solution: Solution, epsilon: float) -> Tensor:
    cost, a, b = problem
    return DualValue.apply(cost.expand_as(solution.plan), a, b, solution, epsilon)


def _solve_selves(
    problems: list[tuple[Tensor, Tensor, Tensor]], epsilon: float, max_iterations: int, tolerance: float
) -> list[Solution]:
    """Solves x against x and y against y, as one batch where their shapes allow."""
    (cost_x, a, _), (cost_y, b, _) = problems
    limits = epsilon, max_iterations, tolerance
    if cost_x.shape != cost_y.shape or a.shape != b.shape:
        return [solve(*problem, *limits, symmetric=True) for problem in problems]
    weights = torch.stack([a, b])
    both = solve(torch.stack([cost_x, cost_y]), weights, weights, *limits, symmetric=True)
    return [Solution(both.f[i], both.g[i], both.plan[i], both.marginal_error[i], both.n_iterations) for i in (0, 1)]
