"""The student alone with the labels that data.label_share hides given back (upper line of learning from fewer labels).

L = task, over all recordings of the training side that have a label. Where nothing is hidden it is student-only.

Its student starts from scratch where labels are hidden: the prevalent teacher has seen those of the share alone. So it
is the same at every share.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, task_loss

TNET = "untrained"
TAUGHT = False
LABELS = "all"


def terms(lesson: Lesson) -> dict[str, Term]:
    """The task loss."""
    return {"task": Term(task_loss(lesson.student.logits, lesson.labels), 1.0)}
