"""Soft labels of several teachers at once."""

import torch
from torch import Tensor

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.methods._held_out import Mixture, certainty, log_mixture
from mtpkd_cli.models.losses import soft_label_divergence, squared_distance


def mixed_soft_labels(
    bank: TeacherBank,
    student: Tensor,
    labels: Tensor,
    weights: Tensor,
    *,
    outputs: str,
    temperature: float,
    mixture: Mixture | None = None,
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
        mixture: What is known of the mixture by held-out labels: it is then calibrated itself, since a mean of teachers
            is less sure than it should be, and in regression a sample counts by how far its teachers agree.
    """
    seen = weights.sum(1) > 0
    if not seen.any():
        return student.new_zeros(())
    logits = bank.crossfit_logits if outputs == "crossfit" else bank.logits
    if labels.is_floating_point():
        mixed = torch.einsum("bk,kbc->bc", weights, logits)[seen]
        if mixture is None:
            return squared_distance(student[seen], mixed)
        counts = certainty(weights, logits)[seen]
        return ((student[seen] - mixed) ** 2).mean(1) @ counts / counts.sum()
    mixed = temperature * log_mixture(weights, logits / temperature)[seen]
    mixed = mixed if mixture is None else mixed / mixture.temperature
    return soft_label_divergence(student[seen], mixed, temperature)
