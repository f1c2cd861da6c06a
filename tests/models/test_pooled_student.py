"""The linear and the two-layer student: pooled by hand, blind to absent steps, linear where they say so."""

import pytest
import torch

from mtpkd_cli.models import Student
from mtpkd_cli.models.pooled import PooledTrunk

B, T, D, C = 7, 5, 3, 4


def _batch(seed: int = 0) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[2, 3:] = False
    mask[4] = False
    return {"face": (torch.randn(B, T, D, generator=generator), mask)}


def _student(kind: str) -> Student:
    torch.manual_seed(0)
    return Student({"face": D}, 2, C, embedding=6, heads=2, dropout=0.0, kind=kind).eval()


def test_pools_mean_and_deviation_over_existing_steps() -> None:
    trunk = PooledTrunk({"face": D}, embedding=2 * D, dropout=0.0, kind="linear").eval()
    torch.nn.init.eye_(trunk.level.weight)
    torch.nn.init.zeros_(trunk.level.bias)
    batch = _batch()
    pooled, gates = trunk(batch)
    values, mask = batch["face"]
    for row in (0, 2):
        steps = values[row][mask[row]]
        expected = torch.cat([steps.mean(0), steps.std(0, correction=0)])
        torch.testing.assert_close(pooled[row], expected, atol=2e-3, rtol=0)
    assert pooled[4].abs().max() < 1e-6  # absent = the training mean
    assert gates.flatten().tolist() == [1, 1, 1, 1, 0, 1, 1]


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_clip_alone_is_a_clip_in_a_batch_and_absent_steps_say_nothing(kind: str) -> None:
    student, batch = _student(kind), _batch()
    together = student(batch).logits
    values, mask = batch["face"]
    alone = student({"face": (values[2:3, :3], mask[2:3, :3])}).logits
    torch.testing.assert_close(together[2:3], alone)
    changed = values.clone()
    changed[~mask] = 100.0
    torch.testing.assert_close(student({"face": (changed, mask)}).logits, together)


def test_the_linear_student_is_linear_in_pooled_features_and_the_mlp_is_not() -> None:
    one_step = torch.ones(1, 1, dtype=torch.bool)
    x, y = torch.randn(1, 1, D), torch.randn(1, 1, D)
    bend = {}
    for kind in ("linear", "mlp"):
        student = _student(kind)
        if student.trunk.hidden is not None:
            student.trunk.hidden[-1].reset_parameters()  # it starts at zero: until it learns, the MLP is linear
        z = [student({"face": (v, one_step)}).logits for v in (x, y, (x + y) / 2)]
        bend[kind] = (z[2] - (z[0] + z[1]) / 2).abs().max().item()
    assert bend["linear"] < 1e-5
    assert bend["mlp"] > 1e-3


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_gradients_are_finite_where_all_steps_are_alike(kind: str) -> None:
    student = _student(kind)
    output = student({"face": (torch.zeros(B, T, D), torch.ones(B, T, dtype=torch.bool))})
    output.logits.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in student.parameters() if p.grad is not None)
