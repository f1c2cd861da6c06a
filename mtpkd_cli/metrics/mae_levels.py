"""Mean absolute error in levels of the median class, for classes in an order; in [0, C - 1], 0 iff all are right.

The median class is the lowest one up to which at least half of the probability lies: of all single answers the one with
the least expected error in levels, where the largest probability alone would ignore how far off the others are.
"""

import numpy as np

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.metrics._inputs import Weights, class_inputs, ratio, weight_rows

TASK = "ordinal"
GREATER_IS_BETTER = False
LABEL = "MAE (levels)"
UNIT = "levels"


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) mean absolute error; NaN where all weights are zero.

    Raises:
        NumericalError: A score is negative, or a row of them is zero: there is no median then.
    """
    labels, scores = class_inputs(labels, scores)
    rows = weight_rows(weights, len(labels))
    total = scores.sum(axis=1, dtype=np.float64)
    if scores.min() < 0 or total.min() <= 0:
        raise NumericalError("scores of classes in an order are no probabilities", expected="0 or more, not all 0")
    # The sum of a row is rounded: without a margin, an exact half would fall to either side.
    median = (np.cumsum(scores, axis=1, dtype=np.float64) >= (0.5 - 1e-6) * total[:, None]).argmax(axis=1)
    return ratio(rows @ np.abs(median - labels), rows.sum(axis=1))
