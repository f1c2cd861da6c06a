"""Calibration: one temperature that makes held-out class probabilities as likely as they can be.

Legend: N samples, C classes. Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML
2017, arXiv 1706.04599 (temperature scaling).
"""

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from mtpkd_cli.models.losses import task_loss

LIMITS = (0.05, 20.0)
"""Bounds of a temperature: a handful of samples that are all right, or all wrong, asks for 0 or infinity."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Temperature t > 0 with the least mean cross-entropy of logits / t; 1 for regression and for no sample.

    Args:
        logits: (N, C) of a model that has not learned from these samples; in-fold logits give a t that is too small.
        labels: (N,) long classes, or (N, C) float targets.
    """
    if labels.is_floating_point() or len(labels) == 0:
        return 1.0
    precise, wanted = logits.detach().double().cpu(), labels.cpu()
    minimum = minimize_scalar(
        lambda log_t: task_loss(precise / math.exp(log_t), wanted).item(),
        bounds=[math.log(limit) for limit in LIMITS],
        method="bounded",
        options={"xatol": 1e-4},
    )
    return math.exp(minimum.x)


def calibrated_loss(logits: Tensor, labels: Tensor) -> float:
    """Cross-entropy at the best temperature, or 1 - CCC: how well a model separates samples, over-confident or not.

    Students of soft labels are less sure than those of hard labels; by raw cross-entropy they would win for that alone.
    """
    return task_loss(torch.div(logits.double(), fit_temperature(logits, labels)), labels).item()
