"""Structure and soft labels of several teachers, by optimal transport (MT-PKDOT).

L = w_task task + w_OT OT(S^T, S^S) + w_soft t^2 KL(sum_k w_k softmax(z_k / t) || softmax(z_S / t))
  + w_cent |mean_i S^T_i - mean_i S^S_i|, w_cent = 0 unless asked for.

Each sample has its own weights w_k over teachers, the joint one among them, by how likely its label is to teachers that
have not learned from it (cross-fitted and calibrated). S^T comes from the same mixture, with anchors that all rows
share, so that which sample is which is kept. With distill.guard, on by default, the student falls back to student-only
where validation subjects do not show that the teachers help. Soft labels and guard are this project's.

Source: Aslam, Pedersoli, Koerich, Granger, "Multi Teacher Privileged Knowledge Distillation for Multimodal Expression
Recognition", arXiv 2408.09035, and released code, whose loss is mt-pkdot-released: here it takes selection = "batch",
outputs = "train", structure = "clouds" (of S - min S of each side), anchors = "least", anchors_k = 30, epsilon = 0.01,
task_weight = 0.8, centroid_weight = 0.2 and soft_label_weight = 0.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._multi_teacher import multi_teacher_terms
from mtpkd_cli.models.losses import Term

TNET = "fitted"
GUARD = "student-only"
GRID = {
    "selection": ("soft", "mean"),
    "soft_label_weight": (0.25, 0.5, 1.0),
    "transport_weight": (0.0, 0.2, 1.0),
}
# 2: similarities less their minimum, as released.
VERSIONS = {2: {"structure": "clouds"}}


def terms(
    lesson: Lesson,
    *,
    selection: str = "soft",
    outputs: str = "crossfit",
    structure: str = "rows",
    anchors: str = "shared",
    anchors_k: int = 16,
    epsilon: float = 0.1,
    task_weight: float = 0.5,
    transport_weight: float = 0.2,
    centroid_weight: float = 0.0,
    soft_label_weight: float = 0.5,
    temperature: float = 1.0,
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
