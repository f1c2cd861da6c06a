"""The student alone with the fitted T-Net, no teacher in the loss: what hallucination alone brings.

L = task. It differs from student-only in where the T-Net starts: fitted to privileged embeddings, as in mt-pkdot.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, task_loss

TNET = "fitted"
TAUGHT = False


def terms(lesson: Lesson) -> dict[str, Term]:
    """The task loss."""
    return {"task": Term(task_loss(lesson.student.logits, lesson.labels), 1.0)}
