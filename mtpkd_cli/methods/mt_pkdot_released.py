"""MT-PKDOT as the authors released it: batch-wise choice on training outputs, least similar anchors, unordered rows.

L = 0.8 task + 0.2 OT(clouds of rows of S^T - min S^T and S^S - min S^S) + 0.2 |mean_i S^T_i - mean_i S^S_i|, eps =
0.01, 30 anchors, so batches of 31 samples or more. The minimum is of the whole matrix and has its gradient. The
centroid term is commented out in the code: `distill.method.mt-pkdot-released.centroid_weight = 0.0` is that. No study
changes anything else; mt-pkdot has all of it as options.

Source: Aslam, Pedersoli, Koerich, Granger, arXiv 2408.09035, released code. Alignment, T-Net and teachers are this
program's; this is the released *loss*, for comparison.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._multi_teacher import multi_teacher_terms
from mtpkd_cli.models.losses import Term

TNET = "fitted"
RELEASED = {
    "anchors_k": (30,),
    "task_weight": (0.8,),
    "transport_weight": (0.2,),
    "centroid_weight": (0.2, 0.0),
}
# 2: similarities less their minimum.
VERSIONS: dict[int, dict[str, str]] = {2: {}}


def terms(
    lesson: Lesson,
    *,
    anchors_k: int = 30,
    task_weight: float = 0.8,
    transport_weight: float = 0.2,
    centroid_weight: float = 0.2,
) -> dict[str, Term]:
    """The terms of mt-pkdot with the released choices."""
    return multi_teacher_terms(
        lesson,
        selection="batch",
        outputs="train",
        structure="clouds",
        anchors="least",
        anchors_k=anchors_k,
        epsilon=0.01,
        task_weight=task_weight,
        transport_weight=transport_weight,
        centroid_weight=centroid_weight,
        soft_label_weight=0.0,
        temperature=1.0,
        # A third more iterations than usual: its gradients then agree with a restatement to 1e-5.
        tolerance=1e-4,
    )
