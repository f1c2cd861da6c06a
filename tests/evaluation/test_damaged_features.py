"""What damage does to features: by hand, and what it must leave alone."""

import pytest
import torch

from mtpkd_cli.evaluation.damaged_features import CORRUPTIONS

N, T, D = 7, 11, 3


def _batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(N, T, D, generator=generator)
    mask = torch.arange(T) < torch.tensor([11, 9, 7, 5, 2, 1, 0])[:, None]
    return values * mask.unsqueeze(-1), mask, torch.tensor([1.0, 2.0, 0.0])


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_damage_leaves_its_input_alone_and_no_sample_without_a_step(kind: str) -> None:
    corruption = CORRUPTIONS[kind]
    values, mask, scale = _batch()
    before = values.clone(), mask.clone()
    for level in corruption.levels:
        worse, left = corruption.change(values, mask, scale, level, torch.Generator().manual_seed(2))
        assert torch.equal(values, before[0])
        assert torch.equal(mask, before[1])
        assert torch.equal(left.any(1), mask.any(1))
        assert not (left & ~mask).any()
        assert worse.shape == values.shape
        assert worse.isfinite().all()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_first_level_is_no_damage(kind: str) -> None:
    values, mask, scale = _batch()
    worse, left = CORRUPTIONS[kind].change(values, mask, scale, CORRUPTIONS[kind].levels[0], torch.Generator())
    assert torch.equal(left, mask)
    torch.testing.assert_close(worse[mask], values[mask])


def test_what_is_lost_hidden_and_slower_is_as_much_as_said() -> None:
    values, mask = torch.zeros(200, 50, 1), torch.ones(200, 50, dtype=torch.bool)
    generator, scale = torch.Generator().manual_seed(3), torch.ones(1)
    _, dropped = CORRUPTIONS["drop"].change(values, mask, scale, 0.6, generator)
    assert dropped.float().mean().item() == pytest.approx(0.4, abs=0.02)
    _, hidden = CORRUPTIONS["occlusion"].change(values, mask, scale, 0.6, generator)
    assert (hidden.sum(1) == 20).all()
    assert ((hidden[:, 1:] != hidden[:, :-1]).sum(1) <= 2).all()  # one stretch
    _, slower = CORRUPTIONS["rate"].change(values, mask, scale, 4, generator)
    assert slower[0].nonzero().flatten().tolist() == list(range(0, 50, 4))


def test_noise_is_in_deviations_of_the_feature() -> None:
    values, mask, scale = torch.zeros(100, 40, 3), torch.ones(100, 40, dtype=torch.bool), torch.tensor([1.0, 5.0, 0.0])
    noisy, _ = CORRUPTIONS["noise"].change(values, mask, scale, 0.5, torch.Generator().manual_seed(4))
    assert noisy.std((0, 1)).tolist() == pytest.approx([0.5, 2.5, 0.0], rel=0.05)


def test_smearing_is_the_mean_of_the_steps_that_exist() -> None:
    values = torch.tensor([[1.0, 4.0, 7.0, 100.0]])[..., None]
    mask = torch.tensor([[True, True, True, False]])
    smeared, _ = CORRUPTIONS["blur"].change(values, mask, torch.ones(1), 3, torch.Generator())
    assert smeared[0, :3, 0].tolist() == pytest.approx([2.5, 4.0, 5.5])
    wide, _ = CORRUPTIONS["blur"].change(values, mask, torch.ones(1), 17, torch.Generator())
    assert wide[0, :3, 0].tolist() == pytest.approx([4.0] * 3)
