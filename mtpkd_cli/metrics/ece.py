"""Expected calibration error: how far confidence and accuracy are apart; in [0, 1], 0 iff equal in every bin.

Mean over samples of |accuracy - mean confidence| of their bin, in 15 bins of equal width of the largest probability
(Guo et al. 2017, On Calibration of Modern Neural Networks, ICML).

Few samples make it larger than it is: bins hold few of them, and absolute values do not cancel. So everywhere (scores,
calibration figure, model card, intervals, tests) it is that of all test predictions of all folds and seeds put
together, in the bins that the calibration figure shows, never a mean over folds; and its interval is laid around it,
since resamples, which hold fewer different people, are larger for the same reason.
"""

import numpy as np

from mtpkd_cli.metrics._calibration import reliability
from mtpkd_cli.metrics._inputs import Weights

TASK = "classification"
GREATER_IS_BETTER = False
LABEL = "ECE"
UNIT = ""
POOLED = True
# 2: of all folds and seeds together, where it was a mean over them.
VERSION = 2


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) error; NaN where all weights are zero.

    Raises:
        NumericalError: A row of scores is no distribution.
    """
    return reliability(labels, scores, weights).error
