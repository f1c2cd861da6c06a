"""Share of samples whose class is predicted right; in [0, 1]."""

import numpy as np

from mtpkd_cli.metrics._confusion import class_counts
from mtpkd_cli.metrics._inputs import Weights, ratio

TASK = "classification"
GREATER_IS_BETTER = True
LABEL = "accuracy"
UNIT = ""


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) accuracy; NaN where all weights are zero."""
    counts = class_counts(labels, scores, weights)
    return ratio(counts.hits.sum(axis=1), counts.support.sum(axis=1))
