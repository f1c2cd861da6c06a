"""The student alone with the labels that data.label_share hides given back (upper line of learning from fewer labels).

L = task, over all recordings of the training side that have a label. Where nothing is hidden it is student-only.

It starts where all students of its share do: with student.init = "teacher" from the prevalent teacher, which has seen
the labels of that share alone. So it is not the same at every share, and a short fit may leave it below student-only of
all labels.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.models.losses import Term, task_loss

TNET = "untrained"
TAUGHT = False
LABELS = "all"


def terms(lesson: Lesson) -> dict[str, Term]:
    """The task loss."""
    return {"task": Term(task_loss(lesson.student.logits, lesson.labels), 1.0)}
