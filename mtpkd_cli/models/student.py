"""Student: the prevalent modality alone -> embedding and logits, with the multimodal fusion kept by hallucination.

x_prevalent -> h -> [h ; R(h)] -> fusion -> h_S -> head (Aslam et al. 2024, released code, with a trained trunk).
"""

import torch
from torch import nn

from mtpkd_cli.models.adapter import TNet
from mtpkd_cli.models.fusion import Fusion
from mtpkd_cli.models.teacher import ModalityBatch, Output, Trunk


class Student(nn.Module):
    """A prevalent trunk, the T-Net R, and a fusion of what is seen with what is hallucinated.

    Args:
        features: Prevalent modality -> feature size D; the only modalities it reads.
        privileged: Number of privileged modalities P that are hallucinated.
        outputs: Classes or targets C.
        embedding: Embedding size d.
        heads: Attention heads.
        dropout: Dropout probability.
    """

    def __init__(
        self, features: dict[str, int], privileged: int, outputs: int, embedding: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.trunk = Trunk(features, embedding, heads, dropout)
        self.tnet = TNet(embedding, privileged)
        self.fusion = Fusion(1 + privileged, embedding, heads, dropout)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(embedding, outputs))

    def forward(self, batch: ModalityBatch) -> Output:
        """Reads the prevalent modalities of the batch and nothing else; gates are (B, 1 + P)."""
        seen, _ = self.trunk(batch)
        vectors = [seen, *self.tnet(seen).unbind(1)]
        one_step = torch.ones(len(seen), 1, dtype=torch.bool, device=seen.device)
        embedding, gates = self.fusion([v.unsqueeze(1) for v in vectors], [one_step] * len(vectors))
        return Output(embedding, self.head(embedding), gates)
