"""Each baseline's term against a plain restatement of its formula in numpy, sample by sample, and its zero."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from mtpkd_cli.methods import Lesson, TeacherBank
from mtpkd_cli.models import Output
from mtpkd_cli.registry import METHODS

B, D, K, C, BLIND = 9, 5, 3, 4, (2, 7)
SEES = ("prevalent", "privileged", "both")


def make_lesson(*, embedding: torch.Tensor | None = None, logits: torch.Tensor | None = None) -> Lesson:
    """The joint teacher could not see two of the nine samples, the others all of them."""
    generator = torch.Generator().manual_seed(4)
    present = torch.ones(K, B, dtype=torch.bool)
    present[-1, list(BLIND)] = False
    columns = [torch.randn(K, B, size, generator=generator) * present[..., None] for size in (D, C, C)]
    bank = TeacherBank(["face", "heart", "joint"], *columns, present, SEES)
    own = torch.randn(B, D, generator=generator), torch.randn(B, C, generator=generator)
    embedding, logits = own[0] if embedding is None else embedding, own[1] if logits is None else logits
    return Lesson(torch.arange(B) % C, Output(embedding, logits, torch.ones(B, 1)), bank, generator)


def value(method: str, term: str, lesson: Lesson, **options: Any) -> float:
    terms = METHODS.load(method).terms(lesson, **options)
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
    found = []
    for j in range(len(h)):
        for i, k in combinations([x for x in range(len(h)) if x != j], 2):
            one, other = h[i] - h[j], h[k] - h[j]
            found.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    return np.array(found)


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
        -0.5
        * np.mean([np.diag(log_softmax(x, 1)) for x in (unit(s) @ unit(t).T / 0.07, unit(t) @ unit(s).T / 0.07)])
        * 2
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


def test_mt_kd_teaches_the_mean_probabilities_of_those_who_saw_the_sample() -> None:
    lesson = make_lesson()
    z = lesson.bank.crossfit_logits.numpy()
    mixed = [np.mean([softmax(z[k, i] / 3) for k in range(K) if lesson.bank.present[k, i]], 0) for i in range(B)]
    expected = 9 * np.mean(entropy(np.array(mixed), softmax(lesson.student.logits.numpy() / 3, 1), axis=1))
    assert value("mt-kd", "soft_labels", lesson, temperature=3.0) == pytest.approx(expected, rel=1e-4)


def test_generalised_distillation_hears_the_privileged_teacher_alone_and_softens_its_side_alone() -> None:
    lesson = make_lesson()
    said = softmax(lesson.bank.crossfit_logits[1].numpy() / 2, 1)
    expected = np.mean(entropy(said, softmax(lesson.student.logits.numpy(), 1), axis=1))
    assert value("generalised-distillation", "imitation", lesson) == pytest.approx(expected, rel=1e-4)


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
    assert METHODS.load("tnet-only").TNET != METHODS.load("student-only").TNET
    assert value("tnet-only", "task", lesson) == value("student-only", "task", lesson)
