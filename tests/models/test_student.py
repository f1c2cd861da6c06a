"""The student: privileged columns do not exist for it, and no teacher travels with it."""

import pytest
import torch

from mtpkd_cli.models import ModalityBatch, Student

B, P = 7, 3


def make_student() -> Student:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Student({"face": 5}, P, outputs=3, embedding=6, heads=2, dropout=0.3).eval()


def make_batch(privileged: float | None) -> ModalityBatch:
    """Face, and heart and voice filled with a number where one is given."""
    generator = torch.Generator().manual_seed(1)
    batch = {"face": (torch.randn(B, 4, 5, generator=generator), torch.ones(B, 4, dtype=torch.bool))}
    if privileged is not None:
        batch["heart"] = torch.full((B, 3, 2), privileged), torch.ones(B, 3, dtype=torch.bool)
        batch["voice"] = torch.full((B, 1, 4), privileged), torch.ones(B, 1, dtype=torch.bool)
    return batch


@pytest.mark.parametrize("privileged", [0.0, 1.0, -1e30, float("nan")])
@torch.no_grad()
def test_whatever_privileged_columns_hold_the_answer_is_identical(privileged: float) -> None:
    student = make_student()
    for received, expected in zip(student(make_batch(privileged)), student(make_batch(None)), strict=True):
        assert torch.equal(received, expected)


def test_its_state_holds_a_trunk_of_the_prevalent_modality_and_no_teacher() -> None:
    state = make_student().state_dict()
    assert {key.split(".")[0] for key in state} == {"trunk", "tnet", "fusion", "head"}
    assert {key.split(".")[2] for key in state if key.startswith("trunk.encoders.")} == {"0"}


@torch.no_grad()
def test_gates_cover_what_is_seen_and_what_is_hallucinated() -> None:
    output = make_student()(make_batch(None))
    assert output.gates.shape == (B, 1 + P)
    torch.testing.assert_close(output.gates.sum(1), torch.ones(B))
    assert output.embedding.shape == (B, 6)
    assert output.logits.shape == (B, 3)


@torch.no_grad()
def test_an_empty_batch_gives_empty_answers() -> None:
    empty = {name: (values[:0], mask[:0]) for name, (values, mask) in make_batch(None).items()}
    assert [tuple(column.shape) for column in make_student()(empty)] == [(0, 6), (0, 3), (0, 1 + P)]


def test_every_parameter_learns_from_the_logits() -> None:
    student = make_student()
    for layer in student.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()  # behind a layer of zeros nothing would learn in the first step
    student(make_batch(None)).logits.square().sum().backward()
    still = [
        name
        for name, p in student.named_parameters()
        if p.grad is None or not (p.grad.isfinite().all() and p.grad.any())
    ]
    # With one modality the trunk's gate has nothing to choose from.
    assert still == ["trunk.fusion.gate.weight", "trunk.fusion.gate.bias"]
