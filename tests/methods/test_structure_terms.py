"""pkdot and mt-pkdot against an independent restatement: NumPy for similarities, POT for the transport."""

from typing import Any

import numpy as np
import ot as pot
import pytest
import torch

from mtpkd_cli.errors import StudyError
from mtpkd_cli.methods import Lesson, TeacherBank, mt_pkdot, pkdot
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import Term

B, D, K, C, ANCHORS, SEED = 9, 5, 3, 2, 4, 5
RELEASED = {
    "selection": "batch",
    "outputs": "train",
    "structure": "clouds",
    "anchors": "least",
    "anchors_k": ANCHORS,
    "epsilon": 0.01,
    "task_weight": 0.8,
    "centroid_weight": 0.2,
    "soft_label_weight": 0.0,
}


def make_lesson(best: int = 2, *, blind: tuple[int, ...] = ()) -> Lesson:
    """A lesson in which teacher `best` has the least loss by its train outputs, and the next one by cross-fitted ones.

    The joint teacher, last, could not see the samples `blind`; the teacher before it could not see any.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(C, (B,), generator=generator)
    present = torch.ones(K, B, dtype=torch.bool)
    present[-1, list(blind)] = False
    embeddings = torch.randn(K, B, D, generator=generator, dtype=torch.float64)
    logits, crossfit = (torch.randn(K, B, C, generator=generator, dtype=torch.float64) for _ in range(2))
    logits[best, range(B), labels] += 9.0
    crossfit[(best + 1) % K, range(B), labels] += 9.0
    bank = TeacherBank(["face", "heart", "joint"], embeddings, logits, crossfit, present)
    student = [torch.randn(B, size, generator=generator, dtype=torch.float64).requires_grad_() for size in (D, C)]
    return Lesson(labels, Output(*student, torch.ones(B, 1)), bank, torch.Generator().manual_seed(SEED))


def cosines(h: np.ndarray) -> np.ndarray:
    unit = h / np.sqrt((h**2).sum(1, keepdims=True))
    return unit @ unit.T


def transport(a: np.ndarray, b: np.ndarray, cost: np.ndarray, epsilon: float) -> float:
    """min <P, C> + eps KL(P | a b^T) by POT. No cost here is so large that exp(-C / eps) vanishes."""
    plan = pot.bregman.sinkhorn_knopp(a, b, cost, epsilon, numItermax=4000, stopThr=1e-6, warn=False)
    ratio = np.where(plan > 1e-300, plan / np.outer(a, b), 1.0)
    return float((plan * cost).sum() + epsilon * (plan * np.log(ratio)).sum())


def released_transport(teacher: np.ndarray, student: np.ndarray) -> float:
    """Debiased transport between clouds of rows over each row's least similar columns, self excluded."""
    columns = [sorted((c for c in range(len(row)) if c != i), key=row.__getitem__) for i, row in enumerate(teacher)]
    shifted = (teacher - teacher.min(), student - student.min())
    x, y = (np.array([row[c[:ANCHORS]] for row, c in zip(s, columns, strict=True)]) for s in shifted)
    u = np.full(len(x), 1 / len(x))

    def value(p: np.ndarray, q: np.ndarray) -> float:
        return transport(u, u, 0.5 * ((p[:, None] - q[None]) ** 2).sum(-1), 0.01)

    return value(x, y) - 0.5 * value(x, x) - 0.5 * value(y, y)


def row_wise_transport(
    teacher: np.ndarray, student: np.ndarray, anchors: list[int], epsilon: float, only: int | None = None
) -> float:
    """Mean over rows (or one row) of debiased transport between softmax(S / 0.1) over anchors, cost 1 - S^T."""
    rows = slice(None) if only is None else [only]
    weights = [np.exp(s[rows][:, anchors] / 0.1) for s in (teacher, student)]
    weights = [w / w.sum(1, keepdims=True) for w in weights]
    cost = np.maximum(1 - teacher[np.ix_(anchors, anchors)], 0)
    return float(
        np.mean(
            [
                transport(p, q, cost, epsilon)
                - 0.5 * transport(p, p, cost, epsilon)
                - 0.5 * transport(q, q, cost, epsilon)
                for p, q in zip(*weights, strict=True)
            ]
        )
    )


def cross_entropy(lesson: Lesson) -> float:
    logits = lesson.student.logits.detach().numpy()
    return float(np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(B), lesson.labels.numpy()]))


def similarities(lesson: Lesson, teacher: int, rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Cosine matrices of one teacher and of the student among some samples."""
    student = lesson.student.embedding.detach().numpy()
    return cosines(lesson.bank.embeddings[teacher].numpy()[rows]), cosines(student[rows])


def loss(terms: dict[str, Term]) -> float:
    return sum(term.weight * term.value.item() for term in terms.values())


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_released_form_against_pot(best: int) -> None:
    lesson = make_lesson(best)
    teacher, student = similarities(lesson, best, list(range(B)))
    terms = mt_pkdot.terms(lesson, **RELEASED)
    centroid = np.linalg.norm(teacher.mean(0) - student.mean(0))
    expected = {
        "task": cross_entropy(lesson),
        "transport": released_transport(teacher, student),
        "centroid": centroid,
    } | {f"share_{name}": float(t == best) for t, name in enumerate(lesson.bank.names)}
    assert {name: term.value.item() for name, term in terms.items()} == pytest.approx(expected, abs=1e-4)
    total = 0.8 * expected["task"] + 0.2 * expected["transport"] + 0.2 * centroid
    assert loss(terms) == pytest.approx(total, abs=1e-4)


def test_identity_keeping_rows_against_pot() -> None:
    lesson = make_lesson(0)
    # Cross-fitted outputs choose the teacher after the over-fitted one.
    teacher, student = similarities(lesson, 1, list(range(B)))
    anchors = torch.randperm(B, generator=torch.Generator().manual_seed(SEED))[:ANCHORS].tolist()
    terms = mt_pkdot.terms(lesson, selection="batch", anchors_k=ANCHORS)
    expected = row_wise_transport(teacher, student, anchors, 0.1)
    assert terms["transport"].value.item() == pytest.approx(expected, abs=1e-4)
    assert terms["share_heart"].value.item() == 1


def test_pkdot_listens_to_the_joint_teacher_alone_and_weighs_its_transport_by_three_fifths() -> None:
    lesson = make_lesson(0)
    teacher, student = similarities(lesson, 2, list(range(B)))
    anchors = torch.randperm(B, generator=torch.Generator().manual_seed(SEED))[:ANCHORS].tolist()
    terms = pkdot.terms(lesson, anchors_k=ANCHORS)
    expected = row_wise_transport(teacher, student, anchors, 0.1)
    assert list(terms) == ["task", "transport"]
    assert terms["transport"].value.item() == pytest.approx(expected, abs=1e-4)
    assert loss(terms) == pytest.approx(cross_entropy(lesson) + 0.6 * expected, abs=1e-4)


def test_samples_that_the_joint_teacher_did_not_see_are_left_out_of_the_structure() -> None:
    lesson = make_lesson(0, blind=(1, 7))
    teacher, student = similarities(lesson, 2, [i for i in range(B) if i not in (1, 7)])
    terms = pkdot.terms(lesson, structure="clouds", anchors="least", anchors_k=ANCHORS, epsilon=0.01)
    assert terms["transport"].value.item() == pytest.approx(released_transport(teacher, student), abs=1e-4)
    loss_of_all = cross_entropy(lesson)
    assert terms["task"].value.item() == pytest.approx(loss_of_all)


def test_each_sample_may_have_a_teacher_of_its_own() -> None:
    lesson = make_lesson(2, blind=(1, 7))
    rows = lesson.bank.embeddings[2].clone()
    fallback = lesson.bank.logits[:2]
    losses = torch.stack([torch.nn.functional.cross_entropy(x, lesson.labels) for x in fallback])
    rows[[1, 7]] = lesson.bank.embeddings[int(losses.argmin())][[1, 7]]
    terms = mt_pkdot.terms(lesson, **RELEASED)
    student = cosines(lesson.student.embedding.detach().numpy())
    assert terms["transport"].value.item() == pytest.approx(
        released_transport(cosines(rows.numpy()), student), abs=1e-4
    )


def test_the_released_gradient_points_where_the_restatement_falls() -> None:
    lesson = make_lesson()
    mt_pkdot.terms(lesson, **RELEASED)["transport"].value.backward()
    gradient = lesson.student.embedding.grad
    assert gradient is not None
    direction = torch.randn(B, D, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    teacher, _ = similarities(lesson, 2, list(range(B)))
    h, step = lesson.student.embedding.detach(), 1e-4
    up, down = (released_transport(teacher, cosines((h + s * direction).numpy())) for s in (step, -step))
    assert (gradient * direction).sum().item() == pytest.approx((up - down) / (2 * step), rel=0.02)


@pytest.mark.parametrize("structure", ["rows", "clouds"])
def test_a_student_like_its_teacher_has_no_structure_to_learn(structure: str) -> None:
    lesson = make_lesson()
    like = lesson.student._replace(embedding=3 * lesson.bank.embeddings[2])
    lesson = Lesson(lesson.labels, like, lesson.bank, lesson.generator)
    options: dict[str, Any] = {"selection": "batch", "outputs": "train", "centroid_weight": 0.2}
    terms = mt_pkdot.terms(lesson, structure=structure, anchors_k=ANCHORS, **options)
    assert terms["transport"].value.item() == pytest.approx(0, abs=1e-5)
    assert terms["centroid"].value.item() == pytest.approx(0, abs=1e-9)


def test_rows_see_which_sample_is_which() -> None:
    lesson = make_lesson()
    order = torch.randperm(B, generator=torch.Generator().manual_seed(1))
    shuffled = lesson.student._replace(embedding=lesson.bank.embeddings[2][order])
    lesson = Lesson(lesson.labels, shuffled, lesson.bank, lesson.generator)
    options: dict[str, Any] = {"selection": "batch", "outputs": "train", "anchors_k": ANCHORS}
    assert mt_pkdot.terms(lesson, structure="rows", **options)["transport"].value.item() > 1e-2


def test_fused_gromov_wasserstein_is_that_of_pot_among_the_samples_that_were_seen() -> None:
    lesson = make_lesson(0, blind=(1, 7))
    teacher, student = similarities(lesson, 2, [i for i in range(B) if i not in (1, 7)])
    terms = pkdot.terms(lesson, structure="fgw")
    of_teacher, of_student = 1 - teacher, 1 - student
    expected = pot.gromov.fused_gromov_wasserstein2(
        of_teacher, of_teacher, of_student, alpha=0.5, G0=np.eye(len(teacher)) / len(teacher)
    )
    assert terms["transport"].value.item() == pytest.approx(float(expected), rel=1e-4)
    assert terms["transport"].weight == 0.6
    terms["transport"].value.backward()
    assert lesson.student.embedding.grad is not None
    assert (lesson.student.embedding.grad.abs().sum(1) > 0).tolist() == [i not in (1, 7) for i in range(B)]
    # It takes no anchors, so it does not refuse their number either.
    assert mt_pkdot.terms(make_lesson(), structure="fgw", anchors_k=B)["transport"].value.item() > 0


@pytest.mark.parametrize("kind", ["least", "most"])
def test_rows_may_have_anchors_of_their_own(kind: str) -> None:
    lesson = make_lesson()
    teacher, student = similarities(lesson, 2, list(range(B)))
    value = pkdot.terms(lesson, structure="rows", anchors=kind, anchors_k=ANCHORS)["transport"].value.item()
    rows = []
    for i in range(B):
        order = np.argsort(teacher[i] if kind == "least" else -teacher[i])
        columns = [i, *[j for j in order if j != i][:ANCHORS]]
        pair = [s[np.ix_(columns, columns)] for s in (teacher, student)]
        rows.append(row_wise_transport(*pair, list(range(1, ANCHORS + 1)), 0.1, only=0))
    assert value == pytest.approx(np.mean(rows), abs=1e-4)


@pytest.mark.parametrize("terms", [mt_pkdot.terms, pkdot.terms])
def test_as_many_anchors_as_samples_are_refused(terms: Any) -> None:
    with pytest.raises(StudyError, match=f"{B} anchors cannot be chosen in a batch of {B} samples") as caught:
        terms(make_lesson(), anchors_k=B)
    assert "lower distill.anchors_k" in str(caught.value)
