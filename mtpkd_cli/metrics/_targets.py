"""Scores of one target of a regression: recordings put together, and recording by recording.

Put together, all samples of a fold and seed are one sequence, as the challenges score it: a model that only knows who
smiles much scores well. Recording by recording, the score is of each recording alone, averaged over recordings: only
what changes within a recording counts.
"""

from collections.abc import Callable, Sequence

import numpy as np

from mtpkd_cli.metrics._inputs import Weights, ratio, weight_rows
from mtpkd_cli.metrics._uncertainty import Metric, Part

PerTarget = Callable[[np.ndarray, np.ndarray, Weights | None], np.ndarray]
# With two samples every correlation is 1 or -1.
FEWEST_SAMPLES = 3


def target_metric(per_target: PerTarget, target: int) -> Metric:
    """Returns the metric of one target, (labels, scores, weights) -> (R,)."""

    def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
        return per_target(labels, scores, weights)[:, target]

    return metric


def parts_by_recording(per_target: PerTarget, parts: Sequence[Part], recordings: Sequence[np.ndarray]) -> list[Part]:
    """Returns one part per part, of which a row is a recording and its scores are those of its C targets.

    A recording of fewer than three samples has none (NaN). `mean_over_recordings` is the metric of such parts.

    Args:
        recordings: Per part (N,), which recording each sample is of.
    """
    result = []
    for part, names in zip(parts, recordings, strict=True):
        distinct, first = np.unique(names, return_index=True)
        scores = np.full((len(distinct), part.scores.shape[1]), np.nan)
        for row, name in enumerate(distinct):
            of_recording = names == name
            if of_recording.sum() >= FEWEST_SAMPLES:
                scores[row] = per_target(part.labels[of_recording], part.scores[of_recording], None)[0]
        result.append(Part(np.zeros(len(distinct)), scores, part.subjects[first]))
    return result


def mean_over_recordings(target: int) -> Metric:
    """Returns a metric of `parts_by_recording`: (R,) weighted mean of one target's scores over recordings."""

    def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
        column = scores[:, target]
        present = ~np.isnan(column)
        summed, total = (weight_rows(weights, len(labels)) @ np.stack([np.nan_to_num(column), present], axis=1)).T
        return ratio(summed, total)

    return metric
