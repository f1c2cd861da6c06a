"""Metrics: one file each, every one vectorised over weightings, and their uncertainty over subjects.

Legend: N samples, C classes or targets, R resamples, S subjects, P parts (one per fold and seed). A metric file has

    TASK               "classification", "regression", or "ordinal": classification whose classes have an order
    GREATER_IS_BETTER  bool
    LABEL              how tables print it, e.g. "balanced accuracy"
    UNIT               "", "target units" or "levels"
    ORDER_ONLY         bool, left out where false: of a column of scores only the order counts
    POOLED             bool, left out where false: it is of all test predictions together, no mean over folds and seeds
    VERSION            int, left out where 1: raised where the same predictions get another value; makes scores stale
    MOMENTS            regression only, where true: labels and scores count by their first and second moments alone
    metric             (labels, scores, weights=None) -> (R,) float64; NaN where it is undefined
    THRESHOLD          optional; "validation": for two classes only, scores are those of `scores_at_threshold` at the
                       threshold that validation subjects chose
    per_target         regression only: (labels, scores, weights=None) -> (R, C); `metric` is its mean over targets

    classification     labels (N,) int in [0, C); scores (N, C) finite, the largest decides, ties to the lowest class
    ordinal            labels (N,) int in [0, C), classes in their order; scores (N, C) probabilities
    regression         labels (N, C); scores (N, C) finite; -5 in any target ignores that row, NaN ignores that entry
    weights            (R, N) >= 0, one weighting per row, e.g. how often a bootstrap drew each sample;
                       None = every sample once, R = 1

So an interval costs a few matrix products, not R calls. A sample of weight zero counts as absent: its class does not
enter a mean over classes either.
"""

from mtpkd_cli.metrics._calibration import reliability
from mtpkd_cli.metrics._comparison import (
    RepetitionParts,
    holm,
    paired_parts,
    permutation_p,
    subject_scores,
    subject_swaps,
)
from mtpkd_cli.metrics._confusion import confusion
from mtpkd_cli.metrics._inputs import Weights
from mtpkd_cli.metrics._targets import mean_over_recordings, parts_by_recording, target_metric
from mtpkd_cli.metrics._threshold import USUAL as USUAL_THRESHOLD
from mtpkd_cli.metrics._threshold import best_threshold, scores_at_threshold
from mtpkd_cli.metrics._uncertainty import (
    Estimate,
    Metric,
    Part,
    Resampled,
    around,
    bootstrap_weights,
    difference,
    fold_mean,
    interval,
    put_together,
    resampled_scores,
    subject_weights,
)
from mtpkd_cli.metrics._versus import Transfer, Versus, best_of, one_family, transfer, versus

__all__ = [
    "USUAL_THRESHOLD",
    "Estimate",
    "Metric",
    "Part",
    "RepetitionParts",
    "Resampled",
    "Transfer",
    "Versus",
    "Weights",
    "around",
    "best_of",
    "best_threshold",
    "bootstrap_weights",
    "confusion",
    "difference",
    "fold_mean",
    "holm",
    "interval",
    "mean_over_recordings",
    "one_family",
    "paired_parts",
    "parts_by_recording",
    "permutation_p",
    "put_together",
    "reliability",
    "resampled_scores",
    "scores_at_threshold",
    "subject_scores",
    "subject_swaps",
    "subject_weights",
    "target_metric",
    "transfer",
    "versus",
]
