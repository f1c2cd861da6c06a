"""Alignment by self-distillation: every teacher's embedding is led into the joint teacher's space; the T-Net.

L = w L_align + (1 - w) (task_J + mean_m task(U_m a_m, y)),  L_align = mean_m mean_i [1 - cos(a_m^i, sg[h_J^i])]
after Aslam et al. 2024 (released code), from a *trained* joint teacher and with the stop-gradient that the code lacks.
Over teachers there is a mean where the released code has a sum, so that w means the same for any number of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mtpkd_cli.models import Adapter, Output, Teacher, TNet
from mtpkd_cli.models.losses import (
    Term,
    cosine_distance,
    divergence_of_outputs,
    maximum_mean_discrepancy,
    squared_distance,
    task_loss,
)
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.fitting import History
from mtpkd_cli.training.loop import Terms, fit
from mtpkd_cli.training.resuming import NOT_KEPT, FitCheckpoint
from mtpkd_cli.training.seeding import seeded

ALIGNMENT_WEIGHTS, TNET_WEIGHTS = "alignment.safetensors", "tnet.safetensors"
"""Files of an alignment's folder."""

DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine_distance,
    "mse": squared_distance,
    "mmd": maximum_mean_discrepancy,
}


class Alignment(nn.Module):
    """The joint teacher, to be tuned gently, and one adapter with head per other teacher."""

    def __init__(
        self, joint: Teacher, others: list[str], *, embedding: int, outputs: int, adapter: str, head: str = "softmax"
    ) -> None:
        super().__init__()
        self.joint = joint
        self.others = others
        self.adapters = nn.ModuleList(Adapter(embedding, outputs, adapter, head) for _ in others)

    def forward(self, embeddings: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        """Returns teacher -> (aligned embedding, logits) of the adapted teachers, targets standardised."""
        return {name: adapter(embeddings[name]) for name, adapter in zip(self.others, self.adapters, strict=True)}


def fit_alignment(
    data: StudyData,
    alignment: Alignment,
    joint_modalities: list[str],
    embeddings: dict[str, Tensor],
    present: dict[str, Tensor],
    rows: tuple[Tensor, Tensor],
    *,
    loss: str,
    align_weight: float,
    joint_learning_rate: float,
    options: Mapping[str, Any],
    seed: int,
    checkpoint: FitCheckpoint = NOT_KEPT,
) -> History:
    """Fits adapters and heads, and tunes the joint teacher's fusion and head.

    Args:
        embeddings: Teacher -> (N, d) embeddings of the frozen teachers; constants.
        present: Teacher -> (N,) bool, samples of which it could see something.
        rows: Training and validation rows.
    """
    train, validation = rows
    data = data.with_standard_targets(alignment.joint.scale)

    def terms_of(batch: Tensor) -> Terms:
        labels = data.labels[batch]
        output = alignment.joint(data.batch(batch, joint_modalities))
        adapted = alignment({name: embedding[batch] for name, embedding in embeddings.items()})
        matches, tasks = [], []
        for name, (aligned, logits) in adapted.items():
            seen = present[name][batch]
            if seen.any():
                tasks.append(task_loss(logits[seen], labels[seen]))
                joint = Output(*(column[seen].detach() for column in output))
                matches.append(_match(loss, aligned[seen], logits[seen], joint, labels[seen]))
        zero = output.logits.new_zeros(())
        mean_match = torch.stack(matches).mean() if matches else zero
        mean_task = torch.stack(tasks).mean() if tasks else zero
        return {
            "align": Term(mean_match, align_weight),
            "task_joint": Term(task_loss(output.logits, labels), 1 - align_weight),
            "task_adapted": Term(mean_task, 1 - align_weight),
        }

    def validate() -> float:
        return sum(term.weight * term.value.item() for term in terms_of(validation).values())

    trunk = alignment.joint.trunk
    trunk.encoders.requires_grad_(False)
    slow = {joint_learning_rate: [*trunk.fusion.parameters(), *alignment.joint.head.parameters()]}
    with seeded(seed) as generator, alignment.joint.standard_units():
        return fit(
            alignment, terms_of, validate, train, generator=generator, slow=slow, checkpoint=checkpoint, **options
        )


def fit_tnet(
    tnet: TNet,
    seen: Tensor,
    privileged: Tensor,
    present: Tensor,
    rows: tuple[Tensor, Tensor],
    *,
    loss: str,
    options: Mapping[str, Any],
    seed: int,
    checkpoint: FitCheckpoint = NOT_KEPT,
) -> History:
    """Fits R: prevalent embeddings (N, d) -> privileged embeddings (N, P, d) on the training rows.

    Args:
        present: (N, P) bool; a privileged embedding that does not exist is no target.
    """
    train, validation = rows

    def distance(batch: Tensor) -> Tensor:
        hallucinated, targets, there = tnet(seen[batch]), privileged[batch], present[batch]
        # One modality at a time: a distance between clouds would not see which cloud is whose.
        parts = [
            DISTANCES[loss](hallucinated[rows, m], targets[rows, m])
            for m, rows in enumerate(there.unbind(1))
            if rows.any()
        ]
        return torch.stack(parts).mean() if parts else 0.0 * hallucinated.sum()

    with seeded(seed) as generator:
        return fit(
            tnet,
            lambda batch: {"hallucination": Term(distance(batch), 1.0)},
            lambda: distance(validation).item(),
            train,
            generator=generator,
            checkpoint=checkpoint,
            **options,
        )


def _match(loss: str, aligned: Tensor, logits: Tensor, joint: Output, labels: Tensor) -> Tensor:
    if loss == "none":
        return aligned.new_zeros(())
    if loss == "kl":
        return divergence_of_outputs(logits, joint.logits, labels, temperature=1.0)
    return DISTANCES[loss](aligned, joint.embedding)
