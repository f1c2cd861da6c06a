"""Probabilities of being neighbours within the batch as the joint teacher's (Passalis and Tefas 2018).

L = w task + w_pkt mean_i KL(p^J_i || p^S_i),  p_ij = (1 + cos(h_i, h_j)) / sum_{k != i} (1 + cos(h_i, h_k)), j != i.
>= 0; 0 iff all p agree. The kernel is flat, so values are about a hundredth where a task loss is about 1; the weight
makes up for that.

Source: Passalis, Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018, arXiv
1803.10837, with the cosine kernel.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli import ot
from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, task_loss

TNET = "untrained"
LEAST = 3
GRID = {"neighbour_weight": (10.0, 100.0, 1000.0)}
_LEAST_KERNEL = 1e-6


def terms(lesson: Lesson, *, task_weight: float = 1.0, neighbour_weight: float = 100.0) -> dict[str, Term]:
    """Task loss and divergence of neighbourhoods, among the samples that the joint teacher could see."""
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "neighbours": Term(joint_term(lesson, _divergence, least=LEAST), neighbour_weight),
    }


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Of two samples each has one neighbour, with probability 1: at least three are needed."""
    p, q = _log_neighbours(teacher), _log_neighbours(student)
    return functional.kl_div(q, p, reduction="batchmean", log_target=True)


def _log_neighbours(h: Tensor) -> Tensor:
    """(B, d) -> (B, B-1) log p, self left out."""
    kernel = (1 + ot.cosine_similarities(h)).clamp(min=_LEAST_KERNEL)
    others = kernel[~torch.eye(len(h), dtype=torch.bool, device=h.device)].view(len(h), -1)
    return (others / others.sum(1, keepdim=True)).log()
