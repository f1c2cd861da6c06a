"""Mean recall over the classes present; in [0, 1], chance is 1 / number of classes present."""

import numpy as np

from mtpkd_cli.metrics._confusion import class_counts, mean_recall
from mtpkd_cli.metrics._inputs import Weights

TASK = "classification"
GREATER_IS_BETTER = True
LABEL = "balanced accuracy"
UNIT = ""


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) mean recall over the classes with positive weight in that row; NaN where all weights are zero."""
    return mean_recall(class_counts(labels, scores, weights))
