"""Fitting the T-Net: a linear map is learned, what does not exist is no target, and each modality to its own target."""

from typing import Any

import torch
from torch import Tensor

from mtpkd_cli.models import TNet
from mtpkd_cli.training.alignment import fit_tnet
from mtpkd_cli.training.seeding import seeded

D_EMBEDDING = 6
OPTIONS: dict[str, Any] = {"batch_size": 32, "learning_rate": 0.01, "weight_decay": 0.0, "warmup_share": 0.1}


def make_tnet(privileged: int) -> TNet:
    with seeded(2):
        return TNet(D_EMBEDDING, privileged)


def fit_toy(
    tnet: TNet, seen: Tensor, privileged: Tensor, present: Tensor, *, loss: str, epochs: int, **changes: Any
) -> None:
    """Fits on all samples but the last 50, which validate."""
    rows = torch.arange(len(seen) - 50), torch.arange(len(seen) - 50, len(seen))
    options = OPTIONS | {"epochs": epochs, "patience": epochs} | changes
    fit_tnet(tnet, seen, privileged, present, rows, loss=loss, options=options, seed=0)


@torch.no_grad()
def residual(tnet: TNet, seen: Tensor, privileged: Tensor) -> Tensor:
    """Share of the variance left unexplained, per privileged modality (P,)."""
    error = (tnet(seen) - privileged).square().mean((0, 2))
    return error / (privileged - privileged.mean(0)).square().mean((0, 2))


def linear_problem() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(300, D_EMBEDDING, generator=generator)
    maps = torch.randn(3, D_EMBEDDING, D_EMBEDDING, generator=generator) / D_EMBEDDING**0.5
    return seen, torch.einsum("nd,pde->npe", seen, maps)


def test_the_tnet_learns_a_linear_map() -> None:
    tnet, (seen, privileged) = make_tnet(3), linear_problem()
    fit_toy(tnet, seen, privileged, torch.ones(300, 3, dtype=torch.bool), loss="mse", epochs=60)
    assert residual(tnet, seen[-50:], privileged[-50:]).max() < 0.05


def test_a_privileged_embedding_that_does_not_exist_is_no_target() -> None:
    tnet, (seen, privileged) = make_tnet(3), linear_problem()
    present = torch.rand(300, 3, generator=torch.Generator().manual_seed(4)) < 0.7
    present[:, 2] = False
    broken = torch.where(present[..., None], privileged, torch.nan)
    fit_toy(tnet, seen, broken, present, loss="mse", epochs=60)
    assert residual(tnet, seen[-50:], privileged[-50:])[:2].max() < 0.1


def test_without_any_target_nothing_is_learned_and_nothing_breaks() -> None:
    tnet, (seen, privileged) = make_tnet(3), linear_problem()
    before = {name: tensor.clone() for name, tensor in tnet.state_dict().items()}
    fit_toy(tnet, seen, privileged * torch.nan, torch.zeros(300, 3, dtype=torch.bool), loss="cosine", epochs=1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tnet.state_dict().items())


def test_by_discrepancy_each_modality_is_led_to_its_own_cloud() -> None:
    generator, tnet = torch.Generator().manual_seed(0), make_tnet(2)
    seen = torch.randn(150, D_EMBEDDING, generator=generator)
    centres = torch.tensor([2.0, -2.0])[:, None]
    privileged = centres + 0.3 * torch.randn(150, 2, D_EMBEDDING, generator=generator)
    # Each starts at the other's cloud, so that both clouds taken together would agree from the start.
    with torch.no_grad():
        tnet.net[2].bias.copy_(-centres.expand(2, D_EMBEDDING).flatten())
    present = torch.ones(150, 2, dtype=torch.bool)
    fit_toy(tnet, seen, privileged, present, loss="mmd", epochs=40, learning_rate=0.03)
    with torch.no_grad():
        assert (tnet(seen).mean((0, 2)) - centres[:, 0]).abs().max() < 0.5
