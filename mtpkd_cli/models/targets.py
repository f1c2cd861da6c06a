"""Targets of a regression: models learn them in standard deviations from the mean of the training people.

Ratings of 0 to 10, heights in centimetres and valences of -1 to 1 are then learned alike: a loss, a learning rate and a
weight decay mean the same for each of them, and so does a difference between two targets. Everything outside of a fit
(files, scores, predictions) is in the units of the corpus: a fitted model restores them with its last step.

Legend: N samples, C targets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtpkd_cli.models.class_balance import ClassShift
from mtpkd_cli.models.losses import valid_targets


@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation of each target, as model.json holds them.

    Args:
        mean: C numbers, in the units of the targets.
        scale: C numbers > 0, likewise.
    """

    mean: list[float]
    scale: list[float]

    @classmethod
    def of(cls, labels: Tensor) -> "TargetScale":
        """Takes them from the labels (N, C) of the training people; masked entries do not count.

        A target that does not vary keeps its unit, and one that is never there counts from zero.
        """
        rows = torch.where(valid_targets(labels), labels, torch.nan).double()
        mean = rows.nanmean(0).nan_to_num(0.0)
        variance = ((rows - mean) ** 2).nanmean(0).nan_to_num(0.0)
        # What rounding leaves of a constant is no spread.
        constant = variance <= 1e-12 * mean.square().clamp(min=torch.finfo(torch.float32).tiny)
        return cls(mean.tolist(), torch.where(constant, 1.0, variance.sqrt()).tolist())

    def plain(self) -> dict[str, Any]:
        """As model.json holds it."""
        return asdict(self)

    def standardised(self, labels: Tensor) -> Tensor:
        """(N, C) labels -> standard deviations from the mean; NaN where a label is masked."""
        return self.of_predictions(labels)

    def of_predictions(self, predictions: Tensor) -> Tensor:
        """(..., C) predictions in units of the targets -> standard deviations from the mean."""
        mean, scale = (torch.tensor(column, dtype=torch.float64, device=predictions.device) for column in self._columns)
        return ((predictions.double() - mean) / scale).to(predictions.dtype)

    @property
    def _columns(self) -> tuple[list[float], list[float]]:
        return self.mean, self.scale


class TargetUnits(nn.Module):
    """The last step of a model: (..., C) standard deviations -> units of the targets; nothing where there is no scale.

    What it does is told by the model's arguments (model.json), so it adds no weights.
    """

    def __init__(self, scale: TargetScale | None) -> None:
        super().__init__()
        self.scale = scale
        if scale is not None:
            self.register_buffer("mean", torch.tensor(scale.mean), persistent=False)
            self.register_buffer("deviation", torch.tensor(scale.scale), persistent=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """Restores units."""
        if self.scale is None:
            return outputs
        return outputs * self.get_buffer("deviation") + self.get_buffer("mean")


class InTargetUnits(nn.Module):
    """A model whose outputs are in units of the targets, or of balanced classes: `units` is its last step."""

    units: TargetUnits | ClassShift

    @property
    def scale(self) -> TargetScale | None:
        """Of its targets; None in classification."""
        return self.units.scale

    @contextmanager
    def standard_units(self) -> Iterator[None]:
        """Within the block its outputs are as losses take them: in standard deviations, without a shift of classes."""
        units, self.units = self.units, TargetUnits(None)
        try:
            yield
        finally:
            self.units = units


def units_of(
    targets: dict[str, list[float]] | None, class_shift: list[float] | None = None
) -> TargetUnits | ClassShift:
    """The last step of a model, from its arguments: mean and scale of targets, a shift of classes, or neither."""
    if class_shift is not None:
        return ClassShift(class_shift)
    return TargetUnits(None if targets is None else TargetScale(**targets))
