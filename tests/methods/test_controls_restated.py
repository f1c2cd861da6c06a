"""The terms of each control, bit for bit, by its formula written out: the same draws, values and names."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.methods._multi_teacher import multi_teacher_terms
from mtpkd_cli.methods._selection import joint_only
from mtpkd_cli.methods._structure import structure_terms
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import Term, task_loss

B, D, K, C = 23, 5, 3, 4
WITHOUT = (1, 6, 11, 22)
"""Samples without a label."""
STRUCTURE: dict[str, Any] = {"structure": "rows", "anchors": "shared", "anchors_k": 16, "epsilon": 0.1}
MT_PKDOT: dict[str, Any] = STRUCTURE | {
    "selection": "skill",
    "outputs": "crossfit",
    "task_weight": 0.5,
    "transport_weight": 0.2,
    "centroid_weight": 0.0,
    "soft_label_weight": 0.5,
    "temperature": 1.0,
}
every_task = pytest.mark.parametrize("task", ["classification", "regression"])
every_change = pytest.mark.parametrize("changed", [{}, {"centroid_weight": 0.3, "structure": "clouds"}])


def make_lesson(task: str) -> Lesson:
    generator = torch.Generator().manual_seed(7)
    present = torch.ones(K, B, dtype=torch.bool)
    present[0, ::5], present[:, 4] = False, False
    columns = [torch.randn(K, B, size, generator=generator) for size in (D, C, C)]
    bank = TeacherBank(["face", "heart", "joint"], *columns, present, ("prevalent", "privileged", "both"))
    student = Output(torch.randn(B, D, generator=generator), torch.randn(B, C, generator=generator), torch.ones(B, 1))
    labels = torch.arange(B) % C if task == "classification" else torch.randn(B, C, generator=generator)
    labels[[*WITHOUT]] = -1 if task == "classification" else torch.nan
    return Lesson(labels, student, bank, generator)


def drawn(lesson: Lesson) -> Lesson:
    """The lesson with its generator at a known start."""
    lesson.generator.manual_seed(1)
    return lesson


def values(terms: dict[str, Term]) -> dict[str, tuple[float, float]]:
    return {name: (term.value.item(), term.weight) for name, term in terms.items()}


def permuted(lesson: Lesson) -> Lesson:
    """Teachers' rows and labels of another sample each: the next one in a random cycle."""
    kinds = [[i for i in range(B) if i not in WITHOUT], [i for i in range(B) if i in WITHOUT]]
    other = [0] * B
    for kind in kinds:
        cycle = [kind[i] for i in torch.randperm(len(kind), generator=lesson.generator).tolist()]
        for place, sample in enumerate(cycle):
            other[sample] = cycle[place - 1]
    rows = torch.tensor(other)
    return replace(lesson, bank=lesson.bank.rows(rows), labels=lesson.labels[rows])


def lone_teacher_terms(lesson: Lesson, embeddings: torch.Tensor, present: torch.Tensor, **options: Any) -> Any:
    """Task and structure of one teacher, with mt-pkdot's weights."""
    silent = torch.zeros(1, B, C)
    bank = TeacherBank(["lone"], embeddings[None], silent, silent, present[None])
    options = STRUCTURE | {"transport_weight": 0.2, "centroid_weight": 0.0} | options
    structure = structure_terms(replace(lesson, bank=bank), joint_only(bank), **options)
    return {"task": Term(task_loss(lesson.student.logits, lesson.labels), 0.5)} | structure


@every_task
@every_change
def test_placebo_is_mt_pkdot_of_permuted_rows_with_the_task_of_the_lesson(task: str, changed: dict[str, Any]) -> None:
    lesson = make_lesson(task)
    expected = multi_teacher_terms(permuted(drawn(lesson)), **MT_PKDOT | changed)
    expected["task"] = Term(task_loss(lesson.student.logits, lesson.labels), 0.5)
    terms = load_method("placebo").terms(drawn(lesson), **changed)
    assert values(terms) == values(expected)


@every_task
@pytest.mark.parametrize("method", ["kd", "pkdot", "mt-pkdot-released"])
def test_the_placebo_of_another_method_is_that_method_of_permuted_rows(task: str, method: str) -> None:
    lesson = make_lesson(task)
    options = {"anchors_k": 5} if method == "mt-pkdot-released" else {}
    expected = load_method(method).terms(permuted(drawn(lesson)), **options)
    expected["task"] = Term(task_loss(lesson.student.logits, lesson.labels), expected["task"].weight)
    terms = load_method(f"{method}-placebo").terms(drawn(lesson), **options)
    assert values(terms) == values(expected)


@every_task
@every_change
def test_self_is_mt_pkdot_of_the_prevalent_teachers(task: str, changed: dict[str, Any]) -> None:
    lesson = make_lesson(task)
    bank = lesson.bank
    face = TeacherBank(["face"], bank.embeddings[:1], bank.logits[:1], bank.crossfit_logits[:1], bank.present[:1])
    expected = multi_teacher_terms(replace(drawn(lesson), bank=face), **MT_PKDOT | changed)
    assert values(load_method("self").terms(drawn(lesson), **changed)) == values(expected)


@every_change
def test_label_structure_is_the_structure_of_one_teacher_who_is_the_labels(changed: dict[str, Any]) -> None:
    lesson = make_lesson("classification")
    one_hot = torch.eye(C)[lesson.labels]
    labelled = torch.tensor([i not in WITHOUT for i in range(B)])
    expected = lone_teacher_terms(drawn(lesson), one_hot, labelled, **changed)
    assert values(load_method("label-structure").terms(drawn(lesson), **changed)) == values(expected)


@every_task
@every_change
def test_a_random_teacher_is_the_structure_of_rows_drawn_before_the_anchors(task: str, changed: dict[str, Any]) -> None:
    lesson = drawn(make_lesson(task))
    rows = torch.randn(B, D, generator=lesson.generator)
    expected = lone_teacher_terms(lesson, rows, lesson.bank.present.any(0), **changed)
    assert values(load_method("random-teacher").terms(drawn(lesson), **changed)) == values(expected)
