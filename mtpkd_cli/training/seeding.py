"""Randomness that depends on what is fitted and on the study's seed, and on nothing else."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, *names: object) -> int:
    """Returns a seed for one purpose: same seed and names, same number, whatever ran before."""
    text = "/".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


@contextmanager
def seeded(seed: int) -> Iterator["torch.Generator"]:
    """Seeds torch's global generators (initial weights, dropout) within the block and restores them after it.

    Gives a separate CPU generator, for the order of batches and the like.
    """
    import torch  # so that seeds can be told without it

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed + 1)
