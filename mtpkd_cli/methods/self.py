"""Control: mt-pkdot with those teachers only that see what the student sees.

L = mt-pkdot's, the bank holding the teachers of prevalent modalities alone: the prevalent teacher and, where several
modalities are prevalent, that of each. A gain that it has too is self-distillation, not privileged knowledge. The T-Net
is fitted, as in mt-pkdot (tnet-only shows what that part is worth), and the teacher's embedding is the aligned one,
whose adapter was led towards the joint teacher's: what is controlled is which teachers are in the loss.

Source: self-distillation as of Furlanello et al., "Born-Again Neural Networks", ICML 2018, arXiv 1805.04770, with
mt-pkdot's losses; the control is this project's.
"""

from dataclasses import replace

from mtpkd_cli.methods import Lesson

CONTROL_OF = "mt-pkdot"


def changed(lesson: Lesson) -> Lesson:
    """The bank holds the teachers that see no privileged modality."""
    return replace(lesson, bank=lesson.bank.seeing("prevalent"))
