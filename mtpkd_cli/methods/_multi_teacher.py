"""The losses of MT-PKDOT with every choice open; a method file fixes the choices."""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._selection import select, shares
from mtpkd_cli.methods._soft_labels import mixed_soft_labels
from mtpkd_cli.methods._structure import structure_terms
from mtpkd_cli.models.losses import Term, task_loss


def multi_teacher_terms(
    lesson: Lesson,
    *,
    selection: str,
    outputs: str,
    structure: str,
    anchors: str,
    anchors_k: int,
    epsilon: float,
    task_weight: float,
    transport_weight: float,
    centroid_weight: float,
    soft_label_weight: float,
    temperature: float,
    tolerance: float = 1e-3,
) -> dict[str, Term]:
    """Task loss, structure and soft labels of the selected teachers, and (weight 0) how often each was selected.

    Terms whose weight is 0 are not computed; with selection = "joint" nobody is selected, and no share is logged.
    Options as in `select`, `structure_terms` and `mixed_soft_labels`.
    """
    weights = select(lesson.bank, lesson.labels, selection=selection, outputs=outputs)
    task = Term(task_loss(lesson.student.logits, lesson.labels), task_weight)
    terms = {"task": task} | ({} if selection == "joint" else shares(lesson.bank, weights))
    if transport_weight or centroid_weight:
        terms |= structure_terms(
            lesson,
            weights,
            structure=structure,
            anchors=anchors,
            anchors_k=anchors_k,
            epsilon=epsilon,
            transport_weight=transport_weight,
            centroid_weight=centroid_weight,
            tolerance=tolerance,
        )
    if soft_label_weight:
        soft = mixed_soft_labels(
            lesson.bank,
            lesson.student.logits,
            lesson.labels,
            weights,
            outputs=outputs,
            temperature=temperature,
            mixture=lesson.bank.mixture() if selection == "skill" else None,
        )
        terms["soft_labels"] = Term(soft, soft_label_weight)
    return terms
