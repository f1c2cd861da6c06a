"""Structure and soft labels of several teachers, by optimal transport (MT-PKDOT).

L = w_task task + w_OT OT(S^T, S^S) + w_soft t^2 KL(mixture_k w_k softmax(z_k / t) || softmax(z_S / t))
  + w_cent |mean_i S^T_i - mean_i S^S_i|, w_cent = 0 unless asked for.

Weights w_k over all teachers, the joint and the prevalent one among them, are those that make held-out labels of other
recordings the most likely, times exp(-entropy) of what the teacher says of this one (selection = "skill"): no label is
asked for, so a recording without one is taught like any other. The mixture is then calibrated once more: a mean of
teachers is less sure than it should be. S^T comes from the same mixture, with anchors that all rows share, so that
which sample is which is kept. With distill.guard, on by default, the student falls back to student-only where that one
is better on the validation people by more than a standard error over them. Soft labels and guard are this project's.

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
UNLABELLED = {"soft_label_weight": 0.9, "task_weight": 0.1}
GRID = {
    "selection": ("skill", "mean"),
    "soft_label_weight": (0.25, 0.5, 1.0),
    "transport_weight": (0.0, 0.2, 1.0),
}
# 2: similarities less their minimum, as released.
VERSIONS = {2: {"structure": "clouds"}}


def terms(
    lesson: Lesson,
    *,
    selection: str = "skill",
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
