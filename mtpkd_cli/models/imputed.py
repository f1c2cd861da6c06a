"""A trunk of several modalities of which some are never there at test: constants stand in for them."""

import torch
from torch import Tensor, nn

from mtpkd_cli.models.teacher import ModalityBatch, Trunk


class ImputedTrunk(nn.Module):
    """The joint teacher's trunk: modalities that are seen are read, constants stand in for the others.

    Every step of an absent modality holds the same D numbers, `fill_<i>`, for modality i of `joint`.

    Args:
        seen: Modalities that are read from the batch.
        joint: Modality -> (feature size D, steps T that stand in where it is absent), in the teacher's order.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
    """

    def __init__(
        self, seen: list[str], joint: dict[str, tuple[int, int]], embedding: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.modalities = seen
        self.trunk = Trunk({name: size for name, (size, _) in joint.items()}, embedding, heads, dropout)
        self.steps = {name: steps for name, (_, steps) in joint.items()}
        for number, (size, _) in enumerate(joint.values()):
            self.register_buffer(f"fill_{number}", torch.zeros(size))

    def fill(self, name: str) -> Tensor:
        """(D,) numbers that stand in for a modality; a view, so writing into it changes them."""
        return self.get_buffer(f"fill_{self.trunk.modalities.index(name)}")

    def completed(self, batch: ModalityBatch) -> ModalityBatch:
        """The batch with every modality of the trunk: those that are seen as they are, the others filled."""
        some = batch[self.modalities[0]][0]
        samples = some.shape[0]  # not len(), which an exported model would keep as a number
        full = {name: batch[name] for name in self.modalities}
        for name, steps in self.steps.items():
            if name not in full:
                values = self.fill(name).expand(samples, steps, -1)
                full[name] = values, torch.ones(samples, steps, dtype=torch.bool, device=some.device)
        return full

    def fit_normalisers(self, batch: ModalityBatch) -> None:
        """Fits the normalisers of what is seen; those of the others see their constants."""
        self.trunk.fit_normalisers(self.completed(batch))

    def forward(self, batch: ModalityBatch) -> tuple[Tensor, Tensor]:
        """Returns embedding (B, d) and gates (B, M) of the joint teacher on the completed batch."""
        embedding, gates = self.trunk(self.completed(batch))
        return embedding, gates
