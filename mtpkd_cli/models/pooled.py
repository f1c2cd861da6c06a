"""Trunks for small studies: a modality's steps pooled to mean and deviation, then one layer, beside it perhaps two."""

import torch
from torch import Tensor, nn

from mtpkd_cli.models.branches import SMALL, scaled_start
from mtpkd_cli.models.dropout import Dropout
from mtpkd_cli.models.normaliser import Normaliser
from mtpkd_cli.models.statistics import Statistics

KINDS = ("linear", "mlp")


class PooledTrunk(nn.Module):
    """Standardised mean and standard deviation over time of the normalised features -> embedding h.

    With few subjects a network that attends over time learns the subjects; this is the baseline worth beating. An
    absent modality counts as the training mean.

    Args:
        features: Modality -> feature size D.
        embedding: Embedding size d.
        dropout: Dropout probability, of the pooled features.
        kind: "linear" (with the head: multinomial logistic regression of rank d) or "mlp" (a
            linear layer that starts small, and beside it one hidden layer of d that starts at zero).
    """

    def __init__(self, features: dict[str, int], embedding: int, dropout: float, kind: str) -> None:
        super().__init__()
        self.modalities = list(features)
        self.normalisers = nn.ModuleList(Normaliser(size) for size in features.values())
        self.statistics = nn.ModuleList(Statistics(size) for size in features.values())
        pooled = 2 * sum(features.values())
        self.dropout = Dropout(dropout)
        self.level = nn.Linear(pooled, embedding)
        self.hidden: nn.Sequential | None = None
        if kind == "mlp":
            self.level = scaled_start(self.level, SMALL)
            last = scaled_start(nn.Linear(embedding, embedding), 0.0)
            self.hidden = nn.Sequential(nn.Linear(pooled, embedding), nn.GELU(), Dropout(dropout), last)

    def fit_normalisers(self, batch: dict[str, tuple[Tensor, Tensor]]) -> None:
        """Fits each modality's normaliser on all training samples; call once, before training."""
        for name, normaliser, statistics in zip(self.modalities, self.normalisers, self.statistics, strict=True):
            values, mask = batch[name]
            normaliser.fit(values, mask)  # type: ignore[operator]
            statistics.fit(normaliser(values), mask)  # type: ignore[operator]

    def forward(self, batch: dict[str, tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Returns embedding (B, d) and gates (B, M), the shares of the modalities that are present."""
        pooled, present = [], []
        for name, normaliser, statistics in zip(self.modalities, self.normalisers, self.statistics, strict=True):
            values, mask = batch[name]
            pooled.append(statistics(normaliser(values), mask))
            present.append(mask.any(1))
        gates = torch.stack(present, dim=1).to(pooled[0].dtype)
        seen = self.dropout(torch.cat(pooled, dim=1))
        embedding = self.level(seen) if self.hidden is None else self.level(seen) + self.hidden(seen)
        return embedding, gates / gates.sum(1, keepdim=True).clamp(min=1)
