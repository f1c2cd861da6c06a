"""Structure of the joint teacher by optimal transport (PKDOT).

L = w_task task + w_OT OT(S^J, S^S): S the cosine similarities within the batch, seen from k anchors.

Source: Aslam et al., "Distilling Privileged Multimodal Information for Expression Recognition using Optimal
Transport", arXiv 2401.15489, and released code (0.6 on the transport), with anchors that all rows share. The released
form is structure = "clouds", of S - min S of each side, anchors = "least", anchors_k = 30 and epsilon = 0.01.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._selection import joint_only
from mtpkd_cli.methods._structure import structure_terms
from mtpkd_cli.models.losses import Term, task_loss

TNET = "fitted"
GRID = {"transport_weight": (0.2, 0.6, 2.0)}
# 2: similarities less their minimum, as released.
VERSIONS = {2: {"structure": "clouds"}}


def terms(
    lesson: Lesson,
    *,
    structure: str = "rows",
    anchors: str = "shared",
    anchors_k: int = 16,
    epsilon: float = 0.1,
    task_weight: float = 1.0,
    transport_weight: float = 0.6,
) -> dict[str, Term]:
    """Task loss and structure of the joint teacher."""
    task = Term(task_loss(lesson.student.logits, lesson.labels), task_weight)
    return {"task": task} | structure_terms(
        lesson,
        joint_only(lesson.bank),
        structure=structure,
        anchors=anchors,
        anchors_k=anchors_k,
        epsilon=epsilon,
        transport_weight=transport_weight,
        centroid_weight=0.0,
    )
