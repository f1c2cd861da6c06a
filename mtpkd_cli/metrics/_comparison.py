"""What a reviewer asks of a difference: may it be chance, and who loses by it.

The permutation test keeps people whole: under the null hypothesis two methods are exchangeable within each subject, so
all predictions of a subject, over all folds and seeds, change places together. Every method is compared under the same
swaps. The statistic is the study's own, the mean over parts (one part = one fold and seed) of the difference of their
scores, so it fits metrics that are no mean over subjects, such as AUROC and CCC.

References: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3; Venkatraman and Begg 1996,
Biometrika 83:835-848 (ranks that change places, of paired ROC curves); Phipson and Smyth 2010,
SAGMB 9:39 (why a drawn p is never 0); Holm 1979, Scandinavian Journal of Statistics 6:65-70.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import rankdata

from mtpkd_cli.metrics._uncertainty import Metric, Part, fold_mean, part_values, put_together

# Two statistics that are equal but for the order of summation count as equal.
TIE = 1e-12

Pair = tuple[Part, Part]
RepetitionParts = Mapping[str, tuple[np.ndarray, Part]]
"""A method's test predictions: "fold/seed" -> row numbers of the samples, predictions."""


def subject_swaps(n_subjects: int, n_swaps: int, seed: int) -> np.ndarray:
    """Returns (R, S) bool: whose predictions change places; row 0 swaps nobody.

    All 2^S where there are no more than `n_swaps` of them, otherwise 1 + `n_swaps` rows of which the rest is drawn.
    """
    if 2**n_subjects <= n_swaps:
        return (np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects)) % 2 == 1
    drawn = np.random.default_rng(seed).integers(0, 2, size=(n_swaps, n_subjects), dtype=np.int8)
    return np.concatenate([np.zeros((1, n_subjects), bool), drawn.astype(bool)])


def permutation_p(
    metric: Metric,
    pairs: Sequence[Pair],
    subjects_order: Sequence[str],
    swaps: np.ndarray,
    *,
    ranked: bool = False,
    pooled: bool = False,
) -> float:
    """Returns the two-sided p of a paired permutation test over subjects; NaN where the difference is undefined.

    Args:
        metric: A metric file's `metric`.
        pairs: Both methods' predictions of the same samples, one pair per fold and seed (`paired_parts`).
        subjects_order: (S,) the subjects, in the order of the columns of `swaps`.
        swaps: (R, S) from `subject_swaps`.
        ranked: Only the order of a column of scores counts to the metric (its ORDER_ONLY), so ranks change places.
            Scores would not do: of a method that is less sure, all samples of a person would rank in the middle.
        pooled: The metric's POOLED, as of `resampled_scores`.
    """
    if not pairs:
        return float("nan")
    if pooled:
        pairs = [(put_together([first for first, _ in pairs]), put_together([second for _, second in pairs]))]
    column = {subject: index for index, subject in enumerate(subjects_order)}
    differences = []
    for pair in pairs:
        ours, theirs = (_ranked(part) for part in pair) if ranked else pair
        distinct, subject_of = np.unique(ours.subjects, return_inverse=True)
        swapped = swaps[:, [column[subject] for subject in distinct]].astype(np.float64)
        both = Part(*(np.concatenate(halves) for halves in zip(_columns(ours), _columns(theirs), strict=True)))
        owner = np.concatenate([subject_of, subject_of + len(distinct)])
        # A weight of one picks ours or theirs of each subject, so no prediction is copied per permutation.
        first = part_values(metric, both, np.hstack([1 - swapped, swapped]), owner)
        second = part_values(metric, both, np.hstack([swapped, 1 - swapped]), owner)
        differences.append(first - second)
    values = np.stack(differences)
    statistic = np.abs(fold_mean(values, np.ones(values.shape)))
    if np.isnan(statistic[0]):
        return float("nan")
    defined = statistic[~np.isnan(statistic)]
    return float((defined >= statistic[0] - TIE).mean())


def paired_parts(ours: RepetitionParts, theirs: RepetitionParts) -> list[Pair]:
    """Returns a pair per fold and seed that both have: their predictions of the samples that both have scored."""
    pairs = []
    for key in sorted(set(ours) & set(theirs)):
        (rows, part), (other_rows, other) = ours[key], theirs[key]
        _, mine, its = np.intersect1d(rows, other_rows, assume_unique=True, return_indices=True)
        if len(mine):
            pairs.append((_rows_of(part, mine), _rows_of(other, its)))
    return pairs


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Returns name -> p corrected for the number of tests by Holm's step-down; NaN stays and counts as no test."""
    ranked = sorted((p, name) for name, p in p_values.items() if not np.isnan(p))
    corrected = {name: float("nan") for name in p_values}
    largest = 0.0
    for index, (p, name) in enumerate(ranked):
        largest = max(largest, min(1.0, p * (len(ranked) - index)))
        corrected[name] = largest
    return corrected


def subject_scores(
    metric: Metric, parts: Sequence[Part], subjects_order: Sequence[str], *, pooled: bool = False
) -> np.ndarray:
    """Returns (S,) each subject's score, the mean over the parts that hold the subject; NaN where undefined.

    Of a metric that is `pooled` it is the score of all predictions of the subject.

    A metric over several classes may be undefined for a person who shows only one of them.
    """
    column = {subject: index for index, subject in enumerate(subjects_order)}
    parts = [put_together(parts)] if pooled and parts else parts
    values = np.full((len(parts), len(subjects_order)), np.nan)
    for row, part in zip(values, parts, strict=True):
        distinct, subject_of = np.unique(part.subjects, return_inverse=True)
        row[[column[s] for s in distinct]] = part_values(metric, part, np.eye(len(distinct)), subject_of)
    return fold_mean(values, np.ones(values.shape))


def _ranked(part: Part) -> Part:
    return replace(part, scores=rankdata(part.scores, axis=0))


def _columns(part: Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return part.labels, part.scores, part.subjects


def _rows_of(part: Part, rows: np.ndarray) -> Part:
    return Part(*(column[rows] for column in _columns(part)))
