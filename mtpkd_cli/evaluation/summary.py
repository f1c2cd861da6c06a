"""The scores of an evaluation, as metrics.json holds them: one type, one writer and one reader.

Legend: C classes or targets. A number that is not defined is None, null in the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record
from mtpkd_cli.artifacts.run_folder import parse_repetition

SUMMARY, GAINS_BY_SUBJECT = "metrics.json", "subjects.parquet"
TEACHER_PREFIX = "teacher "
"""How a teacher is called among the methods of an evaluation."""
TRIVIAL = "mean of training"
"""How the row is called that predicts the mean of the training people's targets for everybody."""


def interval_in_words(subjects: int, resamples: int) -> str:
    """What the intervals of scores are."""
    return f"95 % percentile bootstrap over {subjects} subjects, {resamples} resamples"


def p_text(p: float | None, missing: str = "-", space: str = " ") -> str:
    """A p value to three digits, never as 0.

    Args:
        missing: Stands where there is none.
        space: Between sign and number.
    """
    if p is None:
        return missing
    return f"<{space}.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


class Estimate(Record):
    """A number and its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, estimate: metrics.Estimate, **more: Any) -> Self:
        """From what `metrics` computes; NaN becomes None."""
        return cls(value=number(estimate.value), low=number(estimate.low), high=number(estimate.high), **more)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Score(Estimate):
    """The score of one method.

    Args:
        undefined_parts: Repetitions in which the metric is not defined.
    """

    undefined_parts: int = 0


class Difference(Estimate):
    """One method minus another.

    Args:
        other: The other method; "from" in the file.
        p: Of the paired permutation test over subjects.
        p_holm: Corrected for the number of methods that stand to be called better.
    """

    other: str = Field("", alias="from")
    p: float | None = None
    p_holm: float | None = None

    @classmethod
    def against(cls, versus: metrics.Versus) -> Self:
        """From what `metrics.versus` computes."""
        return cls.of(versus.estimate, other=versus.other, p=number(versus.p), p_holm=number(versus.p_holm))

    @property
    def beyond_chance(self) -> bool:
        """Whether p is below .05 after Holm's correction."""
        return self.p_holm is not None and self.p_holm < 0.05


class Transfer(Record):
    """What a method does to single subjects: shares of those who gain and lose, and the largest loss."""

    subjects: int
    gain: float | None
    lose: float | None
    worst: float | None

    @classmethod
    def of(cls, transfer: metrics.Transfer) -> Self:
        """From what `metrics.transfer` computes."""
        shares = {name: number(getattr(transfer, name)) for name in ("gain", "lose", "worst")}
        return cls(subjects=transfer.subjects, **shares)


class ClassScores(Record):
    """One class: test predictions pooled over folds and seeds."""

    name: str
    support: int
    recall: float | None
    precision: float | None
    f1: float | None


class ReliabilityBin(Record):
    """Predictions of similar confidence."""

    samples: int
    confidence: float
    accuracy: float


class Reliability(Record):
    """How far confidence can be trusted, pooled over folds and seeds."""

    ece: float | None
    bins: list[ReliabilityBin]


class TargetScores(Record):
    """One metric of one target: recordings put together, and the mean of one by one."""

    concatenated: Estimate
    by_recording: Estimate


class MethodScores(Record):
    """One method, or one teacher, by metric.

    Args:
        scored: Samples that it has predictions of.
        fell_back: Repetitions in which the guard kept a student of another method.
        kept_and_worse: Repetitions in which it did not, and the reference scores better.
        thresholds: "fold/seed" -> probability of class 1 above which class 1 is predicted; empty beyond two classes.
        over_control: Against the best control; students that are no control themselves.
        over_placebo: Against the placebo of the method alone.
        transfer: Against the reference, in the headline metric.
        confusion: C rows of true classes, C columns of predicted ones.
        targets: Target -> metric -> scores; regression only.
    """

    scored: int
    fell_back: int | None = None
    kept_and_worse: int = 0
    thresholds: dict[str, float] = Field(default_factory=dict)
    scores: dict[str, Score]
    differences: dict[str, Difference] = Field(default_factory=dict)
    over_control: dict[str, Difference] = Field(default_factory=dict)
    over_placebo: dict[str, Difference] = Field(default_factory=dict)
    transfer: Transfer | None = None
    confusion: list[list[int]] = Field(default_factory=list)
    classes: list[ClassScores] = Field(default_factory=list)
    reliability: Reliability | None = None
    targets: dict[str, dict[str, TargetScores]] = Field(default_factory=dict)


class FrameScores(Record):
    """One method scored on single frames; frames without a prediction are counted."""

    scored: int
    unscored: int
    scores: dict[str, Estimate]
    differences: dict[str, Estimate] = Field(default_factory=dict)
    targets: dict[str, dict[str, Estimate]] = Field(default_factory=dict)


class FrameSummary(Record):
    """Scores of single frames, where the corpus labels them."""

    frames: int
    interval: str
    metrics: list[str]
    methods: dict[str, FrameScores]


class MetricAbout(Record):
    """How a metric is printed and read."""

    label: str
    greater_is_better: bool


class Summary(Record):
    """An evaluation, or a comparison of several runs.

    Args:
        outputs: Names of the C classes or targets.
        samples: Samples that were tested.
        repetitions: "fold-I/seed-S" of each; of runs that are split differently "seed-S".
        reference: The method that differences are taken from.
        headline: The metric that the study is judged by.
        controls: Students that a gain must exceed.
        placebos: Method -> the placebo of it alone.
        interval: What the intervals are, in words.
        test: The test behind p, in words.
        metrics: Metric -> how it is printed.
        methods: Method, or "teacher NAME" -> its scores.
        frames: Scores of single frames.
        trivial: Regression only: who predicts the mean of the training people's targets for everybody.
        same_splits: Of a comparison of runs: whether they are split alike.
    """

    task: str
    outputs: list[str]
    subjects: int
    samples: int
    repetitions: list[str]
    reference: str
    headline: str
    controls: list[str]
    placebos: dict[str, str]
    interval: str
    test: str
    metrics: dict[str, MetricAbout]
    methods: dict[str, MethodScores]
    frames: FrameSummary | None = None
    trivial: MethodScores | None = None
    same_splits: bool | None = None

    @property
    def metric_names(self) -> list[str]:
        """The headline metric first."""
        return sorted(self.metrics, key=lambda name: name != self.headline)

    @property
    def rows(self) -> dict[str, MethodScores]:
        """What a table of scores shows: the methods, and below them what knows nothing of the samples."""
        return self.methods | ({TRIVIAL: self.trivial} if self.trivial else {})

    @property
    def students(self) -> list[str]:
        """Methods without the teachers, in the order of the study."""
        return [name for name in self.methods if not name.startswith(TEACHER_PREFIX)]

    @property
    def teachers(self) -> list[str]:
        """Names of the teachers, without the prefix."""
        return [n.removeprefix(TEACHER_PREFIX) for n in self.methods if n.startswith(TEACHER_PREFIX)]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(fold, seed) of every repetition, sorted."""
        return sorted(parse_repetition(name) for name in self.repetitions)


def read_summary(folder: Path, run: RunFolder | None = None) -> Summary:
    """Reads the scores in the folder of an evaluation.

    Args:
        run: Whose evaluation it is, for the message.

    Raises:
        ArtifactError: There are none that can be read.
    """
    path, todo = folder / SUMMARY, f"mtpkd evaluate {run.root if run else 'RUN'}"
    return read_record(path, Summary, "there are no scores", f"{todo} --overwrite" if path.exists() else todo)


def summary_of(run: RunFolder) -> Summary:
    """Reads the scores of an evaluated run; raises ArtifactError where there are none that can be read."""
    return read_summary(run.evaluation, run)


def score_rows(summary: Summary) -> Iterator[dict[str, Any]]:
    """One row per method and metric: the score, and each difference with what it is from; None where there is none."""
    for method, row in summary.rows.items():
        for metric, score in row.scores.items():
            cells: dict[str, Any] = {"method": method, "metric": metric}
            cells |= {"value": score.value, "low": score.low, "high": score.high}
            # (whose, what the difference is called, prefix of its p)
            for by_metric, other, difference, prefix in (
                (row.differences, "reference", "difference", ""),
                (row.over_control, "control", "over_control", "over_control_"),
                (row.over_placebo, "placebo", "over_placebo", "over_placebo_"),
            ):
                versus = by_metric.get(metric) or Difference(value=None, low=None, high=None)
                cells |= {other: versus.other or None, difference: versus.value}
                cells |= {f"{difference}_low": versus.low, f"{difference}_high": versus.high}
                cells |= {f"{prefix}p": versus.p, f"{prefix}p_holm": versus.p_holm}
            yield cells


def number(value: float) -> float | None:
    """NaN becomes None."""
    return None if np.isnan(value) else float(value)
