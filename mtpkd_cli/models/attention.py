"""Masked attention within a sample, and pooling over its time steps."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtpkd_cli.models.dropout import Dropout


class Attention(nn.Module):
    """Multi-head attention whose keys include a zero "nothing to attend to".

    The extra key lets a sample without any key (all of its other modalities missing) attend to nothing and receive
    exactly zero, where a plain softmax over no key would give NaN.

    Args:
        embedding: Embedding size d, a multiple of `heads`.
        heads: Number of heads.
    """

    def __init__(self, embedding: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(embedding, embedding)
        self.key_value = nn.Linear(embedding, 2 * embedding, bias=False)
        self.out = nn.Linear(embedding, embedding, bias=False)

    def forward(self, queries: Tensor, keys: Tensor, key_mask: Tensor) -> Tensor:
        """Attends from (B, T, d) queries to (B, S, d) keys where key_mask (B, S) is True; returns (B, T, d)."""
        # Without a bias, zeros give a key and a value of zeros.
        key, value = self.key_value(functional.pad(keys, (0, 0, 1, 0))).chunk(2, dim=-1)
        mask = functional.pad(key_mask, (1, 0), value=True)[:, None, None, :]
        size = queries.shape[-1] // self.heads
        # Explicit sizes: a batch of no samples (a fold whose test subject has no video) has no size to infer.
        query, key, value = (
            x.unflatten(-1, (self.heads, size)).transpose(1, 2) for x in (self.query(queries), key, value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return mixed


class FeedForward(nn.Sequential):
    """The two-layer perceptron of a transformer block, (..., d) -> (..., d)."""

    def __init__(self, embedding: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(embedding),
            nn.Linear(embedding, 2 * embedding),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(2 * embedding, embedding),
            Dropout(dropout),
        )


def pool(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean and maximum over the existing time steps, side by side; zeros where a sample has none.

    Args:
        tokens: (B, T, d).
        mask: (B, T) bool.

    Returns:
        (B, 2d): the mean tells the level, the maximum a short reaction.
    """
    weight = mask.unsqueeze(-1).to(tokens.dtype)
    mean = (tokens * weight).sum(1) / weight.sum(1).clamp(min=1)
    peak = tokens.masked_fill(~mask.unsqueeze(-1), torch.finfo(tokens.dtype).min).amax(1)
    return torch.cat([mean, torch.where(mask.any(1, keepdim=True), peak, torch.zeros_like(peak))], dim=-1)
