"""Temporal encoder: one modality's (B, T, D) features -> (B, T, d) tokens, and a (B, d) level of the whole sample."""

import math

import torch
from torch import Tensor, nn

from mtpkd_cli.models.attention import Attention, FeedForward
from mtpkd_cli.models.branches import SMALL, scaled_start
from mtpkd_cli.models.dropout import Dropout
from mtpkd_cli.models.normaliser import Normaliser
from mtpkd_cli.models.statistics import Statistics


class TemporalEncoder(nn.Module):
    """Normaliser, projection, position in time, and one transformer block within the sample; beside it, a linear level.

    The level, W [mean; deviation] over time, is all that a small study can learn; the tokens add its course
    over time. The level starts small, so that what it learns outweighs what it was drawn with.

    Args:
        features: Feature size D.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
    """

    def __init__(self, features: int, embedding: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.normaliser = Normaliser(features)
        self.statistics = Statistics(features)
        self.level = nn.Sequential(Dropout(dropout), scaled_start(nn.Linear(2 * features, embedding), SMALL))
        self.project = nn.Sequential(nn.Linear(features, embedding), Dropout(dropout))
        self.norm = nn.LayerNorm(embedding)
        self.attention = Attention(embedding, heads)
        self.feed_forward = FeedForward(embedding, dropout)

    def fit_normalisers(self, values: Tensor, mask: Tensor) -> None:
        """Fits the normalisers of steps and of statistics on all training samples, (N, T, D) and (N, T)."""
        self.normaliser.fit(values, mask)
        self.statistics.fit(self.normaliser(values), mask)

    def forward(self, values: Tensor, mask: Tensor, heard: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D) values, (B, T) mask -> (b, T, d) tokens, of absent steps without meaning, and (B, d) level.

        Args:
            heard: (b,) long, the samples whose tokens are wanted; None = all, b = B.
        """
        steps = self.normaliser(values)
        level = self.level(self.statistics(steps, mask))
        if heard is not None:
            steps, mask = steps[heard], mask[heard]
        tokens = self.project(steps)
        tokens = tokens + time_code(tokens.shape[1], tokens.shape[2]).to(tokens)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, mask)
        return tokens + self.feed_forward(tokens), level


def time_code(steps: int, embedding: int) -> Tensor:
    """Sinusoidal code of the step index, (T, d), after Vaswani et al. 2017, halved so as not to drown the features."""
    position = torch.arange(steps, dtype=torch.float32)[:, None]
    half = (embedding + 1) // 2
    rate = torch.exp(-math.log(1e4) * torch.arange(half) / half)
    code = torch.stack([torch.sin(position * rate), torch.cos(position * rate)], dim=-1).flatten(1)
    return 0.5 * code[:, :embedding]
