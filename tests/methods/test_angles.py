"""Angles of rkd in blocks: the same as the whole cube by autograd, and nothing of its size kept for backward."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli.methods import _angles

B = 11


def clouds(seed: int) -> tuple[Tensor, Tensor]:
    """A teacher's and a student's cloud; two samples coincide in each, not the same two."""
    generator = torch.Generator().manual_seed(seed)
    teacher, student = torch.randn(2, B, 4, generator=generator, dtype=torch.float64)
    teacher[2], student[7] = teacher[9], student[3]
    return teacher, student.requires_grad_()


def cube(h: Tensor) -> Tensor:
    towards = h.unsqueeze(0) - h.unsqueeze(1)
    length = torch.linalg.vector_norm(towards, dim=-1, keepdim=True)
    directions = towards / length.masked_fill(length == 0, 1)
    return directions @ directions.mT


def over_the_cube(teacher: Tensor, student: Tensor) -> Tensor:
    i, j, k = torch.meshgrid(*[torch.arange(B)] * 3, indexing="ij")
    distinct = (i != j) & (j != k) & (i != k)
    return functional.smooth_l1_loss(cube(student)[distinct], cube(teacher)[distinct])


@pytest.mark.parametrize("samples", [1, 3, 4, B, 100])
def test_blocks_of_any_size_give_the_value_and_the_slope_of_the_whole_cube(
    samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_angles, "BLOCK_CPU", samples * B**2)
    teacher, student = clouds(samples)
    expected, in_blocks = over_the_cube(teacher, student), _angles.angles_differ(teacher, student)
    assert in_blocks.item() == pytest.approx(expected.item(), rel=1e-12)
    slopes = [torch.autograd.grad(3 * loss, student)[0] for loss in (in_blocks, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-12)


def test_differences_above_one_pull_with_constant_force() -> None:
    """Two samples on one side of a third in the teacher's cloud, on opposite sides in the student's: cosines 1 | -1."""
    teacher, student = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [1.0], [-1.0]])
    # Of the three angles, at samples 0, 1, 2, the teacher's cosines are 1, -1, 1 and the student's -1, 1, 1.
    assert _angles.angles_differ(teacher, student).item() == pytest.approx((1.5 + 1.5 + 0) / 3)


def test_nothing_of_the_size_of_the_cube_waits_for_backward() -> None:
    kept: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor.nbytes)
        return tensor

    teacher, student = clouds(0)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _angles.angles_differ(teacher, student)
    assert sum(kept) == student.nbytes
