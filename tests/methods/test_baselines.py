"""Each baseline's term against a plain restatement of its formula in numpy, sample by sample, and its zero."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.models import Output

B, D, K, C, BLIND = 9, 5, 3, 4, (2, 7)
SEES = ("prevalent", "privileged", "both")


def make_lesson(
    *,
    embedding: torch.Tensor | None = None,
    logits: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
    seen: list[int] | None = None,
) -> Lesson:
    """The joint teacher could not see two of the nine samples (or all but `seen`), the others all of them."""
    generator = torch.Generator().manual_seed(4)
    present = torch.ones(K, B, dtype=torch.bool)
    present[-1] = torch.tensor([i not in BLIND if seen is None else i in seen for i in range(B)])
    columns = [torch.randn(K, B, size, generator=generator) * present[..., None] for size in (D, C, C)]
    bank = TeacherBank(["face", "heart", "joint"], *columns, present, SEES)
    drawn = torch.randn(B, D, generator=generator), torch.randn(B, C, generator=generator)
    embedding, logits = drawn[0] if embedding is None else embedding, drawn[1] if logits is None else logits
    labels = torch.arange(B) % C if labels is None else labels
    return Lesson(labels, Output(embedding, logits, torch.ones(B, 1)), bank, generator)


def value(method: str, term: str, lesson: Lesson, **options: Any) -> float:
    terms = load_method(method).terms(lesson, **options)
    return float(terms[term].value.item())


def seen_pair(lesson: Lesson) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of the joint teacher and the student, of the samples that the teacher saw."""
    rows = [i for i in range(B) if i not in BLIND]
    return lesson.bank.embeddings[-1].numpy()[rows], lesson.student.embedding.numpy()[rows]


def unit(h: np.ndarray) -> np.ndarray:
    return h / np.linalg.norm(h, axis=1, keepdims=True)


def huber(x: float) -> float:
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def relative_distances(h: np.ndarray) -> np.ndarray:
    distances = np.array([np.linalg.norm(h[i] - h[j]) for i, j in combinations(range(len(h)), 2)])
    return distances / distances.mean()


def angles(h: np.ndarray) -> np.ndarray:
    cosines = []
    for j in range(len(h)):
        for i, k in combinations([x for x in range(len(h)) if x != j], 2):
            one, other = h[i] - h[j], h[k] - h[j]
            cosines.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    return np.array(cosines)


def neighbours(h: np.ndarray) -> np.ndarray:
    kernel = 1 + unit(h) @ unit(h).T
    np.fill_diagonal(kernel, 0)
    return kernel / kernel.sum(1, keepdims=True)


EXPECTED = {
    ("sp", "similarity"): lambda t, s: np.mean((unit(s @ s.T) - unit(t @ t.T)) ** 2),
    ("sm", "similarity"): lambda t, s: np.mean((unit(s) @ unit(s).T - unit(t) @ unit(t).T) ** 2),
    ("cosine", "cosine"): lambda t, s: np.mean(1 - (unit(t) * unit(s)).sum(1)),
    ("fitnet", "hint"): lambda t, s: np.mean([2 - 2 * np.corrcoef(a, b)[0, 1] for a, b in zip(t, s, strict=True)]),
    ("rkd", "distance"): lambda t, s: np.mean([huber(x) for x in relative_distances(s) - relative_distances(t)]),
    ("rkd", "angle"): lambda t, s: np.mean([huber(x) for x in angles(s) - angles(t)]),
    ("pkt", "neighbours"): lambda t, s: np.mean(entropy(neighbours(t), neighbours(s), axis=1)),
    ("crd", "contrast"): lambda t, s: (
        -np.mean([np.diag(log_softmax(x @ y.T / 0.07, 1)) for x, y in ((unit(s), unit(t)), (unit(t), unit(s)))])
    ),
}


@pytest.mark.parametrize(("method", "term"), EXPECTED)
def test_a_term_between_embeddings_is_its_formula(method: str, term: str) -> None:
    lesson = make_lesson()
    assert value(method, term, lesson) == pytest.approx(EXPECTED[method, term](*seen_pair(lesson)), rel=1e-4)


@pytest.mark.parametrize(("method", "term"), [key for key in EXPECTED if key[0] != "crd"])
def test_a_term_between_embeddings_is_zero_for_a_copy_of_the_teacher(method: str, term: str) -> None:
    copy = make_lesson().bank.embeddings[-1] * 2.5  # none of them looks at lengths
    assert value(method, term, make_lesson(embedding=copy)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("method", "term"), EXPECTED)
def test_a_term_between_embeddings_sees_which_sample_is_which(method: str, term: str) -> None:
    lesson = make_lesson()
    copy = lesson.bank.embeddings[-1].clone()
    whole, rows = value(method, term, make_lesson(embedding=copy)), [i for i in range(B) if i not in BLIND]
    copy[rows] = copy[rows[1:] + rows[:1]]
    assert value(method, term, make_lesson(embedding=copy)) > whole + 1e-3


@pytest.mark.parametrize(("method", "term"), [("rkd", "distance"), ("rkd", "angle"), ("sm", "similarity")])
def test_a_structure_is_that_of_its_mirror_image(method: str, term: str) -> None:
    turned, _ = torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(6)))
    copy = make_lesson().bank.embeddings[-1] @ turned + (method == "rkd") * torch.arange(D)
    assert value(method, term, make_lesson(embedding=copy)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("method", "term"), EXPECTED)
def test_the_gradient_of_a_term_is_its_slope(method: str, term: str) -> None:
    lesson = make_lesson()
    bank = replace(lesson.bank, embeddings=lesson.bank.embeddings.double())

    def of(embedding: torch.Tensor) -> torch.Tensor:
        student = lesson.student._replace(embedding=embedding)
        loss = load_method(method).terms(replace(lesson, bank=bank, student=student))[term].value
        assert isinstance(loss, torch.Tensor)
        return loss

    assert torch.autograd.gradcheck(of, lesson.student.embedding.double().requires_grad_())


@pytest.mark.parametrize(("method", "term"), EXPECTED)
def test_a_student_that_says_the_same_of_all_samples_has_a_finite_gradient(method: str, term: str) -> None:
    same = torch.ones(B, D).requires_grad_()
    terms = load_method(method).terms(make_lesson(embedding=same))
    terms[term].value.backward()
    assert terms[term].value.isfinite()
    assert same.grad is not None
    assert same.grad.abs().max() < 1e3


@pytest.mark.parametrize(("method", "term"), EXPECTED)
@pytest.mark.parametrize("seen", [[], [3], [3, 5], [1, 3, 5]])
def test_a_term_needs_as_many_samples_as_it_relates(method: str, term: str, seen: list[int]) -> None:
    needed = {"cosine": 1, "hint": 1, "angle": 3, "neighbours": 3}.get(term, 2)
    received = value(method, term, make_lesson(seen=seen))
    assert (received != 0) == (len(seen) >= needed) or (term, len(seen)) == ("distance", 2)  # one distance has mean 1


def test_terms_have_the_published_weights_and_the_task_its_own() -> None:
    published = {"sp": {"similarity": 3000}, "rkd": {"distance": 25, "angle": 50}, "crd": {"contrast": 0.8}}
    published |= {"dkd": {"target": 1, "others": 8}}
    for method, weights in published.items():
        terms = load_method(method).terms(make_lesson())
        assert {name: term.weight for name, term in terms.items()} == {"task": 1.0, **weights}


def test_mt_kd_teaches_the_mean_probabilities_of_those_who_saw_the_sample() -> None:
    lesson = make_lesson()
    z = lesson.bank.crossfit_logits.numpy()
    mixed = [np.mean([softmax(z[k, i] / 3) for k in range(K) if lesson.bank.present[k, i]], 0) for i in range(B)]
    expected = 9 * np.mean(entropy(np.array(mixed), softmax(lesson.student.logits.numpy() / 3, 1), axis=1))
    assert value("mt-kd", "soft_labels", lesson, temperature=3.0) == pytest.approx(expected, rel=1e-4)


def test_generalised_distillation_hears_the_privileged_teacher_alone_and_softens_its_side_alone() -> None:
    lesson = make_lesson()
    soft_labels = softmax(lesson.bank.crossfit_logits[1].numpy() / 2, 1)
    expected = np.mean(entropy(soft_labels, softmax(lesson.student.logits.numpy(), 1), axis=1))
    assert value("generalised-distillation", "imitation", lesson) == pytest.approx(expected, rel=1e-4)


def test_generalised_distillation_takes_the_mean_of_those_privileged_teachers_that_saw_the_sample() -> None:
    lesson = make_lesson()
    lesson = replace(lesson, bank=replace(lesson.bank, sees=("prevalent", "privileged", "privileged")))
    soft = torch.softmax(lesson.bank.crossfit_logits / 2, -1)
    soft_labels = torch.where(lesson.bank.present[2][:, None], (soft[1] + soft[2]) / 2, soft[1])
    expected = np.mean(entropy(soft_labels.numpy(), softmax(lesson.student.logits.numpy(), 1), axis=1))
    assert value("generalised-distillation", "imitation", lesson) == pytest.approx(expected, rel=1e-4)
    like = replace(lesson, student=lesson.student._replace(logits=soft_labels.log()))
    assert value("generalised-distillation", "imitation", like) == pytest.approx(0, abs=1e-6)


def test_generalised_distillation_without_a_privileged_teacher_has_nobody_to_imitate() -> None:
    lesson = make_lesson()
    lesson = replace(lesson, bank=replace(lesson.bank, sees=("prevalent", "prevalent", "prevalent")))
    assert value("generalised-distillation", "imitation", lesson) == 0


@pytest.mark.parametrize(
    ("method", "term", "teachers"),
    [("dkd", "target", [2]), ("mt-kd", "soft_labels", [0, 1, 2]), ("generalised-distillation", "imitation", [1])],
)
def test_in_regression_predictions_are_compared(method: str, term: str, teachers: list[int]) -> None:
    lesson = make_lesson(labels=torch.linspace(-1, 1, B)[:, None].expand(B, C))
    targets = lesson.bank.crossfit_logits.numpy()
    differences = []
    for i in range(B):
        if there := [k for k in teachers if lesson.bank.present[k, i]]:
            differences.append((targets[there, i].mean(0) - lesson.student.logits[i].numpy()) ** 2)
    assert value(method, term, lesson) == pytest.approx(np.mean(differences), rel=1e-4)


def test_dkd_of_two_classes_is_kd() -> None:
    lesson = make_lesson(labels=torch.arange(B) % 2)
    bank = replace(lesson.bank, crossfit_logits=lesson.bank.crossfit_logits[..., :2])
    lesson = replace(lesson, bank=bank, student=lesson.student._replace(logits=lesson.student.logits[:, :2]))
    kd = value("kd", "soft_labels", lesson, temperature=4.0)
    assert value("dkd", "target", lesson) == pytest.approx(kd, rel=1e-4)
    assert value("dkd", "others", lesson) == 0


def test_dkd_parts_the_true_class_from_the_others() -> None:
    lesson = make_lesson()
    targets, others = [], []
    for i in [i for i in range(B) if i not in BLIND]:
        p, q = (softmax(z[i].numpy() / 4) for z in (lesson.bank.crossfit_logits[-1], lesson.student.logits))
        y = int(lesson.labels[i])
        targets.append(entropy([p[y], 1 - p[y]], [q[y], 1 - q[y]]))
        rest = [c for c in range(C) if c != y]
        others.append(entropy(p[rest] / p[rest].sum(), q[rest] / q[rest].sum()))
    assert value("dkd", "target", lesson) == pytest.approx(16 * np.mean(targets), rel=1e-4)
    assert value("dkd", "others", lesson) == pytest.approx(16 * np.mean(others), rel=1e-4)


def test_tnet_only_differs_from_student_only_by_its_start_alone() -> None:
    lesson = make_lesson()
    assert load_method("tnet-only").tnet != load_method("student-only").tnet
    assert value("tnet-only", "task", lesson) == value("student-only", "task", lesson)
