"""Contrast: which teacher row belongs to which sample (Tian et al. 2020, in the form without a memory bank).

L = w task + w_crd (A + A') / 2,  A = mean_i -log softmax_j(cos(h_S^i, h_J^j) / t)[i], A' the same with the roles
exchanged. > 0; about log B where the student cannot distinguish samples, towards 0 as each is like its own teacher row
and unlike the others.

Source: Tian, Krishnan, Isola, "Contrastive Representation Distillation", ICLR 2020, arXiv 1910.10699: weight 0.8, t =
0.07. There thousands of negatives come from a memory bank and both sides pass trained projections; here the negatives
are the other samples of the batch (InfoNCE), and embeddings are compared as they are.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.ot.cost import unit_rows

TNET = "untrained"
LEAST = 2
GRID = {"contrast_temperature": (0.07, 0.2, 0.5), "contrast_weight": (0.1, 0.8)}


def terms(
    lesson: Lesson, *, contrast_temperature: float = 0.07, task_weight: float = 1.0, contrast_weight: float = 0.8
) -> dict[str, Term]:
    """Task loss and contrast, among the samples that the joint teacher could see."""

    def contrast(teacher: Tensor, student: Tensor) -> Tensor:
        likeness = unit_rows(student) @ unit_rows(teacher).T / contrast_temperature
        same_sample = torch.arange(len(likeness), device=likeness.device)
        by_student, by_teacher = (functional.cross_entropy(rows, same_sample) for rows in (likeness, likeness.T))
        return (by_student + by_teacher) / 2

    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "contrast": Term(joint_term(lesson, contrast, least=LEAST), contrast_weight),
    }
