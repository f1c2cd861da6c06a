"""A sample of which the network sees nothing has an embedding of zeros: its slope must not decide a whole step."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import LEAST_NORM, cosine_distance, maximum_mean_discrepancy, squared_distance
from mtpkd_cli.ot import cosine_similarities, cost
from mtpkd_cli.training.alignment import DISTANCES

B, D, K, C, SHORT = 37, 5, 3, 2, 4
OF_EMBEDDINGS = [
    name
    for name in METHODS.names()
    if not METHODS.constant(name, "IMPUTE")
    and name not in ("student-only", "all-labels", "tnet-only", "kd", "mt-kd", "dkd", "generalised-distillation")
]


def lesson_with(length: float, *, teachers_too: bool) -> Lesson:
    """A lesson in which one sample's embedding has this length, and so have its teachers' where `teachers_too`."""
    generator = torch.Generator().manual_seed(0)
    embeddings, *logits = [torch.randn(K, B, size, generator=generator) for size in (D, C, C)]
    embedding = torch.randn(B, D, generator=generator)
    for rows in (embedding, *(embeddings if teachers_too else ())):
        rows[SHORT] = length * functional.normalize(rows[SHORT], dim=0)
    present, sees = torch.ones(K, B, dtype=torch.bool), ("privileged", "prevalent", "both")
    bank = TeacherBank(["a", "b", "joint"], embeddings, *logits, present, sees)
    output = Output(embedding.requires_grad_(), torch.zeros(B, C), torch.ones(B, 1))
    return Lesson(torch.randint(C, (B,), generator=generator), output, bank, generator)


def slopes_of(name: str, lesson: Lesson) -> Tensor:
    """(B,) the largest slope of each sample's embedding."""
    lesson.generator.manual_seed(1)
    terms = load_method(name).terms(lesson)
    torch.stack([term.weight * term.value for term in terms.values()]).sum().backward()
    assert lesson.student.embedding.grad is not None
    return lesson.student.embedding.grad.abs().amax(1)


@pytest.mark.parametrize("name", OF_EMBEDDINGS)
@pytest.mark.parametrize("teachers_too", [False, True])
@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-12, 1e-8, 1e-5])
def test_a_row_without_direction_pulls_about_as_hard_as_the_others(
    name: str, teachers_too: bool, length: float
) -> None:
    slopes = slopes_of(name, lesson_with(length, teachers_too=teachers_too))
    assert slopes.isfinite().all()
    others = slopes[torch.arange(B) != SHORT]
    assert slopes[SHORT] < 30 * others.max()


@pytest.mark.parametrize("name", ["cosine", "fitnet", "rkd", "sp", "crd", "sm", "pkt", "mt-pkdot-released"])
def test_slopes_are_those_of_the_values_beside_a_row_of_zeros(name: str) -> None:
    lesson = lesson_with(0.0, teachers_too=False)
    bank = replace(
        lesson.bank, **{key: getattr(lesson.bank, key).double() for key in ("embeddings", "logits", "crossfit_logits")}
    )

    def total(embedding: Tensor) -> Tensor:
        output = Output(embedding, lesson.student.logits.double(), lesson.student.gates)
        terms = load_method(name).terms(replace(lesson, student=output, bank=bank))
        return torch.stack([term.weight * term.value for term in terms.values()]).sum()

    embedding = lesson.student.embedding.detach().double()
    (slope,) = torch.autograd.grad(total(embedding.requires_grad_()), embedding)
    direction = torch.randn(B, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step = 1e-6  # keeps the row of zeros below the least length
    up, down = (total(embedding.detach() + sign * step * direction) for sign in (1, -1))
    assert ((up - down) / (2 * step)).item() == pytest.approx((slope * direction).sum().item(), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("distance", DISTANCES.values())
def test_distances_of_the_alignment_have_small_slopes_at_zero(distance: object) -> None:
    x, y = torch.randn(2, B, D, generator=torch.Generator().manual_seed(3))
    for rows in ((SHORT, 7), (SHORT,)):
        ours, theirs = x.clone(), y.clone()
        ours[list(rows)], theirs[7] = 0.0, 0.0
        ours.requires_grad_()
        distance(ours, theirs).backward()  # type: ignore[operator]
        assert ours.grad is not None
        assert ours.grad.isfinite().all()
        assert ours.grad.abs().max() < 1
    assert set(DISTANCES.values()) == {cosine_distance, squared_distance, maximum_mean_discrepancy}


def test_cosines_of_rows_that_have_a_direction_are_the_same_bits_as_before() -> None:
    x, y = (part.requires_grad_() for part in torch.randn(2, B, D, generator=torch.Generator().manual_seed(3)))
    before = (1 - functional.cosine_similarity(x, y, dim=-1)).mean()
    after = cosine_distance(x, y)
    assert torch.equal(after, before)
    for one, other in zip(torch.autograd.grad(after, (x, y)), torch.autograd.grad(before, (x, y)), strict=True):
        assert torch.equal(one, other)
    unit = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    assert torch.equal(cosine_similarities(x), unit @ unit.T)


def test_a_row_of_zeros_is_like_nothing_and_both_rooms_agree_what_that_is() -> None:
    assert LEAST_NORM == cost.LEAST_NORM
    x, y = torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[1.0, 2.0], [1.0, 0.0]])
    assert cosine_distance(x, y).item() == pytest.approx(0.5)
    assert torch.equal(cosine_similarities(x), torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
