"""Control: mt-pkdot with each sample taught what was meant for another one of its batch.

L = mt-pkdot's, with the teachers' rows permuted over the samples of the batch, all teachers alike; the task keeps its
own labels. The permutation is drawn anew for each batch, as one cycle, so that no sample keeps its own row. Teachers
are selected before it, on the labels of the sample that a row belongs to: who speaks, the rows that are spoken, and
their structure among themselves are those of mt-pkdot, and the pairing alone is lost. A gain that the placebo has too
is not knowledge of the samples.

Source: a permutation control; this project's.
"""

from mtpkd_cli.methods import Lesson
from mtpkd_cli.methods._multi_teacher import multi_teacher_terms
from mtpkd_cli.methods._placebo_of import taught_of_others
from mtpkd_cli.models.losses import Term

TNET = "fitted"
CONTROL = True
PLACEBO_OF = "mt-pkdot"
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
    """The multi-teacher terms of a lesson whose teachers speak of other samples."""
    return taught_of_others(
        multi_teacher_terms,
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
