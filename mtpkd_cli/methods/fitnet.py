"""Squared difference from the joint teacher's embedding, both layer-normalised (after Romero et al. 2015).

L = w task + w_hint mean (n(h_S) - n(h_J))^2 over samples and columns, n = layer normalisation without weights. In
[0, 4], as 2 (1 - r) with r the correlation of the two rows; 0 iff they differ by a shift and a positive factor at most.

Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv 1412.6550. There the student's layer is
smaller than the teacher's and a regressor is trained between them, in a stage of its own; here both have d columns, so
the normalisation stands in for the regressor, and there is one stage.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, squared_distance, task_loss
from mtpkd_cli.ot.cost import LEAST_NORM

TNET = "untrained"
GRID = {"hint_weight": (0.1, 1.0, 10.0)}


def terms(lesson: Lesson, *, task_weight: float = 1.0, hint_weight: float = 1.0) -> dict[str, Term]:
    """Task loss and difference from the hint, on the samples that the joint teacher could see."""
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "hint": Term(joint_term(lesson, _normalised_difference), hint_weight),
    }


def _normalised_difference(teacher: Tensor, student: Tensor) -> Tensor:
    return squared_distance(_normalised(student), _normalised(teacher))


def _normalised(h: Tensor) -> Tensor:
    """(B, d) layer-normalised; a row that hardly varies is only centred, for else its slope would drown the others."""
    centred = h - h.mean(-1, keepdim=True)
    even = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) < LEAST_NORM
    return torch.where(even, centred, functional.layer_norm(h, h.shape[-1:]).masked_fill(even, 0.0))
