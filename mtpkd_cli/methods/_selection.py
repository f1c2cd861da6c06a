"""Selection among teachers: a weight for each teacher and sample, from the teachers' losses."""

import torch
from torch import Tensor

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.methods._held_out import weights_of
from mtpkd_cli.models.losses import Term, is_labelled, loss_per_sample


def select(bank: TeacherBank, labels: Tensor, *, selection: str, outputs: str, tau: float = 1.0) -> Tensor:
    """Chooses teachers by their skill on other recordings, or by their loss on the labels.

    A sample without a label has no loss: with "batch" the choice of the labelled stands for it, with "sample" and
    "soft" its weights are those of "skill".

    The joint teacher, last in the bank, is always a candidate, so that a bad teacher can do no harm. On training
    samples "train" outputs, those of the released code, favour the teacher that has over-fitted most; "crossfit"
    outputs come from teachers that have not learned from the sample.

    Args:
        labels: (B,) or (B, C); -1, or NaN, of a sample without a label.
        selection: "skill" (held-out likelihood on other recordings, times how sure the teacher is of this one, label
            unseen), "batch" (one teacher for all samples: the least mean loss, as released), "sample" (the least loss
            per sample), "soft" (softmax of -loss / tau per sample), "mean" (all teachers alike) or "joint" (the last
            teacher alone, whatever its loss).
        outputs: "crossfit" or "train".

    Returns:
        (B, K) weights, not negative; a row sums to 1, or to 0 where no teacher could see the sample.
    """
    if selection == "joint":
        return joint_only(bank)
    if selection == "mean":
        return (bank.present / bank.present.sum(0).clamp(min=1)).T
    logits = bank.crossfit_logits if outputs == "crossfit" else bank.logits
    if selection == "skill":
        return weights_of(bank.mixture().weights, logits, bank.present, regression=labels.is_floating_point())
    chosen = _by_loss(bank, logits, labels, selection, tau)
    if selection == "batch" or is_labelled(labels).all():
        return chosen
    by_skill = select(bank, labels, selection="skill", outputs=outputs)
    return torch.where(is_labelled(labels)[:, None], chosen, by_skill)


def _by_loss(bank: TeacherBank, logits: Tensor, labels: Tensor, selection: str, tau: float) -> Tensor:
    """(B, K) weights by the loss on the labels; those of samples without one mean nothing, unless of "batch"."""
    losses, absent = loss_per_sample(logits, labels), ~bank.present
    if selection == "soft":
        return (torch.softmax((-losses / tau).masked_fill(absent, -1e9), dim=0) * bank.present).T
    if selection == "batch":
        judged = bank.present & is_labelled(labels)
        mean = (losses * judged).sum(1) / judged.sum(1)
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
