"""The student alone: the task loss and no teacher (lower bound).

L = task.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, task_loss

TNET = "untrained"
TAUGHT = False


def terms(lesson: Lesson) -> dict[str, Term]:
    """The task loss."""
    return {"task": Term(task_loss(lesson.student.logits, lesson.labels), 1.0)}
