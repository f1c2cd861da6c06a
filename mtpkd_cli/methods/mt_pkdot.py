"""Structure of the selected teacher by optimal transport (MT-PKDOT).

L = w_task task + w_OT OT(S^T, S^S) + w_cent |mean_i S^T_i - mean_i S^S_i|: S^T from the teacher with the least loss on
the samples at hand, the joint teacher always a candidate; selection on outputs of teachers that have not learned from
the sample; anchors that all rows share, so that which sample is which is kept. With soft_label_weight, also
w_soft t^2 KL(sum_k w_k softmax(z_k / t) || softmax(z_S / t)) from the same weighting of teachers.

Source: Aslam, Pedersoli, Koerich, Granger, "Multi Teacher Privileged Knowledge Distillation for Multimodal Expression
Recognition", arXiv 2408.09035, and released code; selection = "batch", outputs = "train", structure = "clouds",
anchors = "least", epsilon = 0.01 is the released form (mt-pkdot-released).
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._multi_teacher import multi_teacher_terms
from mtpkd_cli.models.losses import Term

TNET = "fitted"
GUARD = "student-only"


def terms(
    lesson: Lesson,
    *,
    selection: str = "batch",
    outputs: str = "crossfit",
    structure: str = "rows",
    anchors: str = "shared",
    anchors_k: int = 16,
    epsilon: float = 0.1,
    task_weight: float = 0.8,
    transport_weight: float = 0.2,
    centroid_weight: float = 0.2,
    soft_label_weight: float = 0.0,
    temperature: float = 2.0,
) -> dict[str, Term]:
    """The multi-teacher terms with these choices."""
    return multi_teacher_terms(
        lesson,
        selection=selection,
        outputs=outputs,
        structure=structure,
        anchors=anchors,
        anchors_k=anchors_k,
        epsilon=epsilon,
        task_weight=task_weight,
        transport_weight=transport_weight,
        centroid_weight=centroid_weight,
        soft_label_weight=soft_label_weight,
        temperature=temperature,
    )
