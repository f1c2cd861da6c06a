"""Control: NAME with each sample taught what was meant for another one of its batch.

L = NAME's, with the teachers' rows permuted over the samples of the batch, all teachers alike; the task keeps its own
labels, and the T-Net starts where NAME's does. The permutation is drawn anew for each batch, as one cycle, so that no
sample keeps its own row. Wherever NAME reads labels to weigh what teachers say, it reads those of the sample that a row
belongs to. What the loss does to a student as a regulariser is kept, the pairing alone is lost: a gain that this has
too is not knowledge of the samples.

Source: a permutation control; this project's.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

import torch

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, task_loss

Terms = Callable[..., dict[str, Term]]


def placebo_of(method: ModuleType) -> ModuleType:
    """Returns a method's placebo, with what a method file has."""
    made = ModuleType(f"{method.__name__}-placebo", __doc__)
    made.__dict__.update(TNET=method.TNET, CONTROL=True, terms=partial(taught_of_others, method.terms))
    return made


def taught_of_others(terms: Terms, lesson: Lesson, **options: Any) -> dict[str, Term]:
    """The terms of a lesson whose teachers speak of other samples, and the task of its own.

    Args:
        terms: The method's; its term "task" is the task loss.
        options: Of the method.
    """
    cycle = torch.randperm(len(lesson.labels), generator=lesson.generator).to(lesson.labels.device)
    other = torch.empty_like(cycle)
    other[cycle] = cycle.roll(1)
    permuted = terms(replace(lesson, bank=lesson.bank.rows(other), labels=lesson.labels[other]), **options)
    return permuted | {"task": permuted["task"]._replace(value=task_loss(lesson.student.logits, lesson.labels))}
