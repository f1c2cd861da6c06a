"""Pearson correlation coefficient, mean over targets; in [-1, 1], blind to scale and offset."""

import numpy as np

from mtpkd_cli.metrics._inputs import Weights, ratio
from mtpkd_cli.metrics._moments import moments_of

TASK = "regression"
GREATER_IS_BETTER = True
LABEL = "PCC"
UNIT = ""
MOMENTS = True


def per_target(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R, C) PCC; NaN where predictions or labels are constant or no valid entry has weight."""
    moments = moments_of(labels, scores, weights)
    return ratio(moments.covariance, np.sqrt(moments.variance_labels) * np.sqrt(moments.variance_scores))


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) PCC, mean over targets; NaN where it is undefined for one target."""
    return per_target(labels, scores, weights).mean(axis=1)
