"""Soft labels of the joint teacher (Hinton et al. 2015).

L = (1 - w) task + w t^2 KL(softmax(z_J / t) || softmax(z_S / t)); in regression the squared difference of predictions.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, divergence_of_outputs, task_loss

TNET = "untrained"
UNLABELLED = {"soft_label_weight": 0.9}
GRID = {"temperature": (1.0, 2.0, 4.0), "soft_label_weight": (0.25, 0.5, 0.75)}


def terms(
    lesson: Lesson, *, temperature: float = 2.0, soft_label_weight: float = 0.5, outputs: str = "crossfit"
) -> dict[str, Term]:
    """Task loss and divergence from the joint teacher's soft labels, on the samples that it could see."""
    bank, seen = lesson.bank, lesson.bank.present[-1]
    logits = (bank.crossfit_logits if outputs == "crossfit" else bank.logits)[-1]
    student = lesson.student.logits
    if seen.any():
        soft = divergence_of_outputs(student[seen], logits[seen], lesson.labels[seen], temperature)
    else:
        soft = student.new_zeros(())
    return {
        "task": Term(task_loss(student, lesson.labels), 1 - soft_label_weight),
        "soft_labels": Term(soft, soft_label_weight),
    }
