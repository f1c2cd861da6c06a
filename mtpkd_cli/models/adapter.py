"""Adapter: a teacher's embedding -> the joint space. T-Net: the prevalent embedding -> hallucinated privileged ones."""

from torch import Tensor, nn

from mtpkd_cli.models.heads import head_of


class Adapter(nn.Module):
    """A_m: (B, d) -> (B, d), into the joint teacher's space, with a head U_m on what it gives.

    Args:
        embedding: Embedding size d.
        outputs: Classes or targets C.
        kind: "mlp" (residual, so that it starts near the identity) or "linear" as in the released code.
        head: "softmax", or "ordinal" for classes in an order.
    """

    def __init__(self, embedding: int, outputs: int, kind: str, head: str = "softmax") -> None:
        super().__init__()
        self.linear = nn.Linear(embedding, embedding)
        self.residual = None if kind == "linear" else _mlp(embedding, embedding)
        self.head = head_of(head, embedding, outputs)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the aligned embedding a_m (B, d) and the logits U_m(a_m) (B, C)."""
        aligned = self.linear(embedding)
        if self.residual is not None:
            aligned = aligned + self.residual(embedding)
        return aligned, self.head(aligned)


class TNet(nn.Module):
    """R: prevalent embedding -> one hallucinated embedding per privileged modality.

    Args:
        embedding: Embedding size d.
        privileged: Number of privileged modalities P.
    """

    def __init__(self, embedding: int, privileged: int) -> None:
        super().__init__()
        self.privileged = privileged
        self.net = _mlp(embedding, privileged * embedding)

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, d) -> (B, P, d)."""
        hallucinated: Tensor = self.net(embedding)
        return hallucinated.unflatten(1, (self.privileged, -1))


def _mlp(size: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, outputs))
