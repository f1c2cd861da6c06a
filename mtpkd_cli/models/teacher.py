"""Teacher: any set of modalities -> embedding and logits. A unimodal teacher is one with a single modality."""

from typing import NamedTuple

from torch import Tensor, nn

from mtpkd_cli.models.dropout import Dropout
from mtpkd_cli.models.fusion import Fusion
from mtpkd_cli.models.heads import head_of
from mtpkd_cli.models.targets import InTargetUnits, units_of
from mtpkd_cli.models.temporal import TemporalEncoder

ModalityBatch = dict[str, tuple[Tensor, Tensor]]
"""Modality -> (values (B, T, D), mask (B, T))."""

Encoded = tuple[list[Tensor], list[Tensor], list[Tensor]]
"""Per modality tokens (b, T_m, d), mask (B, T_m) and level (B, d)."""


class Output(NamedTuple):
    """What a network gives for a batch.

    Args:
        embedding: (B, d).
        logits: (B, C) class logits; in regression predictions in units of the targets, or in standard deviations within
            `standard_units`.
        gates: (B, M), the share of each modality in the embedding.
    """

    embedding: Tensor
    logits: Tensor
    gates: Tensor


class Trunk(nn.Module):
    """Temporal encoder per modality -> fusion -> embedding h.

    Args:
        features: Modality -> feature size D; the order is the order of the gates.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
        stochastic_depth: Probability that in training the fusion leaves the summaries of a sample out.
    """

    def __init__(
        self, features: dict[str, int], embedding: int, heads: int, dropout: float, stochastic_depth: float = 0.0
    ) -> None:
        super().__init__()
        self.modalities = list(features)
        self.encoders = nn.ModuleList(TemporalEncoder(size, embedding, heads, dropout) for size in features.values())
        self.fusion = Fusion(len(features), embedding, heads, dropout, stochastic_depth)

    def fit_normalisers(self, batch: ModalityBatch) -> None:
        """Fits each modality's normaliser on all training samples; call once, before training."""
        for name, encoder in zip(self.modalities, self.encoders, strict=True):
            encoder.fit_normalisers(*batch[name])  # type: ignore[operator]

    def forward(self, batch: ModalityBatch) -> tuple[Tensor, Tensor]:
        """Returns embedding (B, d) and gates (B, M); modalities that it does not name are not looked at."""
        masks = [batch[name][1] for name in self.modalities]
        heard = self.fusion.depth.heard(masks[0].shape[0], masks[0].device)
        fused: tuple[Tensor, Tensor] = self.fusion(*self.encoded(batch, heard), heard)
        return fused

    def encoded(self, batch: ModalityBatch, heard: Tensor | None = None) -> Encoded:
        """Returns what the fusion takes, with tokens of the samples that are heard."""
        encoders = zip(self.modalities, self.encoders, strict=True)
        tokens, levels = zip(*(encoder(*batch[name], heard) for name, encoder in encoders), strict=True)
        return list(tokens), [batch[name][1] for name in self.modalities], list(levels)


class Teacher(InTargetUnits):
    """Trunk -> head: the trunk's arguments, the number of classes or targets C as `outputs`, and the kind of head.

    In regression `targets` holds mean and scale of each target, as of `TargetScale`.
    """

    def __init__(
        self,
        features: dict[str, int],
        outputs: int,
        embedding: int,
        heads: int,
        dropout: float,
        head: str = "softmax",
        stochastic_depth: float = 0.0,
        targets: dict[str, list[float]] | None = None,
    ) -> None:
        super().__init__()
        self.trunk = Trunk(features, embedding, heads, dropout, stochastic_depth)
        self.head = nn.Sequential(Dropout(dropout), head_of(head, embedding, outputs))
        self.units = units_of(targets)

    def forward(self, batch: ModalityBatch) -> Output:
        """Encodes, fuses and classifies."""
        return self.concluded(*self.trunk(batch))

    def concluded(self, embedding: Tensor, gates: Tensor) -> Output:
        """Classifies embeddings (B, d)."""
        return Output(embedding, self.units(self.head(embedding)), gates)
