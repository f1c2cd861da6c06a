"""How linear layers start: small, or at zero, where a network is to begin as something simpler than it is."""

import torch
from torch import nn

SMALL = 0.1


def started(layer: nn.Linear, scale: float) -> nn.Linear:
    """Multiplies the weights that a layer was drawn with, and takes its bias away; 0 makes it say nothing at first."""
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.zero_()
    return layer
