"""Branches beside something simpler: they start small or at zero, and are silent for whole samples in training."""

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALL = 0.1


def scaled_start(layer: nn.Linear, scale: float) -> nn.Linear:
    """Multiplies the weights that a layer was drawn with, and zeroes its bias; with 0 its output starts at zero."""
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.zero_()
    return layer


class StochasticDepth(nn.Module):
    """Zeros a branch's output for a sample with probability p in training, and scales what is left by 1 / (1 - p).

    The simpler part beside the branch has to do without it half of the time, so it goes on learning when the branch
    already knows the training subjects by heart. In evaluation the branch is always there.

    Args:
        p: Probability of silence, in [0, 1).

    References:
        Huang et al. 2016, Deep networks with stochastic depth, ECCV, doi 10.1007/978-3-319-46493-0_39.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, branch: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training or self.p == 0:
            return branch
        kept = branch.new_ones(branch.shape[0], *(1 for _ in branch.shape[1:]))
        return branch * functional.dropout(kept, self.p)
