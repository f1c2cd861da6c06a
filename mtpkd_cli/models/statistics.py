"""Statistics of a sample over its time steps, each on the scale that it has among the training samples."""

import torch
from torch import Tensor, nn

from mtpkd_cli.models.normaliser import Normaliser


class Statistics(nn.Module):
    """Mean and standard deviation over the existing steps, (B, T, D) -> (B, 2D), standardised by training samples.

    Features that are standardised over steps are not so over samples: a mean over many steps varies little, and a
    deviation hardly at all. Left as they are, they move a network less than noise does, and with a hundred samples it
    never learns what logistic regression of standardised statistics finds.

    Args:
        features: Feature size D.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.normaliser = Normaliser(2 * features)

    def fit(self, steps: Tensor, mask: Tensor) -> None:
        """Takes the training samples' statistics from (N, T, D) steps; samples without any step do not count."""
        there = mask.any(1)
        self.normaliser.fit(_statistics(steps[there], mask[there]).unsqueeze(1), there[there].unsqueeze(1))

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D) finite steps and (B, T) mask -> (B, 2D); zeros, the training mean, where there is no step."""
        standardised: Tensor = self.normaliser(_statistics(steps, mask))
        return standardised * mask.any(1, keepdim=True)


def _statistics(steps: Tensor, mask: Tensor) -> Tensor:
    there = mask.unsqueeze(-1).to(steps.dtype)
    count = there.sum(1).clamp(min=1)
    mean = (steps * there).sum(1) / count
    # The floor keeps the gradient of the root finite where all steps are alike.
    variance = (((steps - mean.unsqueeze(1)) * there) ** 2).sum(1) / count
    return torch.cat([mean, (variance + 1e-6).sqrt() - 1e-3], dim=1)
