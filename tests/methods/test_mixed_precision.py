"""Every method under autocast: finite terms and gradients; transport is a float32 island, whatever it is fed."""

import pytest
import torch
from torch import nn

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import Term

B, D, K, C = 37, 5, 3, 2
# A random teacher is drawn in the student's precision, so it is another one.
STRUCTURED = [n for n in METHODS.names() if "structure" in METHODS.options(n) and n != "random-teacher"]


def lesson_of(student: Output, dtype: torch.dtype = torch.float32) -> Lesson:
    generator = torch.Generator().manual_seed(0)
    columns = [torch.randn(K, B, size, generator=generator).to(dtype) for size in (D, C, C)]
    present = torch.ones(K, B, dtype=torch.bool)
    bank = TeacherBank(["voice", "face", "joint"], *columns, present, ("privileged", "prevalent", "both"))
    return Lesson(torch.randint(C, (B,), generator=generator), student, bank, generator)


def half_student() -> tuple[Output, nn.Linear]:
    """A student as autocast makes it: bfloat16 out of float32 weights."""
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(4, D + C, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(D + C, 4, generator=generator))
    embedding, logits = layer(torch.randn(B, 4, generator=generator)).split([D, C], dim=1)
    return Output(embedding, logits, torch.ones(B, 1)), layer


@pytest.mark.parametrize("name", [name for name in METHODS.names() if not METHODS.constant(name, "IMPUTE")])
def test_terms_and_gradients_are_finite_under_autocast(name: str) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        student, layer = half_student()
        assert student.logits.dtype == torch.bfloat16
        terms: dict[str, Term] = load_method(name).terms(lesson_of(student))
        total = torch.stack([term.weight * term.value.float() for term in terms.values()]).sum()
    total.backward()
    assert total.isfinite()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()
    assert layer.weight.grad.abs().max() > 0


@pytest.mark.parametrize("structure", ["rows", "clouds", "fgw"])
@pytest.mark.parametrize("name", STRUCTURED)
def test_transport_under_autocast_is_that_of_float32(name: str, structure: str) -> None:
    method = load_method(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        student, _ = half_student()
        value = method.terms(lesson_of(student), structure=structure)["transport"].value
    # What is rounded is the student; from there on nothing may be.
    exact = Output(student.embedding.float(), student.logits.float(), student.gates)
    expected = method.terms(lesson_of(exact), structure=structure)["transport"].value
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
