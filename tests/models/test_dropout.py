"""Dropout by shared draws: the share that is lost, the mean that is kept, independence, and gradients."""

import pytest
import torch
from torch.nn import functional

from mtpkd_cli.models.dropout import Dropout
from mtpkd_cli.training.seeding import seeded

N = 200_003  # no multiple of four


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.9])
def test_a_share_p_is_lost_and_the_others_grow_so_that_the_mean_is_kept(p: float) -> None:
    with seeded(0):
        output = Dropout(p).train()(torch.ones(N))
    lost = output == 0
    assert lost.float().mean().item() == pytest.approx(p, abs=4 * (p * (1 - p) / N) ** 0.5)
    assert output.mean().item() == pytest.approx(1, abs=4 * (p / (1 - p) / N) ** 0.5)
    assert output[~lost].unique().numel() == 1
    assert output[~lost][0].item() == pytest.approx(1 / (1 - p), rel=1e-4)


@pytest.mark.parametrize("apart", [1, 2, 3, 4, 64])
def test_elements_that_share_a_draw_are_lost_independently(apart: int) -> None:
    with seeded(1):
        lost = (Dropout(0.3).train()(torch.ones(N)) == 0).double()
    both = (lost[apart:] * lost[:-apart]).mean().item()
    assert both == pytest.approx(0.09, abs=4 * (0.09 * 0.91 / N) ** 0.5)


def test_it_is_silent_in_evaluation_and_at_its_ends() -> None:
    values = torch.randn(5, 3)
    assert torch.equal(Dropout(0.4).eval()(values), values)
    assert torch.equal(Dropout(0.0).train()(values), values)
    assert torch.equal(Dropout(1.0).train()(values), torch.zeros(5, 3))
    assert Dropout(0.4).train()(torch.zeros(0, 3)).shape == (0, 3)


def test_gradients_pass_where_values_do_and_a_seed_gives_the_same_losses() -> None:
    values = torch.ones(11, 7, dtype=torch.double, requires_grad=True)
    with seeded(3):
        output = Dropout(0.5).train()(values)
    with seeded(3):
        assert torch.equal(Dropout(0.5).train()(values), output)
    output.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, output.detach())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu_it_is_torchs() -> None:
    values = torch.ones(1000, device="cuda")
    with seeded(0):
        received = Dropout(0.25).train()(values)
    with seeded(0):
        assert torch.equal(functional.dropout(values, 0.25), received)
