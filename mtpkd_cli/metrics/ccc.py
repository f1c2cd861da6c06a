"""Concordance correlation coefficient, mean over targets; in [-1, 1].

2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2) with population moments over all valid frames concatenated, not averaged over
recordings (Lin 1989, Biometrics 45:255-268; the measure of the ABAW challenges).
"""

import numpy as np

from mtpkd_cli.metrics._inputs import Weights
from mtpkd_cli.metrics._moments import moments_of

TASK = "regression"
GREATER_IS_BETTER = True
LABEL = "CCC"
UNIT = ""
MOMENTS = True


def per_target(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R, C) CCC.

    0 where predictions or labels are constant; 1 where both are constant and equal, since every prediction is right;
    NaN where no valid entry has weight.
    """
    moments = moments_of(labels, scores, weights)
    spread = moments.variance_labels + moments.variance_scores + moments.bias**2
    return np.divide(2 * moments.covariance, spread, out=np.ones(spread.shape), where=spread != 0)


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) CCC, mean over targets; NaN where one target has no valid entry."""
    return per_target(labels, scores, weights).mean(axis=1)
