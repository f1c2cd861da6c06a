"""Angles of two clouds compared over all triplets of samples, in blocks of memory that does not grow with B^3.

For samples i, j, k let C_jik = cos of the angle at sample j between samples i and k. The value is the mean of the
Huber loss H(C^S_jik - C^T_jik) over triplets of distinct samples. B^3 numbers outlive no block: value and gradient are
made in one pass, so nothing waits in memory for backward, and one product serves where autograd would need two.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mtpkd_cli.ot.cost import LEAST_NORM, unit_rows

# Cosines in a block: on a CPU as many as stay in its cache, elsewhere enough to keep the device busy.
BLOCK_CPU, BLOCK = 2**18, 2**24


def angles_differ(teacher: Tensor, student: Tensor) -> Tensor:
    """Returns the scalar mean over triplets, differentiable once in `student`: (B, d), B >= 3; `teacher`: (B, d').

    Samples that coincide, or nearly, have no direction between them: cosines are 0, slopes those of unit distance.
    """
    loss: Tensor = _AnglesDiffer.apply(teacher, student)
    return loss


class _AnglesDiffer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, teacher: Tensor, student: Tensor) -> Tensor:
        n, block = len(student), BLOCK_CPU if student.device.type == "cpu" else BLOCK
        total, gradient = student.new_zeros(()), torch.zeros_like(student)
        for at in torch.arange(n, device=student.device).split(max(1, block // n**2)):
            total += _add_block(teacher, student, at, gradient)
        n_triplets = n * (n - 1) * (n - 2)
        ctx.save_for_backward(gradient / n_triplets)
        return total / n_triplets

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[None, Tensor]:
        return None, slope * ctx.saved_tensors[0]


def _add_block(teacher: Tensor, student: Tensor, at: Tensor, gradient: Tensor) -> Tensor:
    """Returns the Huber losses' sum over triplets whose angle is at the samples `at`; adds its slope to `gradient`."""
    towards = _towards(student, at)
    length = torch.linalg.vector_norm(towards, dim=-1, keepdim=True)
    length.masked_fill_(length < LEAST_NORM, 1)
    directions = towards.div_(length)
    differ = _cosines(directions).sub_(_cosines(unit_rows(_towards(teacher, at))))
    # Where i or k is j both cosines are 0; where i is k both are 1, but 0 for samples that coincide: no angle there.
    differ.diagonal(dim1=1, dim2=2).zero_()
    slopes = differ.clamp(-1, 1)
    losses = torch.dot(slopes.flatten(), differ.flatten()) - 0.5 * torch.dot(slopes.flatten(), slopes.flatten())
    # Every angle stands twice, as (i, k) and as (k, i), so one product is half of its slope.
    by_direction = 2 * torch.bmm(slopes, directions)
    along = (by_direction * directions).sum(-1, keepdim=True)
    by_sample = by_direction.addcmul_(directions, along, value=-1).div_(length)
    gradient += by_sample.sum(0)
    gradient[at] -= by_sample.sum(1)
    return losses


def _towards(h: Tensor, at: Tensor) -> Tensor:
    """(B, d) -> (J, B, d): from each sample j in `at` to every sample i."""
    return h.unsqueeze(0) - h[at].unsqueeze(1)


def _cosines(directions: Tensor) -> Tensor:
    """(J, B, d) -> (J, B, B)."""
    return torch.bmm(directions, directions.mT)
