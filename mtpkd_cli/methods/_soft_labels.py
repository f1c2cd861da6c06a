"""Soft labels of several teachers at once."""

import torch
from torch import Tensor

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.models.losses import divergence_of_outputs


def mixed_soft_labels(
    bank: TeacherBank, student: Tensor, labels: Tensor, weights: Tensor, *, outputs: str, temperature: float
) -> Tensor:
    """Divergence of the student from the teachers' mixture, a scalar >= 0; 0 iff the softened outputs agree.

    The mixture is sum_k w_bk softmax(z_k / t): probabilities are mixed, not logits, so that one teacher with large
    logits does not drown the others. In regression predictions are mixed and the squared difference is taken.

    Args:
        student: (B, C) logits.
        labels: (B,) or (B, C); only their kind matters.
        weights: (B, K) of `select`; samples without any weight are left out.
        outputs: "crossfit" or "train" logits of the teachers.
        temperature: t > 0.
    """
    seen = weights.sum(1) > 0
    if not seen.any():
        return student.new_zeros(())
    logits = bank.crossfit_logits if outputs == "crossfit" else bank.logits
    if labels.is_floating_point():
        mixed = torch.einsum("bk,kbc->bc", weights, logits)
    else:
        probability = torch.einsum("bk,kbc->bc", weights, torch.softmax(logits / temperature, dim=-1))
        mixed = temperature * probability.clamp(min=1e-12).log()
    return divergence_of_outputs(student[seen], mixed[seen], labels[seen], temperature)
