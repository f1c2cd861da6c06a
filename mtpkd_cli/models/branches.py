"""Branches beside something simpler: they start small or at zero, and are silent for whole samples in training."""

import torch
from torch import Tensor, nn

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
    already knows the training subjects by heart. In evaluation the branch is always there. Who is silent is drawn first
    and the branch is computed for the others alone: what is multiplied by zero costs nothing.

    Args:
        p: Probability of silence, in [0, 1).

    References:
        Huang et al. 2016, Deep networks with stochastic depth, ECCV, doi 10.1007/978-3-319-46493-0_39.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def heard(self, samples: int, device: torch.device) -> Tensor | None:
        """Draws the samples whose branch is not silent, (b,) long, in their order; None where all are heard."""
        if not self.training or self.p == 0:
            return None
        return torch.nonzero(torch.rand(samples) >= self.p).squeeze(1).to(device)

    def forward(self, branch: Tensor, heard: Tensor | None, samples: int) -> Tensor:
        """(b, ...) of the samples that are heard -> (B, ...), zeros where a sample is silent."""
        if heard is None:
            return branch
        return branch.new_zeros(samples, *branch.shape[1:]).index_copy(0, heard, branch / (1 - self.p))
