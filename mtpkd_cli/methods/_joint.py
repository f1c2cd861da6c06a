"""A term between the student's embedding and the joint teacher's, among the samples that the teacher could see."""

from collections.abc import Callable

import torch
from torch import Tensor

from mtpkd_cli.methods import Lesson
from mtpkd_cli.ot.cost import at_least_float32


def joint_term(lesson: Lesson, distance: Callable[[Tensor, Tensor], Tensor], *, least: int = 1) -> Tensor:
    """Calls `distance(teacher, student)` in float32 with the rows (B', d) of the B' samples that the joint teacher saw.

    Args:
        distance: Gives a scalar; no gradient reaches its first argument.
        least: Samples that the distance needs: 2 for one of pairs, 3 for one of triplets. Of fewer it is 0.
    """
    seen = lesson.bank.present[-1]
    if int(seen.sum()) < least:
        return lesson.student.embedding.new_zeros(())
    teacher, student = at_least_float32(lesson.bank.embeddings[-1][seen], lesson.student.embedding[seen])
    with torch.autocast(student.device.type, enabled=False):
        return distance(teacher, student)
