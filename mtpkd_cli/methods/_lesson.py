"""What a method is given: one batch of distillation, with the teachers' outputs for it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mtpkd_cli.methods._held_out import Mixture, TeacherWords
from mtpkd_cli.models import Output, TargetScale


@dataclass(frozen=True)
class TeacherBank:
    """Rows of the bank, in the order of the sample ids that were asked for.

    Args:
        names: K teachers; the joint one is last.
        embeddings: (K, N, d) aligned embeddings of the teachers fitted on the training part.
        logits: (K, N, C) logits of the same teachers. On training samples they are over-confident. In regression they
            are predictions, within a lesson in standard deviations, as its labels and the student's logits are.
        crossfit_logits: (K, N, C) logits of teachers that have not learned from the sample, at the temperature that
            fits them best (align.calibrate): for a training or validation sample those of the inner fold that held its
            subject out, for one without a label the mean of all inner folds.
        present: (K, N) bool; False where the teacher could see nothing of the sample (its row is then zero).
        sees: Per teacher the role of the modalities that it sees: "prevalent", "privileged" or "both"; empty =
            unknown, and `seeing` is then refused.
        held_out: What teachers say of labelled samples; from it follows what they are worth in `mixture`.
    """

    names: list[str]
    embeddings: Tensor
    logits: Tensor
    crossfit_logits: Tensor
    present: Tensor
    sees: tuple[str, ...] = ()
    held_out: TeacherWords | None = None

    def __post_init__(self) -> None:
        if self.embeddings.requires_grad or self.logits.requires_grad or self.crossfit_logits.requires_grad:
            raise ValueError("a bank holds constants: detach what teachers say, or a gradient would reach them")

    def rows(self, rows: Tensor) -> "TeacherBank":
        """Gathers some samples."""
        return self._of(*(column[:, rows] for column in self._columns))

    def to(self, device: torch.device) -> "TeacherBank":
        """Moves all columns to a device."""
        return self._of(*(column.to(device) for column in self._columns))

    def with_standard_targets(self, scale: TargetScale | None) -> "TeacherBank":
        """Predictions in units of the targets become standard deviations; as they are where there is no scale."""
        if scale is None:
            return self
        logits, crossfit_logits = (scale.of_predictions(column) for column in (self.logits, self.crossfit_logits))
        return replace(self, logits=logits, crossfit_logits=crossfit_logits)

    def knowing(self, labels: Tensor, rows: Tensor) -> "TeacherBank":
        """The bank with what its teachers are worth by their held-out words on some labelled rows.

        Args:
            labels: (N,) or (N, C), in standard deviations as the bank's logits are.
            rows: (n,) long.
        """
        of_rows = self.rows(rows)
        return replace(
            self, held_out=TeacherWords.of(self.names, of_rows.crossfit_logits, labels[rows], of_rows.present)
        )

    def mixture(self) -> Mixture:
        """How much each of these teachers counts; all alike where nobody has said by what (`knowing`)."""
        if self.held_out is None:
            return Mixture(torch.full((len(self.names),), 1 / len(self.names), device=self.logits.device), 1.0)
        return self.held_out.mixture(self.names)

    def seeing(self, role: str) -> "TeacherBank":
        """Keeps the teachers that see modalities of one role alone, "prevalent" or "privileged"; maybe none."""
        if len(self.sees) != len(self.names):
            raise ValueError("this bank does not know what its teachers see")
        kept = [i for i, seen in enumerate(self.sees) if seen == role]
        names, sees = [self.names[i] for i in kept], tuple(self.sees[i] for i in kept)
        return replace(self._of(*(column[kept] for column in self._columns)), names=names, sees=sees)

    @property
    def _columns(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.embeddings, self.logits, self.crossfit_logits, self.present

    def _of(self, embeddings: Tensor, logits: Tensor, crossfit_logits: Tensor, present: Tensor) -> "TeacherBank":
        return replace(self, embeddings=embeddings, logits=logits, crossfit_logits=crossfit_logits, present=present)


@dataclass(frozen=True)
class Lesson:
    """One batch of distillation.

    Args:
        labels: (B,) long classes or (B, C) float targets.
        student: The student's outputs; its embedding and logits carry gradients.
        bank: The teachers' outputs for the same samples, K x B rows.
        generator: For methods that draw at random; on the CPU.
    """

    labels: Tensor
    student: Output
    bank: TeacherBank
    generator: torch.Generator
