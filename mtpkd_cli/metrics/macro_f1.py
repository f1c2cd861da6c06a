"""Mean F1 over the classes present in labels or predictions; in [0, 1]."""

import numpy as np

from mtpkd_cli.metrics._confusion import class_counts
from mtpkd_cli.metrics._inputs import Weights, ratio

TASK = "classification"
GREATER_IS_BETTER = True
LABEL = "macro F1"
UNIT = ""


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) macro F1 over the classes with weight in labels or predictions; NaN if all weights are zero.

    A class that is predicted but never occurs, or occurs but is never hit, scores 0, as in scikit-learn with
    `zero_division=0`.
    """
    counts = class_counts(labels, scores, weights)
    named = counts.support + counts.predicted
    f1 = np.nan_to_num(ratio(2 * counts.hits, named))
    return ratio(f1.sum(axis=1), (named > 0).sum(axis=1))
