"""Mean soft labels of all teachers that could see the sample (You et al. 2017).

L = (1 - w) task + w t^2 KL(mean_k softmax(z_k / t) || softmax(z_S / t)); in regression the squared difference from the
mean prediction.

Source: You, Xu, Xu, Tao, "Learning from Multiple Teacher Networks", KDD 2017: its averaged soft targets, without its
triplets of intermediate layers.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._selection import select
from mtpkd_cli.methods._soft_labels import mixed_soft_labels
from mtpkd_cli.models.losses import Term, task_loss

TNET = "untrained"
UNLABELLED = {"soft_label_weight": 0.9}
GRID = {"temperature": (1.0, 2.0, 4.0), "soft_label_weight": (0.25, 0.5, 0.75)}


def terms(
    lesson: Lesson, *, temperature: float = 2.0, soft_label_weight: float = 0.5, outputs: str = "crossfit"
) -> dict[str, Term]:
    """Task loss and divergence from the teachers' mean, on the samples that one of them could see."""
    bank, student, labels = lesson.bank, lesson.student.logits, lesson.labels
    weights = select(bank, labels, selection="mean", outputs=outputs)
    soft = mixed_soft_labels(bank, student, labels, weights, outputs=outputs, temperature=temperature)
    return {
        "task": Term(task_loss(student, labels), 1 - soft_label_weight),
        "soft_labels": Term(soft, soft_label_weight),
    }
