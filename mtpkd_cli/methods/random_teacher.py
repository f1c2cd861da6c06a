"""Control: random numbers in place of a teacher's embeddings.

L = w_task task + w_OT OT(S^R, S^S) + w_cent |mean_i S^R_i - mean_i S^S_i| with mt-pkdot's weights: S^R the cosine
matrix of independent standard normal rows of d numbers, one for each sample that a teacher could see. They are drawn
anew for each batch, so that they cannot be learned by heart: a gain that it has too is the regularisation that any
structure brings. There is nobody to select, and no soft labels.

Source: this project's.
"""

from dataclasses import replace

import torch

from mtpkd_cli.methods import Lesson, TeacherBank
from mtpkd_cli.methods._selection import joint_only
from mtpkd_cli.methods._structure import structure_terms
from mtpkd_cli.models.losses import Term, task_loss

TNET = "fitted"
CONTROL = True
GUARD = "student-only"
GRID = {"transport_weight": (0.0, 0.2, 1.0)}


def terms(
    lesson: Lesson,
    *,
    structure: str = "rows",
    anchors: str = "shared",
    anchors_k: int = 16,
    epsilon: float = 0.1,
    task_weight: float = 0.5,
    transport_weight: float = 0.2,
    centroid_weight: float = 0.0,
) -> dict[str, Term]:
    """Task loss and structure of random rows."""
    student = lesson.student
    drawn = torch.randn(student.embedding.shape, generator=lesson.generator).to(student.embedding)
    said = torch.zeros_like(student.logits).detach().unsqueeze(0)
    bank = TeacherBank(["random"], drawn.unsqueeze(0), said, said, lesson.bank.present.any(0, keepdim=True))
    task = Term(task_loss(student.logits, lesson.labels), task_weight)
    return {"task": task} | structure_terms(
        replace(lesson, bank=bank),
        joint_only(bank),
        structure=structure,
        anchors=anchors,
        anchors_k=anchors_k,
        epsilon=epsilon,
        transport_weight=transport_weight,
        centroid_weight=centroid_weight,
    )
