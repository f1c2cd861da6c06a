"""Soft labels of the teachers that see privileged modalities only (Lopez-Paz et al. 2016).

L = (1 - w) task + w KL(s || softmax(z_S)),  s = mean_k softmax(z_k / t) over the privileged teachers that could see
the sample. It differs from kd in who teaches, and in that the teachers' side alone is softened: the student imitates s
as it is. In regression the squared difference from their mean prediction.

Source: Lopez-Paz, Bottou, Schölkopf, Vapnik, "Unifying distillation and privileged information", ICLR 2016, arXiv
1511.03643, for one teacher; the mean over several is this project's. The cross-entropy there differs from KL by a
constant, and KL is 0 iff the student's probabilities are s.
"""

import torch
from torch.nn import functional

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._selection import select
from mtpkd_cli.models.losses import Term, squared_distance, task_loss

TNET = "untrained"
UNLABELLED = {"imitation_weight": 0.9}
GRID = {"temperature": (1.0, 2.0, 5.0), "imitation_weight": (0.25, 0.5, 0.75)}


def terms(
    lesson: Lesson, *, temperature: float = 2.0, imitation_weight: float = 0.5, outputs: str = "crossfit"
) -> dict[str, Term]:
    """Task loss and imitation of the privileged teachers, on the samples that one of them could see."""
    bank, student = lesson.bank.seeing("privileged"), lesson.student.logits
    weights = select(bank, lesson.labels, selection="mean", outputs=outputs)
    seen = weights.sum(1) > 0
    logits = bank.crossfit_logits if outputs == "crossfit" else bank.logits
    if not seen.any():
        imitation = student.new_zeros(())
    elif lesson.labels.is_floating_point():
        imitation = squared_distance(student[seen], torch.einsum("bk,kbc->bc", weights, logits)[seen])
    else:
        soft_labels = torch.einsum("bk,kbc->bc", weights, torch.softmax(logits / temperature, dim=-1))
        imitation = functional.kl_div(
            torch.log_softmax(student[seen], dim=-1), soft_labels[seen], reduction="batchmean"
        )
    return {
        "task": Term(task_loss(student, lesson.labels), 1 - imitation_weight),
        "imitation": Term(imitation, imitation_weight),
    }
