"""Balanced accuracy of two classes at the threshold that validation subjects chose; in [0, 1], chance is 0.5.

The scores that it is given are those of `scores_at_threshold`: equal where the probability is the threshold. It was
chosen on validation subjects of the same fold and seed, never on test subjects, so it shows how much a plain balanced
accuracy loses by the threshold alone.
"""

import numpy as np

from mtpkd_cli.metrics._confusion import class_counts, mean_recall
from mtpkd_cli.metrics._inputs import Weights

TASK = "classification"
GREATER_IS_BETTER = True
LABEL = "balanced accuracy, tuned"
UNIT = ""
THRESHOLD = "validation"


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) mean recall over the classes with positive weight in that row; NaN where all weights are zero."""
    return mean_recall(class_counts(labels, scores, weights))
