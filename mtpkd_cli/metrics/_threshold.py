"""The threshold between two classes, chosen where it may be chosen: on validation subjects.

A student that was fitted on unequal classes, or whose probabilities are off, can rank samples well and still predict
one class too often. Scores at the threshold that is best for validation subjects show which it is.
"""

import numpy as np

USUAL = 0.5


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the probability of class 1 above which class 1 is predicted, for the largest balanced accuracy.

    Of equally good ones the nearest to 0.5, which is what is returned where only one class occurs.

    Args:
        labels: (N,) int, 0 or 1, of validation samples.
        scores: (N, 2) probabilities.
    """
    positive, probability = labels == 1, scores[:, 1].astype(np.float64)
    if not len(labels) or positive.all() or not positive.any():
        return USUAL
    values = np.unique(probability)
    # Between two neighbours all thresholds predict alike, and the middle is the furthest from both.
    tried = np.append((values[1:] + values[:-1]) / 2, USUAL)
    missed = np.searchsorted(np.sort(probability[positive]), tried, side="right") / positive.sum()
    spared = np.searchsorted(np.sort(probability[~positive]), tried, side="right") / (~positive).sum()
    quality = (1 - missed + spared) / 2
    best = tried[quality >= quality.max() - 1e-12]
    return float(best[np.abs(best - USUAL).argmin()])


def scores_at_threshold(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Returns (N, 2) scores, the larger of the class that the threshold predicts; at it both are equal, class 0.

    Args:
        scores: (N, 2) probabilities.
    """
    above = scores[:, 1].astype(np.float64) - threshold
    return np.stack([-above, above], axis=1)
