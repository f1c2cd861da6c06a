"""What recordings suffer in the field, done to features: steps lost or hidden, noise, smearing, a slower rate.

It is done to the time steps that encoders gave, not to media: what a blurred or dark picture does to a face detector is
not in it. Legend: N samples, T time steps, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

Change = Callable[[Tensor, Tensor, Tensor, float, Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Corruption:
    """One way to suffer.

    Args:
        label: What the axis says, with its unit.
        levels: From none to severe.
        change: (values (N, T, D), mask (N, T), scale (D,), level, generator) -> values, mask; new tensors.
    """

    label: str
    levels: tuple[float, ...]
    change: Change


def _dropped(values: Tensor, mask: Tensor, _scale: Tensor, level: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Every step is lost by chance; one of each sample stays."""
    luck = torch.rand(mask.shape, generator=generator).masked_fill(~mask, -1)
    kept = mask & (luck >= level)
    return values, _with_one(kept, mask, luck)


def _hidden(values: Tensor, mask: Tensor, _scale: Tensor, level: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """A stretch of each sample, at a random place, is hidden; one step stays."""
    length = mask.sum(1, keepdim=True)
    hidden = (level * length).round()
    start = (torch.rand(len(mask), 1, generator=generator) * (length - hidden + 1)).floor()
    number = mask.cumsum(1) - 1
    kept = mask & ~((number >= start) & (number < start + hidden))
    return values, _with_one(kept, mask, torch.rand(mask.shape, generator=generator).masked_fill(~mask, -1))


def _noisy(values: Tensor, mask: Tensor, scale: Tensor, level: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Gaussian noise on every feature of every step, in standard deviations of the feature."""
    return values + level * scale * torch.randn(values.shape, generator=generator), mask


def _smeared(values: Tensor, mask: Tensor, _scale: Tensor, level: float, _: Generator) -> tuple[Tensor, Tensor]:
    """Mean over a centred window of `level` steps, an odd number, of those that exist."""
    there = mask.unsqueeze(-1).to(values.dtype)
    known = values.nan_to_num(0.0) * there
    radius, total, count = int(level) // 2, torch.zeros_like(values), torch.zeros_like(there)
    for shift in range(-radius, radius + 1):
        total += _shifted(known, shift)
        count += _shifted(there, shift)
    return torch.where(mask.unsqueeze(-1), total / count.clamp(min=1), values), mask


def _slower(values: Tensor, mask: Tensor, _scale: Tensor, level: float, _: Generator) -> tuple[Tensor, Tensor]:
    """Only every `level`-th step is there, from the first."""
    return values, mask & ((mask.cumsum(1) - 1) % int(level) == 0)


CORRUPTIONS = {
    "drop": Corruption("steps lost (%)", (0.0, 0.2, 0.4, 0.6, 0.8, 0.95), _dropped),
    "occlusion": Corruption("stretch hidden (% of the sample)", (0.0, 0.2, 0.4, 0.6, 0.8, 0.95), _hidden),
    "noise": Corruption("noise (standard deviations)", (0.0, 0.25, 0.5, 1.0, 2.0, 4.0), _noisy),
    "blur": Corruption("smeared over (steps)", (1, 3, 5, 9, 17), _smeared),
    "rate": Corruption("one step of (steps)", (1, 2, 3, 4, 6, 8), _slower),
}


def _with_one(kept: Tensor, mask: Tensor, luck: Tensor) -> Tensor:
    """Gives the luckiest step back to samples that had steps and have none left."""
    lost = mask.any(1) & ~kept.any(1)
    kept = kept.clone()
    kept[lost, luck[lost].argmax(1)] = True
    return kept


def _shifted(values: Tensor, shift: int) -> Tensor:
    """(N, T, D) moved along time, zeros where nothing comes from."""
    result, steps = torch.zeros_like(values), values.shape[1]
    if abs(shift) >= steps:
        return result
    if shift >= 0:
        result[:, shift:] = values[:, : steps - shift]
    else:
        result[:, :shift] = values[:, -shift:]
    return result
