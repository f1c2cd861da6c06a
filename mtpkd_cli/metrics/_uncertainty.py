"""Uncertainty over subjects: a bootstrap that draws people, not samples, once for a whole study.

Samples of one person are alike, so an interval must say how the result would move with other people. Subjects are
drawn with replacement once over the study, and the same draws weigh every fold, seed and method: differences between
methods are paired, and folds and seeds that share test subjects are not counted as independent.

The study's estimator is the mean over parts (one part = the test samples of one fold and seed). In a resample a part
weighs (draws of its subjects) / (number of its subjects): 1 in the data as they are, 0 when none of its subjects was
drawn. Without that weight, folds of one subject would count distinct people only, and the intervals of
leave-one-subject-out would be about a quarter too narrow.

A metric that is POOLED is no mean over parts: all test predictions, of all folds and seeds, are one part, for with few
predictions per bin it says how few they are. Such a metric (a sum of absolute values) is larger in nearly every
resample than in the data, so its resamples are moved until their median is its point: they tell how far it moves.

References: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13 (percentile interval);
Field and Welsh 2007, JRSS B 69:369-390 (resampling clusters). The percentile interval is narrow by about
sqrt((S - 1) / S) for few subjects S.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtpkd_cli.metrics._inputs import SubjectWeights, Weights

# Elements of the largest (rows, N) block of weights held at once: 80 MB as float64.
BLOCK_ELEMENTS = 10_000_000
# Draws of more subjects than these hardly repeat, and sorting them out would take longer than scoring them.
FEW_SUBJECTS = 8

Metric = Callable[[np.ndarray, np.ndarray, Weights | None], np.ndarray]


@dataclass(frozen=True)
class Part:
    """The test samples of one fold and seed.

    Args:
        labels: (N,) int or (N, C) float, as the metric takes them.
        scores: (N, C).
        subjects: (N,) whose sample each row is.
    """

    labels: np.ndarray
    scores: np.ndarray
    subjects: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.scores) == len(self.subjects):
            raise ValueError(f"{len(self.labels)} labels, {len(self.scores)} scores, {len(self.subjects)} subjects")


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; low and high are NaN where no resample defined the value."""

    value: float
    low: float
    high: float
    n_resamples_used: int


@dataclass(frozen=True)
class Resampled:
    """A score and its bootstrap values.

    Args:
        point: The score of the data as they are: mean over the parts where it is defined, else NaN.
        values: (R,) the score in every resample; NaN where no part defined it, or where there is one subject only.
        undefined_parts: Parts whose score is undefined (AUROC with one class) and so left out of the point.
        undefined_values: Pairs (part, resample) that were drawn but undefined, and so left out of `values`.
    """

    point: float
    values: np.ndarray
    undefined_parts: int
    undefined_values: int

    @property
    def estimate(self) -> Estimate:
        """The score with its 95 % interval."""
        return interval(self.values, self.point)


def put_together(parts: Sequence[Part]) -> Part:
    """One part of all test predictions; a sample counts once per seed."""
    labels, scores, subjects = zip(*((part.labels, part.scores, part.subjects) for part in parts), strict=True)
    return Part(np.concatenate(labels), np.concatenate(scores), np.concatenate(subjects))


def bootstrap_weights(n_subjects: int, n_resamples: int, seed: int) -> np.ndarray:
    """Returns (R, S) float32: how often each subject was drawn in S draws with replacement; rows sum to S."""
    draws = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_resamples)
    return draws.astype(np.float32)


def subject_weights(subjects: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Returns (R, N) float32: how often each sample's subject was drawn; columns in the order of the samples.

    The whole matrix is in memory; `resampled_scores` works in blocks instead.
    """
    distinct, column = np.unique(subjects, return_inverse=True)
    return bootstrap_weights(len(distinct), n_resamples, seed)[:, column]


def fold_mean(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Returns the mean over parts, (P, R) -> (R,), leaving out undefined values.

    Args:
        values: (P, R) score of each part in each resample, NaN = undefined.
        shares: (P, R) >= 0, weight of the part in the mean; 0 = none of its subjects was drawn.
    """
    shares = np.where(np.isnan(values), 0.0, shares)
    total = shares.sum(axis=0)
    weighted = (np.nan_to_num(values) * shares).sum(axis=0)
    return np.divide(weighted, total, out=np.full(total.shape, np.nan), where=total > 0)


def resampled_scores(
    metric: Metric,
    parts: Sequence[Part],
    subjects_order: Sequence[str],
    multiplicities: np.ndarray,
    *,
    pooled: bool = False,
) -> Resampled:
    """Scores a study as it is and in every resample of its subjects.

    Give every method and metric the same `subjects_order` and `multiplicities`, so that their values are paired.

    Args:
        metric: A metric file's `metric`.
        parts: One per fold and seed; at least one.
        subjects_order: The S distinct subjects of the study, in the order of the columns of `multiplicities`.
        multiplicities: (R, S) from `bootstrap_weights`.
        pooled: The metric's POOLED: all parts are one, and the interval is laid around the point.

    Raises:
        ValueError: There is no part, a shape does not fit, or a part holds a subject that is not in the order.
    """
    if not parts:
        raise ValueError("there are no parts to score")
    if multiplicities.ndim != 2 or multiplicities.shape[1] != len(subjects_order):
        raise ValueError(f"multiplicities {multiplicities.shape}, expected (R, {len(subjects_order)})")
    parts = [put_together(parts)] if pooled else parts
    column = {subject: index for index, subject in enumerate(subjects_order)}
    points = np.array([[metric(part.labels, part.scores, None)[0]] for part in parts])
    values, shares, seen = [], [], set()
    for part in parts:
        distinct, sample_subject = np.unique(part.subjects, return_inverse=True)
        if missing := [str(subject) for subject in distinct if subject not in column]:
            raise ValueError(f"subjects {missing[:10]} are not in subjects_order")
        draws = multiplicities[:, [column[subject] for subject in distinct]].astype(np.float64)
        values.append(part_values(metric, part, draws, sample_subject))
        shares.append(draws.sum(axis=1) / len(distinct))
        seen.update(distinct.tolist())
    by_part, share = np.stack(values), np.stack(shares)
    resampled = fold_mean(by_part, share)
    if len(seen) == 1:
        resampled[:] = np.nan  # every draw is the same person, which says nothing about others
    undefined = int((np.isnan(by_part) & (share > 0)).sum())
    point = float(fold_mean(points, np.ones(points.shape))[0])
    if pooled:
        resampled = around(point, resampled)
    return Resampled(point, resampled, int(np.isnan(points).sum()), undefined)


def around(point: float, values: np.ndarray) -> np.ndarray:
    """Returns bootstrap values >= 0, (R,), moved until their median is the point, but not below 0; NaN stays."""
    defined = values[~np.isnan(values)]
    return np.maximum(values + (point - np.median(defined)), 0.0) if defined.size else values


def interval(values: np.ndarray, point: float, level: float = 0.95) -> Estimate:
    """Returns the percentile interval of the bootstrap values around a point; undefined values are left out.

    Args:
        values: (R,) as in `Resampled`.
        point: The score of the data as they are.
        level: Coverage aimed at, in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1")
    used = values[~np.isnan(values)]
    if used.size == 0:
        return Estimate(point, np.nan, np.nan, 0)
    low, high = np.quantile(used, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(point, float(low), float(high), int(used.size))


def difference(
    reference_point: float,
    reference_resamples: np.ndarray,
    point: float,
    resamples: np.ndarray,
    level: float = 0.95,
) -> Estimate:
    """Returns this method minus the reference, paired resample by resample; both must share their multiplicities."""
    return interval(resamples - reference_resamples, point - reference_point, level)


def part_values(metric: Metric, part: Part, draws: np.ndarray, sample_subject: np.ndarray) -> np.ndarray:
    """Returns (R,) scores of a part, its subjects weighted by `draws` (R, S); sample_subject: (N,) column of each."""
    # Folds of few subjects repeat the same draws over and over (one subject: seven or so of a thousand differ).
    few = draws.shape[1] <= FEW_SUBJECTS
    kinds, kind_of = np.unique(draws, axis=0, return_inverse=True) if few else (draws, np.arange(len(draws)))
    rows = max(1, BLOCK_ELEMENTS // len(part.labels))
    blocks = [
        metric(part.labels, part.scores, SubjectWeights(kinds[start : start + rows], sample_subject))
        for start in range(0, len(kinds), rows)
    ]
    return np.concatenate(blocks)[kind_of.reshape(-1)]
