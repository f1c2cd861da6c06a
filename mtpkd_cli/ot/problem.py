"""What a transport problem must be before it is solved: finite costs, weights that are distributions.

A NaN would otherwise spread over a whole batch within one iteration, and nobody could say where it came from.
"""

import torch
from torch import Tensor

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.ot.cost import at_least_float32


def checked_problem(cost: Tensor, a: Tensor | None, b: Tensor | None, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Gives one problem one dtype, weights of the batch shape and sum 1, and a cost that broadcasts to it.

    Args:
        cost: (..., n, m).
        a: (..., n) weights, None = uniform.
        b: (..., m) likewise.
        epsilon: Entropic regularisation.

    Raises:
        NumericalError: No points, entries that are not finite, or weights that are not a distribution.
        ValueError: Weights of another length, or epsilon <= 0.
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon must be > 0, got {epsilon}")
    if cost.numel() == 0:
        raise NumericalError("optimal transport of no points", where=f"cost matrix of shape {tuple(cost.shape)}")
    n, m = cost.shape[-2:]
    a = cost.new_full((n,), 1.0, dtype=torch.float32) if a is None else a
    b = cost.new_full((m,), 1.0, dtype=torch.float32) if b is None else b
    cost, a, b = at_least_float32(cost, a, b)
    n_bad = int((~torch.isfinite(cost)).sum())
    if n_bad:
        raise NumericalError(
            f"{n_bad} of {cost.numel()} entries of the cost matrix are NaN or infinite",
            where=f"cost matrix of shape {tuple(cost.shape)}",
            expected="finite costs",
            todo="look for NaN features or a diverged model: the cost is computed from its embeddings",
        )
    batch = torch.broadcast_shapes(cost.shape[:-2], a.shape[:-1], b.shape[:-1])
    cost = cost[(None,) * (len(batch) - cost.dim() + 2)]
    return cost, _distribution(a, "a", n).expand(*batch, n), _distribution(b, "b", m).expand(*batch, m)


def _distribution(weights: Tensor, name: str, size: int) -> Tensor:
    """Returns the weights scaled to sum 1 over their last axis, or raises what is wrong with them."""
    if weights.shape[-1] != size:
        raise ValueError(f"weights {name} of shape {tuple(weights.shape)} for {size} points")
    total = weights.sum(-1, keepdim=True)
    if not bool(((weights >= 0) & torch.isfinite(total) & (total > 0)).all()):
        raise NumericalError(
            f"weights {name} are not a distribution", expected="finite weights >= 0, at least one above 0 in each row"
        )
    return weights / total
