"""The contract of every method, by listing the registry: options, terms, gradients, missing teachers."""

import inspect
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import Term

B, D, K, C = 37, 5, 3, 2
SEES = ("privileged", "prevalent", "both")
DRAWN_BY_POSITION = ("placebo", "random-teacher", "label-structure")
FITTED = [name for name in METHODS.names() if not METHODS.constant(name, "IMPUTE")]
every_method = pytest.mark.parametrize("name", FITTED)
every_task = pytest.mark.parametrize("task", ["classification", "regression"])


def make_lesson(task: str, *, partly: bool = False, seed: int = 0) -> Lesson:
    """A random lesson; where `partly`, one teacher could not see some samples and another none at all."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.ones(K, B, dtype=torch.bool)
    if partly:
        present[0], present[1, ::3] = False, False
    columns = [torch.randn(K, B, size, generator=generator) * present[..., None] for size in (D, C, C)]
    bank = TeacherBank(["voice", "face", "joint"], *columns, present, SEES)
    embedding = torch.randn(B, D, generator=generator).requires_grad_()
    logits = torch.randn(B, C, generator=generator).requires_grad_()
    labels = torch.randint(C, (B,), generator=generator) if task == "classification" else torch.randn(B, C)
    return Lesson(labels, Output(embedding, logits, torch.ones(B, 1)), bank, generator)


def total(terms: dict[str, Term]) -> Tensor:
    return torch.stack([term.weight * term.value for term in terms.values()]).sum()


def terms_of(name: str, lesson: Lesson, **options: Any) -> dict[str, Term]:
    """The method's terms, drawn from a generator at its start."""
    lesson.generator.manual_seed(1)
    terms: dict[str, Term] = load_method(name).terms(lesson, **options)
    return terms


def with_bank(lesson: Lesson, **columns: Any) -> Lesson:
    return replace(lesson, bank=replace(lesson.bank, **columns))


@pytest.mark.parametrize("name", METHODS.names())
def test_it_says_what_it_is_and_has_what_its_kind_has(name: str) -> None:
    assert len(METHODS.help(name)) > 20
    module, method = METHODS.load(name), METHODS.control_of(name)
    assert "L = " in (module.__doc__ or "")
    defined = {wanted for wanted in ("terms", "changed", "IMPUTE") if hasattr(module, wanted)}
    if METHODS.constant(name, "IMPUTE"):
        assert METHODS.constant(name, "IMPUTE") in ("zero", "mean")
        assert (defined, METHODS.options(name)) == ({"IMPUTE"}, {})
        with pytest.raises(ValueError, match="no student is fitted"):
            load_method(name)
    elif method:
        assert method in FITTED
        assert METHODS.control_of(method) is None
        assert defined == {"changed"}
    else:
        assert defined == {"terms"}


@every_method
def test_it_says_which_hallucination_it_starts_from(name: str) -> None:
    assert load_method(name).tnet == METHODS.constant(name, "TNET")
    assert load_method(name).tnet in ("fitted", "untrained")


@every_method
def test_its_options_are_keywords_with_plain_defaults(name: str) -> None:
    lesson, *options = inspect.signature(load_method(name).terms).parameters.values()
    assert lesson.name == "lesson"
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
    assert METHODS.options(name) == {option.name: option.default for option in options}
    assert all(type(option.default) in (str, int, float, bool) for option in options)


@every_method
@every_task
@pytest.mark.parametrize("partly", [False, True])
def test_its_terms_are_finite_scalars_that_include_the_task(name: str, task: str, partly: bool) -> None:
    terms = terms_of(name, make_lesson(task, partly=partly))
    assert "task" in terms
    for term in terms.values():
        assert term.value.shape == ()
        assert term.value.isfinite()
        assert term.weight >= 0
    assert sum(term.weight for term in terms.values()) > 0


@every_method
@every_task
@pytest.mark.parametrize("partly", [False, True])
def test_a_finite_gradient_reaches_the_student(name: str, task: str, partly: bool) -> None:
    lesson = make_lesson(task, partly=partly)
    terms = terms_of(name, lesson)
    total(terms).backward()
    outputs = [lesson.student.logits, *([lesson.student.embedding] if "transport" in terms else [])]
    for tensor in outputs:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        teaching = (tensor.grad != 0).any(1)
        # Every sample teaches, but where `self` hears nobody: the prevalent teacher could not see it.
        assert teaching[lesson.bank.present[1] if name == "self" else slice(None)].all()


@every_method
@every_task
def test_what_stands_in_the_row_of_an_absent_teacher_does_not_matter(name: str, task: str) -> None:
    lesson = make_lesson(task, partly=True)
    absent = ~lesson.bank.present[..., None]
    columns = {key: getattr(lesson.bank, key) for key in ("embeddings", "logits", "crossfit_logits")}
    garbage = with_bank(lesson, **{key: torch.where(absent, -1e3, column) for key, column in columns.items()})
    expected = terms_of(name, lesson)
    assert {key: term.value.item() for key, term in terms_of(name, garbage).items()} == {
        key: term.value.item() for key, term in expected.items()
    }


@every_method
@every_task
def test_samples_that_no_teacher_saw_still_learn_the_task(name: str, task: str) -> None:
    lesson = make_lesson(task)
    present = lesson.bank.present.clone()
    present[:, 4] = False
    lesson = with_bank(lesson, present=present)
    total(terms_of(name, lesson)).backward()
    assert lesson.student.logits.grad is not None
    assert lesson.student.logits.grad[4].abs().sum() > 0


@pytest.mark.gpu
@every_method
@every_task
def test_a_gpu_gives_what_the_cpu_gives(name: str, task: str) -> None:
    # Equally unlike samples, as label-structure has them, are ordered otherwise there: anchors are drawn.
    options = {"anchors": "shared"} if "anchors" in METHODS.options(name) else {}
    here = make_lesson(task, partly=True)
    student = Output(*(column.detach().cuda().requires_grad_() for column in here.student))
    there = Lesson(here.labels.cuda(), student, here.bank.to(torch.device("cuda")), here.generator)
    expected = terms_of(name, here, **options)
    terms = terms_of(name, there, **options)
    assert terms.keys() == expected.keys()
    for key, term in terms.items():
        assert term.value.device.type == "cuda"
        torch.testing.assert_close(term.value.cpu(), expected[key].value, rtol=1e-4, atol=1e-5)
    total(expected).backward()
    total(terms).backward()
    for column, other in zip(student[:2], here.student[:2], strict=True):
        assert (column.grad is None) == (other.grad is None)
        if column.grad is not None:
            torch.testing.assert_close(column.grad.cpu(), other.grad, rtol=1e-3, atol=1e-5)


@every_method
def test_the_same_generator_gives_the_same_terms_and_no_other_randomness_is_used(name: str) -> None:
    lesson, before = make_lesson("classification"), torch.get_rng_state()
    first, second = (total(terms_of(name, lesson)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", sorted({*FITTED} - {*DRAWN_BY_POSITION}))
def test_shuffling_the_batch_only_shuffles_it(name: str) -> None:
    """Anchors are drawn by position, so they are not drawn here; controls that draw rows by position are left out.

    So is label-structure, where all samples of a class are equally unlike a row and ties go by position.
    """
    lesson = make_lesson("classification")
    order = torch.randperm(B, generator=torch.Generator().manual_seed(3))
    shuffled = Lesson(
        lesson.labels[order], Output(*(x[order] for x in lesson.student)), lesson.bank.rows(order), lesson.generator
    )
    options = {"structure": "clouds", "anchors": "least"} if "anchors" in METHODS.options(name) else {}
    for one, other in zip(
        terms_of(name, lesson, **options).values(), terms_of(name, shuffled, **options).values(), strict=True
    ):
        torch.testing.assert_close(one.value, other.value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("column", ["embeddings", "logits", "crossfit_logits"])
def test_a_bank_refuses_what_a_gradient_could_reach(column: str) -> None:
    lesson = make_lesson("classification")
    with pytest.raises(ValueError, match="constants"):
        with_bank(lesson, **{column: getattr(lesson.bank, column).clone().requires_grad_()})


def test_rows_of_a_bank_are_those_that_were_asked_for() -> None:
    bank = make_lesson("classification", partly=True).bank
    rows = torch.tensor([5, 2, 2])
    taken = bank.rows(rows)
    assert taken.names == bank.names
    for key in ("embeddings", "logits", "crossfit_logits", "present"):
        assert torch.equal(getattr(taken, key), torch.stack([getattr(bank, key)[:, r] for r in (5, 2, 2)], dim=1))
