"""Fusion of modalities by cross-modal attention and a softmax gate.

Each modality's tokens attend to the tokens of all others within the same sample; c_m is the level of a modality plus a
summary of its tokens that starts at zero, and h = sum_m g_m c_m with g = softmax_m(w . [c_1; ...; c_M]). For two
modalities it is the sigmoid gate of Aslam et al. 2024 (released code), which attended over the batch; here tokens are
time steps. h has no layer normalisation: it would hide how far a sample is from the mean, which carries information.
"""

import torch
from torch import Tensor, nn

from mtpkd_cli.models.attention import Attention, FeedForward, pool
from mtpkd_cli.models.branches import StochasticDepth, scaled_start


class Fusion(nn.Module):
    """Tokens of M modalities -> one embedding.

    Args:
        modalities: Number of modalities M; with one there is no cross-attention and the gate is 1.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
        stochastic_depth: Probability that in training the summaries of a sample are left out, where there are several
            modalities: all of them together identify a training sample so well that it is soon known by heart.
    """

    def __init__(
        self, modalities: int, embedding: int, heads: int, dropout: float, stochastic_depth: float = 0.0
    ) -> None:
        super().__init__()
        several = modalities if modalities > 1 else 0
        self.norms = nn.ModuleList(nn.LayerNorm(embedding) for _ in range(several))
        self.attentions = nn.ModuleList(Attention(embedding, heads) for _ in range(several))
        self.feed_forwards = nn.ModuleList(FeedForward(embedding, dropout) for _ in range(several))
        self.summaries = nn.ModuleList(
            scaled_start(nn.Linear(2 * embedding, embedding), 0.0) for _ in range(modalities)
        )
        self.depth = StochasticDepth(stochastic_depth if several else 0.0)
        self.gate = nn.Linear(modalities * embedding, modalities)

    def forward(
        self, tokens: list[Tensor], masks: list[Tensor], levels: list[Tensor], heard: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Fuses M modalities, each with tokens (b, T_m, d), a mask (B, T_m) and a level (B, d).

        Args:
            heard: (b,) long, the samples that tokens are of, drawn by `depth`; None = all, b = B.

        Returns:
            embedding: (B, d); zeros where no modality is present.
            gates: (B, M) in [0, 1]; absent modalities get 0, the others sum to 1.
        """
        present = torch.stack([mask.any(1) for mask in masks], dim=1)
        if heard is not None:
            masks = [mask[heard] for mask in masks]
        if self.attentions:
            tokens = [self._attend_to_others(m, tokens, masks) for m in range(len(tokens))]
        summaries = [s(pool(t, m)) for s, t, m in zip(self.summaries, tokens, masks, strict=True)]
        summary = self.depth(torch.stack(summaries, dim=1), heard, present.shape[0])
        pooled = (torch.stack(levels, dim=1) + summary) * present.unsqueeze(-1)
        # A finite floor, not -inf: a sample without any modality would otherwise be NaN.
        scores = self.gate(pooled.flatten(1)).masked_fill(~present, torch.finfo(pooled.dtype).min)
        gates = torch.softmax(scores, dim=1) * present
        return (gates.unsqueeze(-1) * pooled).sum(1), gates

    def _attend_to_others(self, m: int, tokens: list[Tensor], masks: list[Tensor]) -> Tensor:
        others = torch.cat([t for i, t in enumerate(tokens) if i != m], dim=1)
        other_mask = torch.cat([mask for i, mask in enumerate(masks) if i != m], dim=1)
        norm = self.norms[m]
        mixed = tokens[m] + self.attentions[m](norm(tokens[m]), norm(others), other_mask)
        attended: Tensor = mixed + self.feed_forwards[m](mixed)
        return attended
