"""Student: the prevalent modality alone -> embedding and logits, with the multimodal fusion kept by hallucination.

x_prevalent -> h -> [h ; R(h)] -> fusion -> h_S -> head (Aslam et al. 2024, released code, with a trained trunk). Small
studies have two smaller ones, without time and without T-Net: h_S is a linear or two-layer function of pooled features.
"""

import torch
from torch import nn

from mtpkd_cli.models.adapter import TNet
from mtpkd_cli.models.fusion import Fusion
from mtpkd_cli.models.heads import head_of
from mtpkd_cli.models.imputed import ImputedTrunk
from mtpkd_cli.models.pooled import PooledTrunk
from mtpkd_cli.models.targets import InTargetUnits, units_of
from mtpkd_cli.models.teacher import ModalityBatch, Output, Trunk


class Student(InTargetUnits):
    """A prevalent trunk, the T-Net R, and a fusion of what is seen with what is hallucinated.

    Args:
        features: Prevalent modality -> feature size D; the only modalities it reads.
        privileged: Number of privileged modalities P that are hallucinated.
        outputs: Classes or targets C.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
        kind: "fusion"; "linear" or "mlp" over pooled features, which hallucinate nothing; or "imputed", a joint teacher
            with constants for what is not seen.
        head: "softmax", or "ordinal" for classes in an order.
        stochastic_depth: Of kind "fusion" only: probability that in training a fusion leaves a sample's summaries out.
        imputed: Of kind "imputed" only: modality of the joint teacher -> (feature size, steps that stand in for it).
        targets: In regression mean and scale of each target, as of `TargetScale`.
        class_shift: In classification C numbers that are added to the logits, as of `balancing_shift`.
    """

    def __init__(
        self,
        features: dict[str, int],
        privileged: int,
        outputs: int,
        embedding: int,
        heads: int,
        dropout: float,
        kind: str = "fusion",
        head: str = "softmax",
        stochastic_depth: float = 0.0,
        imputed: dict[str, tuple[int, int]] | None = None,
        targets: dict[str, list[float]] | None = None,
        class_shift: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.trunk: Trunk | PooledTrunk | ImputedTrunk
        if kind == "fusion":
            self.trunk = Trunk(features, embedding, heads, dropout, stochastic_depth)
            self.tnet = TNet(embedding, privileged)
            self.fusion = Fusion(1 + privileged, embedding, heads, dropout, stochastic_depth)
        elif kind == "imputed":
            self.trunk = ImputedTrunk(list(features), imputed or {}, embedding, heads, dropout)
        else:
            self.trunk = PooledTrunk(features, embedding, dropout, kind)
        self.head = nn.Sequential(nn.Dropout(dropout), head_of(head, embedding, outputs))
        self.units = units_of(targets, class_shift)

    def forward(self, batch: ModalityBatch) -> Output:
        """Reads the prevalent modalities and nothing else; gates are (B, 1 + P), of the other kinds (B, M)."""
        seen, shares = self.trunk(batch)
        if self.kind != "fusion":
            return Output(seen, self.units(self.head(seen)), shares)
        vectors = [seen, *self.tnet(seen).unbind(1)]
        # By the tensor's shape, not by len(): a number of samples must not be written into an exported model.
        one_step = torch.ones_like(seen[:, :1], dtype=torch.bool)
        embedding, gates = self.fusion([v.unsqueeze(1) for v in vectors], [one_step] * len(vectors), vectors)
        return Output(embedding, self.units(self.head(embedding)), gates)
