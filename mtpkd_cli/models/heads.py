"""Heads: embedding -> logits, for unordered classes (or targets), or for classes in an order.

Legend: B batch, d embedding size, C classes. An ordinal head gives log-probabilities, and softmax(log p) = p, so
losses, soft labels and metrics take its logits as they take any others.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("softmax", "ordinal")
LEAST_GAP = 1e-3
"""Distance that neighbouring thresholds keep, so that no class can vanish."""


class OrdinalHead(nn.Module):
    """The proportional-odds model: one score s per sample, cut by sorted thresholds into C classes.

        P(y <= c) = sigma(theta_c - s),   p_c = sigma(theta_c - s) - sigma(theta_{c-1} - s)

    All classes are separated along the same direction of the embedding, so a head of d + C - 1 numbers serves C levels.
    The thresholds start where all classes are equally likely for s = 0.

    Args:
        embedding: Embedding size d.
        classes: Classes C >= 2, the lowest first.

    References:
        McCullagh 1980, Regression models for ordinal data, JRSS B 42:109-142.
    """

    def __init__(self, embedding: int, classes: int) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"an ordinal head needs 2 classes or more, received {classes}")
        self.score = nn.Linear(embedding, 1, bias=False)
        start = torch.logit(torch.arange(1, classes) / classes)
        self.lowest = nn.Parameter(start[:1].clone())
        # softplus(raw) + LEAST_GAP is the gap.
        self.raw_gaps = nn.Parameter(torch.expm1(start.diff() - LEAST_GAP).log())

    @property
    def gaps(self) -> Tensor:
        """(C - 2,) distances of neighbouring thresholds, all above 0."""
        return functional.softplus(self.raw_gaps) + LEAST_GAP

    @property
    def thresholds(self) -> Tensor:
        """(C - 1,) sorted thresholds theta."""
        return torch.cat([self.lowest, self.lowest + self.gaps.cumsum(0)])

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, d) -> (B, C) log-probabilities."""
        # Under autocast the score comes in half precision; differences to thresholds do not.
        score = self.score(embedding).to(self.lowest.dtype)
        return log_probabilities(score, self.thresholds, self.gaps)


def log_probabilities(score: Tensor, thresholds: Tensor, gaps: Tensor) -> Tensor:
    """Log-probabilities of a cumulative logit model, finite for every finite score.

    With a = theta_c - s and b = theta_{c-1} - s, sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - exp(-(a - b))), and
    a - b is a gap, which does not depend on s: nothing is subtracted that could cancel.

    Args:
        score: (B, 1).
        thresholds: (C - 1,) sorted.
        gaps: (C - 2,) > 0, their differences.

    Returns:
        (B, C), each row's exponentials summing to 1.
    """
    distance = thresholds - score
    below, above = functional.logsigmoid(distance), functional.logsigmoid(-distance)
    between = below[:, 1:] + above[:, :-1] + torch.log(-torch.expm1(-gaps))
    return torch.cat([below[:, :1], between, above[:, -1:]], dim=1)


def head_of(kind: str, embedding: int, outputs: int) -> nn.Module:
    """Makes a head of a kind for C classes or targets."""
    if kind not in KINDS:
        raise ValueError(f"there is no head '{kind}', expected one of {KINDS}")
    return OrdinalHead(embedding, outputs) if kind == "ordinal" else nn.Linear(embedding, outputs)
