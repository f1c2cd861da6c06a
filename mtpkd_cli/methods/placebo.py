"""Control: mt-pkdot with each sample taught what was meant for another one of its batch.

L = mt-pkdot's, with the teachers' rows permuted over the samples of the batch, all teachers alike; the task keeps its
own labels, and the T-Net starts where mt-pkdot's does. The permutation is drawn anew for each batch, as one cycle among
the labelled and one among the others, so that no sample keeps its own row unless it is the only one of its kind.
Wherever mt-pkdot reads labels to weigh teachers, it reads those of the sample that a row belongs to: which teachers are
selected, the rows that they give, and the structure of these among themselves are kept, and so is what the loss does to
a student as a regulariser. The pairing alone is lost: a gain that this has too is not knowledge of the samples.

Source: a permutation control; this project's.
"""

from dataclasses import replace

import torch

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import is_labelled

CONTROL_OF = "mt-pkdot"


def changed(lesson: Lesson) -> Lesson:
    """Teachers' rows are of other samples, and are weighed by those samples' labels."""
    labelled = is_labelled(lesson.labels)
    other = torch.empty(len(labelled), dtype=torch.long, device=labelled.device)
    for rows in (labelled.nonzero()[:, 0], (~labelled).nonzero()[:, 0]):
        cycle = rows[torch.randperm(len(rows), generator=lesson.generator).to(rows.device)]
        other[cycle] = cycle.roll(1)
    return replace(lesson, bank=lesson.bank.rows(other), labels=lesson.labels[other])
