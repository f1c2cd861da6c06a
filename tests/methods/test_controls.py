"""The controls: each keeps all of mt-pkdot but the one thing that it is to take away."""

from dataclasses import replace

import pytest
import torch

from mtpkd_cli import ot
from mtpkd_cli.methods import (
    Lesson,
    TeacherBank,
    label_structure,
    mt_pkdot,
    placebo,
    random_teacher,
)
from mtpkd_cli.methods import self as self_control
from mtpkd_cli.models import Output
from mtpkd_cli.registry import METHODS

B, D, K, C = 19, 5, 3, 3
CONTROLS = ("placebo", "self", "label-structure", "random-teacher")


def make_lesson(seed: int = 0) -> Lesson:
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randn(K, B, size, generator=generator) for size in (D, C, C)]
    bank = TeacherBank(
        ["face", "heart", "joint"], *columns, torch.ones(K, B, dtype=torch.bool), ("prevalent", "privileged", "both")
    )
    embedding = torch.randn(B, D, generator=generator).requires_grad_()
    logits = torch.randn(B, C, generator=generator).requires_grad_()
    return Lesson(torch.arange(B) % C, Output(embedding, logits, torch.ones(B, 1)), bank, generator)


@pytest.mark.parametrize("name", CONTROLS)
def test_its_options_have_the_defaults_of_mt_pkdot(name: str) -> None:
    ours, theirs = METHODS.keywords(name, "terms"), METHODS.keywords("mt-pkdot", "terms")
    assert ours == {key: theirs[key] for key in ours}
    assert METHODS.constant(name, "GUARD") == METHODS.constant("mt-pkdot", "GUARD") == "student-only"


@pytest.mark.parametrize("name", CONTROLS)
def test_the_task_keeps_its_own_labels_and_weight(name: str) -> None:
    lesson = make_lesson()
    expected = torch.nn.functional.cross_entropy(lesson.student.logits, lesson.labels)
    term = METHODS.load(name).terms(lesson, task_weight=0.7)["task"]
    torch.testing.assert_close(term.value, expected)
    assert term.weight == 0.7


def test_the_placebo_of_a_perfect_student_is_not_zero_though_mt_pkdot_is() -> None:
    lesson = make_lesson()
    options = {"anchors": "most", "selection": "sample"}
    chosen = lesson.bank.crossfit_logits
    loss = -torch.log_softmax(chosen, -1).gather(-1, lesson.labels.expand(K, B)[..., None])[..., 0]
    taught = lesson.bank.embeddings[loss.argmin(0), torch.arange(B)]
    lesson = replace(lesson, student=lesson.student._replace(embedding=taught.clone().requires_grad_()))
    assert mt_pkdot.terms(lesson, **options)["transport"].value.item() == pytest.approx(0.0, abs=1e-6)
    assert placebo.terms(lesson, **options)["transport"].value.item() > 0.01


def test_the_placebo_selects_as_mt_pkdot_does() -> None:
    for selection in ("batch", "sample", "soft", "mean"):
        terms = [method.terms(make_lesson(), selection=selection) for method in (placebo, mt_pkdot)]
        shares = [{name: term.value.item() for name, term in one.items() if "share" in name} for one in terms]
        assert shares[0] == pytest.approx(shares[1])


def test_self_listens_to_the_prevalent_teacher_alone() -> None:
    lesson = make_lesson()
    others = lesson.bank.embeddings.clone()
    others[1:] = 7.0 * torch.randn(K - 1, B, D, generator=torch.Generator().manual_seed(9))
    changed = replace(lesson, bank=replace(lesson.bank, embeddings=others))
    values = []
    for one in (lesson, changed):
        one.generator.manual_seed(1)
        values.append(self_control.terms(one)["transport"].value.item())
    assert values[0] == values[1]


def test_self_refuses_a_bank_that_does_not_say_what_teachers_see() -> None:
    lesson = make_lesson()
    with pytest.raises(ValueError, match="what its teachers see"):
        self_control.terms(replace(lesson, bank=replace(lesson.bank, sees=())))


@pytest.mark.parametrize("control", [label_structure, random_teacher])
def test_a_control_without_teachers_does_not_read_the_bank(control: object) -> None:
    lesson = make_lesson()
    spoilt = replace(lesson.bank, embeddings=torch.full((K, B, D), torch.nan), logits=torch.full((K, B, C), torch.nan))
    values = []
    for one in (lesson, replace(lesson, bank=spoilt)):
        one.generator.manual_seed(1)
        values.append(control.terms(one)["transport"].value.item())  # type: ignore[attr-defined]
    assert values[0] == values[1]


def test_label_structure_is_zero_for_a_student_that_puts_each_class_in_one_place() -> None:
    lesson = make_lesson()
    sorted_out = torch.nn.functional.one_hot(lesson.labels, D).float().requires_grad_()
    lesson = replace(lesson, student=lesson.student._replace(embedding=sorted_out))
    terms = label_structure.terms(lesson)
    assert terms["transport"].value.item() == pytest.approx(0.0, abs=1e-5)
    assert terms["centroid"].value.item() == pytest.approx(0.0, abs=1e-6)


def test_label_structure_of_targets_is_a_quarter_circle() -> None:
    lesson = replace(make_lesson(), labels=torch.linspace(-1, 1, B)[:, None].repeat(1, C))
    angles = torch.pi / 2 * torch.linspace(0, 1, B)
    student = torch.stack([angles.cos(), angles.sin()], 1).requires_grad_()
    torch.testing.assert_close(ot.cosine_similarities(student)[0, -1].item(), 0.0, atol=1e-6, rtol=0)
    terms = label_structure.terms(replace(lesson, student=lesson.student._replace(embedding=student)))
    assert terms["transport"].value.item() == pytest.approx(0.0, abs=1e-5)
