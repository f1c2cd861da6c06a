"""Distances and angles within the batch as the joint teacher's (relational, Park et al. 2019).

L = w task + w_d mean_{i<j} H(d^S_ij - d^J_ij) + w_a mean_{i<k, j} H(a^S_ijk - a^J_ijk): d_ij = |h_i - h_j| / mean
distance, a_ijk = cos of the angle at sample j between samples i and k, H the Huber loss (x^2 / 2 to |x| = 1, then
linear). Each >= 0; both are 0 iff the two clouds differ by scale, shift, rotation and reflection at most.

Source: Park, Kim, Lu, Cho, "Relational Knowledge Distillation", CVPR 2019, arXiv 1904.05068: weights 25 and 50.
"""

from torch import Tensor
from torch.nn import functional

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._angles import angles_differ
from mtpkd_cli.methods._joint import joint_term
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.ot.cost import LEAST_NORM

TNET = "untrained"
LEAST = 3
GRID = {"distance_weight": (2.5, 25.0), "angle_weight": (5.0, 50.0)}


def terms(
    lesson: Lesson, *, task_weight: float = 1.0, distance_weight: float = 25.0, angle_weight: float = 50.0
) -> dict[str, Term]:
    """Task loss and the two relations, among the samples that the joint teacher could see."""
    return {
        "task": Term(task_loss(lesson.student.logits, lesson.labels), task_weight),
        "distance": Term(joint_term(lesson, _distances_differ, least=2), distance_weight),
        "angle": Term(joint_term(lesson, angles_differ, least=LEAST), angle_weight),
    }


def _distances_differ(teacher: Tensor, student: Tensor) -> Tensor:
    return functional.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def _relative_distances(h: Tensor) -> Tensor:
    """(B, d) -> (B (B-1) / 2,), mean 1; towards 0 where all samples coincide."""
    distances = functional.pdist(h)
    return distances / distances.mean().clamp(min=LEAST_NORM)
