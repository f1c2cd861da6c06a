"""Similarities within the batch as the joint teacher's (similarity-preserving, Tung and Mori 2019).

L = w task + w_sp |N(h_J h_J^T) - N(h_S h_S^T)|_F^2 / B^2, N scaling each row to norm 1. In [0, 4 / B]; 0 iff the rows
of inner products are proportional. The published weight 3000 belongs to that scale.

Source: Tung, Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, arXiv 1907.09682.
"""

from torch import Tensor

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, squared_distance, task_loss
from mtpkd_cli.ot.cost import unit_rows

TNET = "untrained"
LEAST = 2
GRID = {"similarity_weight": (300.0, 1000.0, 3000.0)}


def terms(lesson: Lesson, *, task_weight: float = 1.0, similarity_weight: float = 3000.0) -> dict[str, Term]:
    """Task loss and difference of similarities, among the samples that the joint teacher could see."""
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "similarity": Term(joint_term(lesson, _difference, least=LEAST), similarity_weight),
    }


def _difference(teacher: Tensor, student: Tensor) -> Tensor:
    return squared_distance(unit_rows(student @ student.T), unit_rows(teacher @ teacher.T))
