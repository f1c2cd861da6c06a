"""Alignment by self-distillation: every teacher's embedding is led into the joint teacher's space; the T-Net.

L = w L_align + (1 - w) (task_J + mean_m task(U_m a_m, y)),  L_align = mean_m mean_i [1 - cos(a_m^i, sg[h_J^i])]
after Aslam et al. 2024 (released code), from a *trained* joint teacher and with the stop-gradient that the code lacks.
Over teachers there is a mean where the released code has a sum, so that w means the same for any number of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mtpkd_cli.models import Adapter, Encoded, Output, Teacher, TNet
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
from mtpkd_cli.training.teachers import EVALUATION_BATCH

ALIGNMENT_WEIGHTS, TNET_WEIGHTS = "alignment.safetensors", "tnet.safetensors"
"""Files of an alignment's folder."""

DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine_distance,
    "mse": squared_distance,
    "mmd": maximum_mean_discrepancy,
}


HELD_BYTES = 2**31
"""What `FrozenEncoders` may hold on the device."""


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


class FrozenEncoders:
    """A joint teacher whose encoders are frozen, in evaluation mode: what they give for a sample is a constant.

    So it is computed once and held, where it takes no more than `HELD_BYTES`; beyond them, for each batch anew.
    """

    def __init__(self, joint: Teacher, data: StudyData, modalities: list[str]) -> None:
        self.joint, self.data, self.modalities = joint, data, modalities
        there = [data.sequences[name][1] for name in modalities]
        numbers = sum(mask.numel() + len(mask) for mask in there) * joint.trunk.fusion.gate.in_features // len(there)
        self.held: Encoded | None = None
        if 4 * numbers <= HELD_BYTES:
            parts = [self._encoded(rows) for rows in torch.arange(len(there[0])).split(EVALUATION_BATCH)]
            columns = ([torch.cat(one) for one in zip(*kind, strict=True)] for kind in zip(*parts, strict=True))
            tokens, masks, levels = columns
            self.held = tokens, masks, levels

    def joint_output(self, rows: Tensor) -> Output:
        """The joint teacher's outputs for some rows; gradients reach its fusion and head."""
        tokens, masks, levels = self._encoded(rows) if self.held is None else self._gathered(rows)
        fusion = self.joint.trunk.fusion
        heard = fusion.depth.heard(len(rows), levels[0].device)
        if heard is not None:
            tokens = [one[heard] for one in tokens]
        return self.joint.concluded(*fusion(tokens, masks, levels, heard))

    @torch.no_grad()
    def _encoded(self, rows: Tensor) -> Encoded:
        self.joint.trunk.encoders.eval()
        return self.joint.trunk.encoded(self.data.batch(rows, self.modalities))

    def _gathered(self, rows: Tensor) -> Encoded:
        assert self.held is not None
        rows = rows.to(self.data.labels.device)
        tokens, masks, levels = ([one[rows] for one in kind] for kind in self.held)
        return tokens, masks, levels


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
        output = encoders.joint_output(batch)
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
    encoders = FrozenEncoders(alignment.joint, data, joint_modalities)
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
