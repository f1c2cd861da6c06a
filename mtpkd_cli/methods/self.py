"""Control: mt-pkdot with those teachers only that see what the student sees.

L = mt-pkdot's, the bank holding the teachers of prevalent modalities alone: the prevalent teacher and, where several
modalities are prevalent, that of each. A gain that it has too is self-distillation, not privileged knowledge. The T-Net
is fitted, as in mt-pkdot (tnet-only tells its part), and the teacher's embedding is the aligned one, whose adapter was
led towards the joint teacher's: what is controlled is who speaks in the loss.

Source: self-distillation as of Furlanello et al., "Born-Again Neural Networks", ICML 2018, arXiv 1805.04770, with
mt-pkdot's losses; the control is this project's.
"""

from dataclasses import replace

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._multi_teacher import multi_teacher_terms
from mtpkd_cli.models.losses import Term

TNET = "fitted"
CONTROL = True
GUARD = "student-only"
GRID = {
    "selection": ("soft", "mean"),
    "soft_label_weight": (0.25, 0.5, 1.0),
    "transport_weight": (0.0, 0.2, 1.0),
}


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
    """The multi-teacher terms with the teachers that see no privileged modality."""
    return multi_teacher_terms(
        replace(lesson, bank=lesson.bank.seeing("prevalent")),
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
