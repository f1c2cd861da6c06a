"""Temporal encoder: one modality's (B, T, D) features -> (B, T, d) tokens."""

import math

import torch
from torch import Tensor, nn

from mtpkd_cli.models.attention import Attention, FeedForward


class Normaliser(nn.Module):
    """Standardises features by statistics of the training subjects, which are stored in the model.

    A missing cell (NaN) becomes the training mean. Values beyond `limit` standard deviations are clipped, since one
    artefact of a sensor must not drown a sample.

    Args:
        features: Feature size D.
        limit: Clipping bound in standard deviations.
    """

    def __init__(self, features: int, limit: float = 8.0) -> None:
        super().__init__()
        self.limit = limit
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit(self, values: Tensor, mask: Tensor) -> None:
        """Takes mean and standard deviation over the existing steps of (N, T, D) values; cells may be NaN."""
        rows = values[mask].double()
        count = (~rows.isnan()).sum(0).clamp(min=1)
        mean = rows.nansum(0) / count
        variance = ((rows - mean) ** 2).nansum(0) / count
        self.mean.copy_(mean)
        # A constant feature says nothing: its deviation is zero up to rounding, and scale 1 keeps it there.
        constant = variance <= 1e-12 * mean.abs().clamp(min=1e-6) ** 2
        self.scale.copy_(torch.where(constant, torch.ones_like(variance), variance.sqrt()))

    def forward(self, values: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D), finite."""
        return ((values - self.mean) / self.scale).nan_to_num(0.0).clamp(-self.limit, self.limit)


class TemporalEncoder(nn.Module):
    """Normaliser, projection, position in time, and one transformer block within the sample.

    Args:
        features: Feature size D.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
    """

    def __init__(self, features: int, embedding: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.normaliser = Normaliser(features)
        self.project = nn.Sequential(nn.Linear(features, embedding), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(embedding)
        self.attention = Attention(embedding, heads)
        self.feed_forward = FeedForward(embedding, dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) values and (B, T) mask -> (B, T, d) tokens; tokens of absent steps hold no meaning."""
        tokens = self.project(self.normaliser(values))
        tokens = tokens + time_code(tokens.shape[1], tokens.shape[2]).to(tokens)
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, mask)
        encoded: Tensor = tokens + self.feed_forward(tokens)
        return encoded


def time_code(steps: int, embedding: int) -> Tensor:
    """Sinusoidal code of the step index, (T, d), after Vaswani et al. 2017, halved so as not to drown the features."""
    position = torch.arange(steps, dtype=torch.float32)[:, None]
    half = (embedding + 1) // 2
    rate = torch.exp(-math.log(1e4) * torch.arange(half) / half)
    code = torch.stack([torch.sin(position * rate), torch.cos(position * rate)], dim=-1).flatten(1)
    return 0.5 * code[:, :embedding]
