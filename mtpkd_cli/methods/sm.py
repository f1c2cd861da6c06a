"""Cosine similarities within the batch as the joint teacher's, entry by entry (similarity matching).

L = w task + w_sm |S^J - S^S|_F^2 / B^2, S the cosine matrix of the batch. In [0, 4]; 0 iff the matrices are equal.

Source: the plain counterpart of the transport between similarities, a baseline of Aslam et al. 2024, arXiv 2408.09035,
whose released code computes it on detached arrays, so that it teaches nothing; here it has its gradient.
"""

from torch import Tensor

from mtpkd_cli import ot
from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, squared_distance, task_loss

TNET = "untrained"
LEAST = 2
GRID = {"similarity_weight": (0.1, 1.0, 10.0)}


def terms(lesson: Lesson, *, task_weight: float = 1.0, similarity_weight: float = 1.0) -> dict[str, Term]:
    """Task loss and difference of cosine matrices, among the samples that the joint teacher could see."""
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "similarity": Term(joint_term(lesson, _difference, least=LEAST), similarity_weight),
    }


def _difference(teacher: Tensor, student: Tensor) -> Tensor:
    return squared_distance(ot.cosine_similarities(student), ot.cosine_similarities(teacher))
