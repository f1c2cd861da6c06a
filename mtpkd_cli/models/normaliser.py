"""Standardising features by what is known of the training subjects."""

import torch
from torch import Tensor, nn


class Normaliser(nn.Module):
    """Standardises features by statistics of the training subjects, which are stored in the model.

    A missing cell (NaN) becomes the training mean. Values beyond `limit` standard deviations are clipped, since one
    artefact of a sensor must not drown a sample.

    Args:
        features: Feature size D.
        limit: Clipping bound in standard deviations.
    """

    def __init__(self, features: int, limit: float = 8.0) -> None:
        super().__init__()
        self.limit = limit
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit(self, values: Tensor, mask: Tensor) -> None:
        """Takes mean and standard deviation over the existing steps of (N, T, D) values; cells may be NaN."""
        rows = values[mask].double()
        count = (~rows.isnan()).sum(0).clamp(min=1)
        mean = rows.nansum(0) / count
        variance = ((rows - mean) ** 2).nansum(0) / count
        self.mean.copy_(mean)
        # A constant feature says nothing: its deviation is zero up to rounding, and scale 1 keeps it there.
        constant = variance <= 1e-12 * mean.abs().clamp(min=1e-6) ** 2
        self.scale.copy_(torch.where(constant, torch.ones_like(variance), variance.sqrt()))

    def forward(self, values: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D), finite."""
        return ((values - self.mean) / self.scale).nan_to_num(0.0).clamp(-self.limit, self.limit)
