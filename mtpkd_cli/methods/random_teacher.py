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

CONTROL_OF = "mt-pkdot"
FIXED = {"selection": "joint", "outputs": "crossfit", "soft_label_weight": 0.0, "temperature": 1.0}


def changed(lesson: Lesson) -> Lesson:
    """The bank holds one teacher, whose embeddings are random and whose logits are zero."""
    student = lesson.student
    drawn = torch.randn(student.embedding.shape, generator=lesson.generator).to(student.embedding)
    silent = torch.zeros_like(student.logits).detach().unsqueeze(0)
    present = lesson.bank.present.any(0, keepdim=True)
    return replace(lesson, bank=TeacherBank(["random"], drawn.unsqueeze(0), silent, silent, present))
