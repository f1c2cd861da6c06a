"""Root mean squared error, mean over targets; in [0, inf), 0 iff every prediction equals its label."""

import numpy as np

from mtpkd_cli.metrics._inputs import Weights
from mtpkd_cli.metrics._moments import moments_of

TASK = "regression"
GREATER_IS_BETTER = False
LABEL = "RMSE"
UNIT = "target units"
MOMENTS = True


def per_target(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R, C) RMSE; NaN where no valid entry has weight."""
    return np.sqrt(moments_of(labels, scores, weights).mean_squared_error)


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) RMSE, mean over targets; NaN where one target has no valid entry."""
    return per_target(labels, scores, weights).mean(axis=1)
