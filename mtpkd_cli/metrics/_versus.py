"""Methods against one other: difference with interval, permutation p, Holm's correction, and who loses by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtpkd_cli import interruption
from mtpkd_cli.metrics._comparison import TIE, RepetitionParts, holm, paired_parts, permutation_p, subject_scores
from mtpkd_cli.metrics._uncertainty import Estimate, Metric, Resampled, difference

NOTHING = float("nan")


@dataclass(frozen=True)
class Versus:
    """One method minus another.

    Args:
        other: Name of the other method.
        estimate: Difference of their scores with its interval.
        p: Of the permutation test over subjects; NaN where it was not asked for or the difference is undefined.
        p_holm: Corrected for all methods of the family; NaN where the method is not in it.
    """

    other: str
    estimate: Estimate
    p: float
    p_holm: float


@dataclass(frozen=True)
class Transfer:
    """What a method does to each person, against another method; better and worse as the metric means it.

    Args:
        subjects: Those for whom both have a score.
        gain: Share of them who are scored better.
        lose: Share of them who are scored worse: negative transfer.
        worst: The largest loss of one person, 0 where nobody loses; in the unit of the metric, 0 or more.
    """

    subjects: int
    gain: float
    lose: float
    worst: float


def versus(
    metric: Metric,
    parts: Mapping[str, RepetitionParts],
    resampled: Mapping[str, Resampled],
    other: str,
    *,
    family: Sequence[str],
    subjects: Sequence[str],
    swaps: np.ndarray | None,
    ranked: bool = False,
    pooled: bool = False,
) -> dict[str, Versus]:
    """Compares every method with `other`; returns method -> difference, without `other` itself.

    Args:
        metric: A metric file's `metric`.
        parts: Method -> its test predictions.
        resampled: Method -> its score under the bootstrap; all under the same draws.
        family: Methods that stand to be called better, for whose number p is corrected.
        subjects: (S,) in the order of the columns of `swaps`.
        swaps: (R, S) from `subject_swaps`; None = no test.
        ranked: The metric's ORDER_ONLY, see `permutation_p`.
        pooled: The metric's POOLED, as `resampled` was made by.
    """
    base, methods = resampled[other], [name for name in parts if name != other]
    p_values = dict.fromkeys(methods, NOTHING)
    for name in methods if swaps is not None else ():
        assert swaps is not None
        interruption.check()
        pairs = paired_parts(parts[name], parts[other])
        p_values[name] = permutation_p(metric, pairs, subjects, swaps, ranked=ranked, pooled=pooled)
    corrected = holm({name: p_values[name] for name in methods if name in family})
    return {
        name: Versus(
            other,
            difference(base.point, base.values, resampled[name].point, resampled[name].values),
            p_values[name],
            corrected.get(name, NOTHING),
        )
        for name in methods
    }


def one_family(families: Sequence[Mapping[str, Versus]]) -> dict[str, Versus]:
    """Puts comparisons with different others together and corrects p for the number of them all."""
    every = {name: versus for family in families for name, versus in family.items()}
    corrected = holm({name: versus.p for name, versus in every.items()})
    return {name: replace(versus, p_holm=corrected.get(name, NOTHING)) for name, versus in every.items()}


def best_of(resampled: Mapping[str, Resampled], names: Sequence[str], greater_is_better: bool) -> str | None:
    """Returns which of the names scores best, the first of equals; None where none of them has a score.

    The best is chosen by the scores that it is then compared by, which favours it: a gain over it is the harder won.
    """
    sign = 1 if greater_is_better else -1
    scores = {name: sign * resampled[name].point for name in names if not np.isnan(resampled[name].point)}
    return max(scores, key=lambda name: scores[name]) if scores else None


def transfer(
    metric: Metric,
    ours: RepetitionParts,
    theirs: RepetitionParts,
    subjects: Sequence[str],
    greater_is_better: bool,
    *,
    pooled: bool = False,
) -> tuple[np.ndarray, Transfer]:
    """Returns (S,) gain of each subject, NaN where either has no score, and what it adds up to.

    A subject's score is as of `subject_scores`: the mean over the folds and seeds whose test part holds the subject.
    """
    pairs = paired_parts(ours, theirs)
    scores = subject_scores(metric, [first for first, _ in pairs], subjects, pooled=pooled)
    base = subject_scores(metric, [second for _, second in pairs], subjects, pooled=pooled)
    gains = (scores - base) * (1 if greater_is_better else -1)
    defined = gains[~np.isnan(gains)]
    if not len(defined):
        return gains, Transfer(0, NOTHING, NOTHING, NOTHING)
    better, worse = float((defined > TIE).mean()), float((defined < -TIE).mean())
    return gains, Transfer(len(defined), better, worse, float(max(0.0, -defined.min())))
