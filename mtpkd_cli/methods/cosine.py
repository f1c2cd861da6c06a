"""Direction of the joint teacher's embedding, sample by sample.

L = w task + w_cos mean_i (1 - cos(h_S^i, h_J^i)). In [0, 2]; 0 iff all rows point the same way, whatever their lengths.

Source: the point-wise counterpart of the similarity structure, and the loss of the alignment stage (Aslam et al. 2024,
arXiv 2408.09035, released code).
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, cosine_distance, task_loss

TNET = "untrained"
GRID = {"cosine_weight": (0.1, 1.0, 10.0)}


def terms(lesson: Lesson, *, task_weight: float = 1.0, cosine_weight: float = 1.0) -> dict[str, Term]:
    """Task loss and mean cosine distance, on the samples that the joint teacher could see."""
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "cosine": Term(joint_term(lesson, cosine_distance), cosine_weight),
    }
