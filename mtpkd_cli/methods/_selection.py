"""Selection among teachers: a weight for each teacher and sample, from the teachers' losses."""

import torch
from torch import Tensor

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.models.losses import Term, loss_per_sample


def select(bank: TeacherBank, labels: Tensor, *, selection: str, outputs: str, tau: float = 1.0) -> Tensor:
    """Chooses teachers by their loss on the labels.

    The joint teacher, last in the bank, is always a candidate, so that a bad teacher can do no harm. On training
    samples "train" outputs, those of the released code, favour the teacher that has over-fitted most; "crossfit"
    outputs come from teachers that have not learned from the sample.

    Args:
        labels: (B,) or (B, C).
        selection: "batch" (one teacher for all samples: the least mean loss, as released), "sample" (the least loss
            per sample), "soft" (softmax of -loss / tau per sample), "mean" (all teachers alike) or "joint" (the last
            teacher alone, whatever its loss).
        outputs: "crossfit" or "train".

    Returns:
        (B, K) weights, not negative; a row sums to 1, or to 0 where no teacher could see the sample.
    """
    if selection == "joint":
        return joint_only(bank)
    logits = bank.crossfit_logits if outputs == "crossfit" else bank.logits
    losses = loss_per_sample(logits, labels)
    absent = ~bank.present
    if selection == "mean":
        return (bank.present / bank.present.sum(0).clamp(min=1)).T
    if selection == "soft":
        return (torch.softmax((-losses / tau).masked_fill(absent, -1e9), dim=0) * bank.present).T
    if selection == "batch":
        mean = (losses * bank.present).sum(1) / bank.present.sum(1)
        # One teacher for the batch; a sample that it could not see falls back to the next best.
        losses = mean.nan_to_num(torch.inf)[:, None].expand_as(losses)
    best = losses.masked_fill(absent, torch.inf).argmin(0)
    return torch.nn.functional.one_hot(best, len(bank.names)).to(logits.dtype) * bank.present.any(0).unsqueeze(-1)


def joint_only(bank: TeacherBank) -> Tensor:
    """(B, K) weights of the joint teacher alone."""
    weights = torch.zeros_like(bank.present.T, dtype=bank.embeddings.dtype)
    weights[:, -1] = bank.present[-1].to(weights.dtype)
    return weights


def shares(bank: TeacherBank, weights: Tensor) -> dict[str, Term]:
    """Mean weight of each teacher in the batch, as terms of weight 0 that are only logged."""
    return {f"share_{name}": Term(share, 0.0) for name, share in zip(bank.names, weights.mean(0), strict=True)}
