"""Cost matrices between two clouds of points.

Every function takes `x: (..., n, d)` and `y: (..., m, d)` and gives `(..., n, m)`. Half precision is computed in
float32, whatever autocast says: at epsilon = 0.01 a cost rounded to 8 bits moves the plan by more than a training step.
"""

import torch
from torch import Tensor

LEAST_NORM = 1e-4
"""Rows shorter than this have no direction. The slope of a direction is 1 / norm: one such row, of a sample of which a
network sees nothing, would decide a whole step."""


def half_squared_euclidean(x: Tensor, y: Tensor) -> Tensor:
    """Returns 1/2 |x_i - y_j|^2, non-negative, exactly 0 where two rows are identical.

    Differences are formed before squaring: the faster |x|^2 + |y|^2 - 2 x.y leaves rounding noise (also below zero)
    where rows agree, and that noise divided by a small epsilon would decide the plan.
    """
    x, y = at_least_float32(x, y)
    with torch.autocast(x.device.type, enabled=False):
        return 0.5 * torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()


def cosine_cost(x: Tensor, y: Tensor) -> Tensor:
    """Returns 1 - cos(x_i, y_j), in [0, 2] up to rounding; a row of zeros has no direction: 1 to all."""
    x, y = at_least_float32(x, y)
    with torch.autocast(x.device.type, enabled=False):
        return 1.0 - unit_rows(x) @ unit_rows(y).transpose(-1, -2)


def unit_rows(x: Tensor) -> Tensor:
    """Returns `x: (..., d)` scaled to norm 1; a row below LEAST_NORM stays as it is, nearly zero, with slope 1."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / norm.masked_fill(norm < LEAST_NORM, 1.0)


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Returns the tensors in their common dtype, float32 where that is narrower; differentiable."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)
