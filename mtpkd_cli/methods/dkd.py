"""Soft labels of the joint teacher, the true class and the others apart (decoupled, Zhao et al. 2022).

L = w task + a t^2 KL(b_J || b_S) + c t^2 KL(p_J || p_S): b the softened probabilities of (true class, any other), p
those of the other classes among themselves. With two classes there is one other, so the last term is 0 and the rest is
kd's divergence. Where there is no label the joint teacher's first choice stands for the true class. In regression
there are no classes: the squared difference of predictions with weight a, no last term.

Source: Zhao, Cui, Song, Qiu, Liang, "Decoupled Knowledge Distillation", CVPR 2022, arXiv 2203.08679: a = 1, c = 8 and
t = 4 on CIFAR-100.
"""

import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, is_labelled, soft_label_divergence, squared_distance, task_loss

TNET = "untrained"
GRID = {"temperature": (1.0, 2.0, 4.0), "others_weight": (1.0, 2.0, 8.0)}


def terms(
    lesson: Lesson,
    *,
    temperature: float = 4.0,
    outputs: str = "crossfit",
    task_weight: float = 1.0,
    target_weight: float = 1.0,
    others_weight: float = 8.0,
) -> dict[str, Term]:
    """Task loss and the two halves of the divergence, on the samples that the joint teacher could see."""
    bank, seen = lesson.bank, lesson.bank.present[-1]
    teacher = (bank.crossfit_logits if outputs == "crossfit" else bank.logits)[-1][seen]
    student, labels = lesson.student.logits[seen], lesson.labels[seen]
    if not labels.is_floating_point():
        labels = torch.where(is_labelled(labels), labels, teacher.argmax(1))
    target = others = student.new_zeros(())
    if seen.any() and labels.is_floating_point():
        target = squared_distance(student, teacher)
    elif seen.any():
        (target_s, others_s), (target_t, others_t) = (_apart(z / temperature, labels) for z in (student, teacher))
        target = temperature**2 * soft_label_divergence(target_s, target_t, 1.0)
        others = temperature**2 * soft_label_divergence(others_s, others_t, 1.0)
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "target": Term(target, target_weight),
        "others": Term(others, others_weight),
    }


def _apart(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, C) -> log-odds of the true class against all others as two logits (B, 2), and the others' (B, C-1)."""
    is_true = functional.one_hot(labels, logits.shape[1]).bool()
    others = logits[~is_true].view(len(logits), -1)
    return torch.stack([logits[is_true], others.logsumexp(1)], dim=1), others
