"""Metrics: one file each, every one vectorised over weightings, and their uncertainty over subjects.

Legend: N samples, C classes or targets, R resamples, S subjects, P parts (one per fold and seed). A metric file has

    TASK               "classification", "regression", or "ordinal": classification whose classes have an order
    GREATER_IS_BETTER  bool
    LABEL              how tables print it, e.g. "balanced accuracy"
    UNIT               "", "target units" or "levels"
    metric             (labels, scores, weights=None) -> (R,) float64; NaN where it is undefined
    per_target         regression only: the same arguments -> (R, C); `metric` is its mean over targets

    classification     labels (N,) int in [0, C); scores (N, C) finite, the largest decides, ties to the lowest class
    ordinal            as classification; classes in their order, and scores are probabilities
    regression         labels (N, C); scores (N, C) finite; -5 in any target ignores that row, NaN ignores that entry
    weights            (R, N) >= 0, one weighting per row, e.g. how often a bootstrap drew each sample;
                       None = every sample once, R = 1

So an interval costs a few matrix products, not R calls. A sample of weight zero counts as absent: its class does not
enter a mean over classes either.
"""

from mtpkd_cli.metrics._comparison import holm, paired_parts, permutation_p, subject_scores, subject_swaps
from mtpkd_cli.metrics._uncertainty import (
    Estimate,
    Part,
    Resampled,
    bootstrap_weights,
    difference,
    fold_mean,
    interval,
    resampled_scores,
    subject_weights,
)

__all__ = [
    "Estimate",
    "Part",
    "Resampled",
    "bootstrap_weights",
    "difference",
    "fold_mean",
    "holm",
    "interval",
    "paired_parts",
    "permutation_p",
    "resampled_scores",
    "subject_scores",
    "subject_swaps",
    "subject_weights",
]
