"""Control: mt-pkdot with each sample taught what was meant for another one of its batch.

L = mt-pkdot's, with the teachers' rows permuted over the samples of the batch, all teachers alike; the task keeps its
own labels, and the T-Net starts where mt-pkdot's does. The permutation is drawn anew for each batch, as one cycle, so
that no sample keeps its own row. Wherever mt-pkdot reads labels to weigh teachers, it reads those of the sample that a
row belongs to: which teachers are selected, the rows that they give, and the structure of these among themselves are
kept, and so is what the loss does to a student as a regulariser. The pairing alone is lost: a gain that this has too is
not knowledge of the samples.

Source: a permutation control; this project's.
"""

from dataclasses import replace

import torch

from mtpkd_cli.methods import Lesson

CONTROL_OF = "mt-pkdot"


def changed(lesson: Lesson) -> Lesson:
    """Teachers' rows are of other samples, and are weighed by those samples' labels."""
    cycle = torch.randperm(len(lesson.labels), generator=lesson.generator).to(lesson.labels.device)
    other = torch.empty_like(cycle)
    other[cycle] = cycle.roll(1)
    return replace(lesson, bank=lesson.bank.rows(other), labels=lesson.labels[other])
