"""Structure of the selected teacher by optimal transport (MT-PKDOT).

L = w_task task + w_OT OT(S^T, S^S) + w_cent |mean_i S^T_i - mean_i S^S_i|: S^T from the teacher with the least loss on
the samples at hand, the joint teacher always a candidate; selection on outputs of teachers that have not learned from
the sample; anchors that all rows share, so that which sample is which is kept.

Source: Aslam, Pedersoli, Koerich, Granger, "Multi Teacher Privileged Knowledge Distillation for Multimodal Expression
Recognition", arXiv 2408.09035, and released code; selection = "batch", outputs = "train", structure = "clouds",
anchors = "least" is the released form.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._selection import select, shares
from mtpkd_cli.methods._structure import structure_terms
from mtpkd_cli.models.losses import Term, task_loss

TNET = "fitted"


def terms(
    lesson: Lesson,
    *,
    selection: str = "batch",
    outputs: str = "crossfit",
    structure: str = "rows",
    anchors: str = "shared",
    anchors_k: int = 16,
    epsilon: float = 0.01,
    task_weight: float = 0.8,
    transport_weight: float = 0.2,
    centroid_weight: float = 0.2,
) -> dict[str, Term]:
    """Task loss, structure of the selected teacher, and (weight 0) how often each teacher was selected."""
    weights = select(lesson.bank, lesson.labels, selection=selection, outputs=outputs)
    task = Term(task_loss(lesson.student.logits, lesson.labels), task_weight)
    structural = structure_terms(
        lesson,
        weights,
        structure=structure,
        anchors=anchors,
        anchors_k=anchors_k,
        epsilon=epsilon,
        transport_weight=transport_weight,
        centroid_weight=centroid_weight,
    )
    return {"task": task} | structural | shares(lesson.bank, weights)
