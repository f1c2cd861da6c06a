"""Fitting a student with a method and the teacher bank."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mtpkd_cli.config.study import AS_IT_IS, UnlabelledOptions
from mtpkd_cli.methods import Lesson, TeacherBank
from mtpkd_cli.models import Student
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.fitting import History
from mtpkd_cli.training.loop import Terms, fit
from mtpkd_cli.training.resuming import NOT_KEPT, FitCheckpoint
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.teachers import apply
from mtpkd_cli.training.unlabelled import masked


def fit_student(
    student: Student,
    data: StudyData,
    bank: TeacherBank,
    terms: Callable[..., dict[str, Term]],
    sides: Sides,
    *,
    method_options: Mapping[str, Any],
    options: Mapping[str, Any],
    unlabelled: UnlabelledOptions = AS_IT_IS,
    order: torch.Generator,
    draws: torch.Generator,
    checkpoint: FitCheckpoint = NOT_KEPT,
) -> History:
    """Fits a student on training rows; the best epoch is the one with the least task loss on validation rows.

    Recordings without a label take part in every term but the task's; each batch has its share of them.

    Args:
        data: Only the modalities of the student and the labels are read.
        bank: Rows in the order of `data`; of validation rows only the held-out words, by which teachers are weighed.
        terms: The method's `terms`.
        sides: Rows that train, labelled or not, and rows that validate; all have what the student sees.
        method_options: Keyword arguments of `terms`.
        options: Keyword arguments of `loop.fit`.
        unlabelled: Their share of each batch, and the noise on the student's side.
        order: Order of the batches.
        draws: What the method draws; apart from the order, so that all methods see the same batches.
        checkpoint: Where the fit goes on after an interrupt.
    """
    seen = student.trunk.modalities
    # A recording of which no teacher could see anything teaches nothing without its label.
    taught = bank.present.any(0).cpu()
    without = sides.unlabelled[taught[sides.unlabelled]]
    data, bank = data.with_standard_targets(student.scale), bank.with_standard_targets(student.scale)
    bank = bank.knowing(data.labels, torch.cat([sides.labelled, sides.validation]))

    def step(rows: Tensor) -> Terms:
        rows = rows.to(data.labels.device)  # once, and not for every column of the bank
        output = student(masked(data.batch(rows, seen), unlabelled.feature_masking, unlabelled.time_masking))
        return terms(Lesson(data.labels[rows], output, bank.rows(rows), draws), **method_options)

    def validate() -> float:
        return task_loss(apply(student, data, seen, sides.validation).logits, data.labels[sides.validation]).item()

    with student.standard_units():
        return fit(
            student, step, validate, sides.labelled, unlabelled=without,
            unlabelled_share=unlabelled.unlabelled_share,
            generator=order, draws=[draws], checkpoint=checkpoint, **options,
        )  # fmt: skip
