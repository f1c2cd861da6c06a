"""Fitting a student with a method and the teacher bank."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mtpkd_cli.methods import Lesson, TeacherBank
from mtpkd_cli.models import Student
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.fitting import History
from mtpkd_cli.training.loop import Terms, fit
from mtpkd_cli.training.resuming import NOT_KEPT, FitCheckpoint
from mtpkd_cli.training.teachers import apply


def fit_student(
    student: Student,
    data: StudyData,
    bank: TeacherBank,
    terms: Callable[..., dict[str, Term]],
    train: Tensor,
    validation: Tensor,
    *,
    method_options: Mapping[str, Any],
    options: Mapping[str, Any],
    order: torch.Generator,
    draws: torch.Generator,
    checkpoint: FitCheckpoint = NOT_KEPT,
) -> History:
    """Fits a student on training rows; the best epoch is the one with the least task loss on validation rows.

    Args:
        data: Only the modalities of the student and the labels are read.
        bank: Rows in the order of `data`; only training rows are read.
        terms: The method's `terms`.
        method_options: Keyword arguments of `terms`.
        options: Keyword arguments of `loop.fit`.
        order: Order of the batches.
        draws: What the method draws; apart from the order, so that all methods see the same batches.
        checkpoint: Where the fit goes on after an interrupt.
    """
    seen = student.trunk.modalities
    data, bank = data.with_standard_targets(student.scale), bank.with_standard_targets(student.scale)

    def step(rows: Tensor) -> Terms:
        rows = rows.to(data.labels.device)  # once, and not for every column of the bank
        output = student(data.batch(rows, seen))
        return terms(Lesson(data.labels[rows], output, bank.rows(rows), draws), **method_options)

    def validate() -> float:
        return task_loss(apply(student, data, seen, validation).logits, data.labels[validation]).item()

    with student.standard_units():
        return fit(student, step, validate, train, generator=order, draws=[draws], checkpoint=checkpoint, **options)
