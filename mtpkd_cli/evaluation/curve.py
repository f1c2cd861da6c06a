"""Learning curves over labels: how many labelled people a student's score is worth, and what curve.json holds.

Legend: P shares of the labels, fewest first; R resamples of the test people, the same for all curves.

The reference (a student of labelled recordings alone) has a score for each share. Its curve over log(labels) is made
monotone and linear in between. A student that learns from unlabelled recordings too lies above it or below; how many
labels its score is worth is where the reference's curve is as much higher or lower. Of a curve that is monotone as it
is, this is where the reference reaches that score.

References: Barlow et al. 1972, Statistical Inference under Order Restrictions (isotonic regression by least squares, as
max over i <= k of min over j >= k of means); Efron and Tibshirani 1993, chapter 13 (percentile interval).
"""

import math
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record
from mtpkd_cli.evaluation.summary import Difference, Score

CURVE = "curve.json"
TIE = 1e-12
"""Scores that are equal but for the order of summation count as equal."""

Labels = float | Literal["more", "fewer"] | None
"""A number of labels; more or fewer than any share has; None where it is not defined."""


def monotone(values: np.ndarray) -> np.ndarray:
    """Returns the isotonic regression of each column by least squares, (P, R) -> (P, R), never falling down a column.

    NaN anywhere in a column makes the whole column NaN.
    """
    shares = len(values)
    sums = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])
    rows = []
    for k in range(shares):
        least = [
            np.min([(sums[j + 1] - sums[i]) / (j + 1 - i) for j in range(k, shares)], axis=0) for i in range(k + 1)
        ]
        rows.append(np.max(least, axis=0))
    return np.where(np.isnan(values).any(axis=0), np.nan, np.stack(rows))


def worth_in_labels(labels: np.ndarray, reference: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns how many labels the reference needs to be as good as other students, (P, R).

    Args:
        labels: (P,) > 0, rising: how many the students of each share were taught with.
        reference: (P, R) scores of the reference, greater is better.
        scores: (P, R) of the students that are to be valued.

    Returns:
        Between labels[0] and labels[-1], or inf: more than any share has, or 0: fewer; NaN where a score of the
        reference is NaN, or the student's own. Without a gain it is the number of labels that they have.
    """
    if (labels <= 0).any() or (np.diff(labels) <= 0).any():
        raise ValueError(f"labels {labels.tolist()}, expected numbers above 0 that rise")
    curve, x = monotone(reference), np.log(labels)
    gains = scores - reference
    gains = np.where(np.abs(gains) <= TIE, 0.0, gains)
    worth = np.full(scores.shape, np.nan)
    for p, gain in enumerate(gains):
        target = curve[p] + gain
        at = np.where(gain > 0, np.inf, np.where(gain < 0, -np.inf, x[p]))
        for k in range(len(x) - 1):
            low, high = curve[k], curve[k + 1]
            # On a level part of the curve a gain is worth all of it, and a loss costs all of it.
            inside = (low < target) & (target <= high) & (gain > 0) & (k >= p)
            inside |= (low <= target) & (target < high) & (gain < 0) & (k < p)
            share = np.divide(target - low, high - low, out=np.zeros_like(target), where=inside)
            at = np.where(inside, x[k] + share * (x[k + 1] - x[k]), at)
        worth[p] = np.where(np.isnan(target), np.nan, np.exp(at))
    return worth


def interval_of_labels(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Returns the percentile interval of numbers of labels, (R,) with 0 and inf among them; NaN is left out.

    Ends are values that occur: there is no mean of a number and "more than that".
    """
    used = np.sort(values[~np.isnan(values)])
    if not used.size:
        return math.nan, math.nan
    tail, last = (1 - level) / 2, used.size - 1
    return float(used[math.floor(tail * last)]), float(used[math.ceil((1 - tail) * last)])


class Worth(Record):
    """How many labels of the reference's a student's score is worth.

    Args:
        value: Of all test people.
        low: Of the 95 % interval over test people, for both curves the same resamples.
        high: Of that.
        claimed: Whether all of the interval is beyond the number of labels that the student was taught with.
    """

    value: Labels
    low: Labels
    high: Labels
    claimed: bool

    @classmethod
    def of(cls, point: float, resampled: np.ndarray, labels: float) -> Self:
        """From what `worth_in_labels` gives: a number, and (R,) numbers.

        Args:
            labels: How many the student was taught with.
        """
        low, high = interval_of_labels(resampled)
        has = labels * (1 + TIE)
        claimed = bool(point > has and low > has)  # of what is not defined neither is
        return cls(value=_labels(point), low=_labels(low), high=_labels(high), claimed=claimed)


class CurvePoint(Record):
    """One method at one share.

    Args:
        score: In the headline metric.
        difference: From the reference of the same share; None of the reference.
        worth: None of the reference, of what knows hidden labels, and at the share with most labels.
        fell_back: Repetitions in which the guard kept a student that knows no teacher; None where there is no guard.
    """

    score: Score
    difference: Difference | None = None
    worth: Worth | None = None
    fell_back: int | None = None


class CurveShare(Record):
    """All methods at one share.

    Args:
        share: Of the labels.
        people: Who have labels that are seen, those who validate among them; mean over folds.
        samples: Whose labels are seen; mean over folds.
    """

    share: float
    people: float
    samples: float
    methods: dict[str, CurvePoint]


class CurveScores(Record):
    """What curve.json holds.

    Args:
        metric: The headline.
        label: How it is printed.
        label_unit: Whether shares are of people ("subject") or of each person's samples ("sample").
        reference: The method that differences are taken from, and in whose labels students are valued.
        upper: The method that knows the hidden labels, where it is among the methods.
        controls: Methods that a gain must exceed.
        interval: What the intervals are, in words.
        subjects: Who were tested.
        tested: Samples that were tested.
        shares: Fewest labels first.
        sentences: What the curve says in people, where its interval allows a claim.
    """

    metric: str
    label: str
    greater_is_better: bool
    task: str
    label_unit: Literal["subject", "sample"]
    reference: str
    upper: str | None
    controls: list[str]
    interval: str
    subjects: int
    tested: int
    repetitions: list[str]
    shares: list[CurveShare]
    sentences: list[str]

    @property
    def methods(self) -> list[str]:
        """Every method of some share, in order."""
        return list(dict.fromkeys(method for one in self.shares for method in one.methods))

    def labels_of(self, share: CurveShare) -> float:
        """What the curve is over: labelled people, or labelled samples where all people have some."""
        return share.people if self.label_unit == "subject" else share.samples


def read_curve(run: RunFolder) -> CurveScores:
    """Reads the curve of a run; raises ArtifactError where there is none."""
    return read_record(run.curve / CURVE, CurveScores, "there is no curve", f"mtpkd curve {run.root}")


def worth_sentences(shares: Sequence[CurveShare], label_unit: str, methods: Sequence[str]) -> list[str]:
    """Says how many labels the students of some methods are worth, one sentence per share and method.

    Nothing is said where the interval allows that they are worth no more labels than they have.
    """
    who, most = ("people" if label_unit == "subject" else "samples"), _plain(_most(shares, label_unit))

    def words(number: Labels) -> str:
        return f"more than {most}" if number == "more" else _plain(number) if isinstance(number, float) else str(number)

    sentences = []
    for method in methods:
        for one in shares:
            worth = one.methods[method].worth if method in one.methods else None
            if worth is None or not worth.claimed:
                continue
            has = _plain(one.people if label_unit == "subject" else one.samples)
            sentences.append(
                f"{method}: with unlabelled recordings, labels of {has} {who} are worth those of {words(worth.value)} "
                f"(95 % interval {words(worth.low)} to {words(worth.high)})"
            )
    return sentences


def _most(shares: Sequence[CurveShare], label_unit: str) -> float:
    return max(one.people if label_unit == "subject" else one.samples for one in shares)


def _labels(number: float) -> Labels:
    if math.isnan(number):
        return None
    return "more" if number == math.inf else "fewer" if number == 0 else number


def _plain(number: float) -> str:
    """12.4 -> "12", 3.4 -> "3.4"."""
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")
