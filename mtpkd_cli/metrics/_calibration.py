"""Whether a probability may be believed: confidence against accuracy, in bins of equal width.

Confidence is the largest probability of a sample, (0, 1]; bin b of B holds (b / B, (b + 1) / B].

References: Guo et al. 2017, On Calibration of Modern Neural Networks, ICML; DeGroot and Fienberg 1983 (reliability).
"""

from dataclasses import dataclass

import numpy as np

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.metrics._inputs import Weights, class_inputs, ratio, weight_rows

BINS = 15
# A row of float32 probabilities adds up to 1 within this.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Reliability:
    """One entry per bin, R rows of weights.

    Args:
        weight: (R, B) of the samples in the bin.
        confidence: (R, B) their mean confidence, NaN where the bin is empty.
        accuracy: (R, B) the share of them that is right, NaN where the bin is empty.
    """

    weight: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """(R,) expected calibration error: mean over samples of |accuracy - confidence| of their bin; NaN if empty."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return ratio((self.weight * gaps).sum(axis=1), self.weight.sum(axis=1))


def reliability(labels: np.ndarray, scores: np.ndarray, weights: Weights | None, bins: int = BINS) -> Reliability:
    """Bins the samples by confidence; labels, scores and weights as a metric takes them, scores being probabilities.

    Raises:
        NumericalError: A row of scores is no distribution.
    """
    labels, scores = class_inputs(labels, scores)
    rows = weight_rows(weights, len(labels))
    scores = scores.astype(np.float64)
    bad = (scores.min(axis=1) < 0) | (np.abs(scores.sum(axis=1) - 1) > ROUNDING)
    if bad.any():
        raise NumericalError(
            f"{int(bad.sum())} rows of scores are no probabilities",
            where=f"first in row {int(bad.argmax())}",
            expected="0 or more, adding up to 1",
        )
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    member = np.eye(bins)[np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)]
    columns = np.concatenate([member, member * confidence[:, None], member * right[:, None]], axis=1)
    weight, sure, hits = np.split(rows @ columns, 3, axis=1)
    return Reliability(weight, ratio(sure, weight), ratio(hits, weight))
