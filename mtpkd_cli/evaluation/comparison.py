"""All methods of a study compared by one metric, and the scores of one method by all metrics."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Required, Unpack

import numpy as np
import pandas as pd

from mtpkd_cli import metrics
from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.figures import Figures
from mtpkd_cli.evaluation.predictions import Predictions
from mtpkd_cli.evaluation.summary import Difference, MethodScores, MetricAbout, Score, Transfer
from mtpkd_cli.registry import METRICS


@dataclass(frozen=True)
class Draws:
    """The random draws behind intervals and tests, the same for all methods and metrics.

    Args:
        subjects: (S,) of the study, in the order of the columns below.
        resamples: (R, S) from `metrics.bootstrap_weights`.
        swaps: (P, S) from `metrics.subject_swaps`: whose predictions change places.
    """

    subjects: list[str]
    resamples: np.ndarray
    swaps: np.ndarray

    @classmethod
    def of(cls, subjects: list[str], *, resamples: int, permutations: int, seed: int) -> "Draws":
        """Draws both for these subjects.

        Args:
            resamples: Bootstrap resamples R.
            permutations: Exchanges P at most; all of them where there are fewer.
            seed: Of both.
        """
        weights = metrics.bootstrap_weights(len(subjects), resamples, seed)
        return cls(subjects, weights, metrics.subject_swaps(len(subjects), permutations, seed))

    @property
    def bootstrap(self) -> tuple[list[str], np.ndarray]:
        """What `metrics.resampled_scores` takes."""
        return self.subjects, self.resamples

    @property
    def test_in_words(self) -> str:
        """The test behind p."""
        every = len(self.swaps) == 2 ** len(self.subjects)
        swaps = f"all {len(self.swaps)}" if every else f"{len(self.swaps)} random"
        test = f"two-sided paired permutation test over {len(self.subjects)} subjects, {swaps} exchanges"
        return f"{test}; Holm's correction over the students"


def metrics_of(names: Sequence[str], outputs: int) -> list[str]:
    """The metrics that can be scored; one that chooses a threshold is for two classes only.

    Args:
        names: That are asked for.
        outputs: Number of classes or targets.

    Raises:
        DataError: None of them can.
    """
    tuned = [name for name in names if METRICS.constant(name, "THRESHOLD")]
    if outputs == 2 or not tuned:
        return list(names)
    if rest := [name for name in names if name not in tuned]:
        return rest
    raise DataError(f"{tuned[0]} is for two classes", where="evaluate.metrics", expected=f"not {outputs} classes")


@dataclass(frozen=True)
class Comparison:
    """All methods by one metric.

    Args:
        resampled: Method -> its score under the bootstrap.
        differences: Method -> against the reference.
        over_control: Method that is neither control nor reference -> against the control that scores best.
        over_placebo: Method that has a placebo -> against that placebo; p corrected for the number of such methods.
        transfers: Student -> gain of each subject (S,) over the reference, and what it adds up to; headline only.
    """

    resampled: dict[str, metrics.Resampled]
    differences: dict[str, metrics.Versus]
    over_control: dict[str, metrics.Versus]
    over_placebo: dict[str, metrics.Versus]
    transfers: dict[str, tuple[np.ndarray, metrics.Transfer]]

    def gains_by_subject(self, subjects: Sequence[str]) -> pd.DataFrame:
        """One row per student and subject: gain over the reference."""
        rows = [
            pd.DataFrame({"method": method, "subject": subjects, "gain": gains})
            for method, (gains, _) in self.transfers.items()
        ]
        empty = pd.DataFrame({"method": [], "subject": [], "gain": []})
        return pd.concat(rows, ignore_index=True) if rows else empty


def compare_methods(
    metric: str,
    predictions: Mapping[str, Predictions],
    reference: str,
    students: Sequence[str],
    controls: Sequence[str],
    placebos: Mapping[str, str],
    draws: Draws,
    with_transfer: bool,
) -> Comparison:
    """Compares methods by one metric.

    Args:
        metric: Its name.
        predictions: Method -> predictions, teachers among them.
        reference: The method that differences are taken from.
        students: Methods that see what the student sees at test time; p is corrected for their number.
        controls: Students that a gain must exceed to be knowledge.
        placebos: Student -> the placebo of it alone, among the students too.
        with_transfer: Whether gains of single subjects are wanted: in the metric that the study is judged by.
    """
    module = METRICS.load(metric)
    pooled = getattr(module, "POOLED", False)
    parts = {name: one.for_metric(getattr(module, "THRESHOLD", None)) for name, one in predictions.items()}
    resampled = {
        name: metrics.resampled_scores(
            module.metric, [part for _, part in repetitions.values()], *draws.bootstrap, pooled=pooled
        )
        for name, repetitions in parts.items()
    }
    others = [method for method in students if method != reference]
    ranked = getattr(module, "ORDER_ONLY", False)
    test: dict[str, Any] = {"subjects": draws.subjects, "swaps": draws.swaps, "ranked": ranked, "pooled": pooled}
    differences = metrics.versus(module.metric, parts, resampled, reference, family=others, **test)
    judged = [method for method in others if method not in {*controls, *placebos.values()}]
    best = metrics.best_of(resampled, controls, module.GREATER_IS_BETTER)

    def over(rival: str, family: Sequence[str]) -> dict[str, metrics.Versus]:
        pair = {method: parts[method] for method in [*family, rival]}
        return metrics.versus(module.metric, pair, resampled, rival, family=family, **test)

    over_control = {} if best is None or not judged else over(best, judged)
    over_placebo = metrics.one_family([over(rival, [method]) for method, rival in placebos.items()])
    transfers = {
        method: metrics.transfer(
            module.metric, parts[method], parts[reference], draws.subjects, module.GREATER_IS_BETTER, pooled=pooled
        )
        for method in (others if with_transfer else ())
    }
    return Comparison(resampled, differences, over_control, over_placebo, transfers)


class MethodFacts(Figures, total=False):
    """Fields of MethodScores that are known beside the comparisons; what is left out is left out of the file."""

    scored: Required[int]
    fell_back: int
    kept_and_worse: int
    thresholds: dict[str, float]
    transfer: Transfer


def method_scores(
    method: str, comparisons: Mapping[str, Comparison], headline: str, **facts: Unpack[MethodFacts]
) -> MethodScores:
    """Scores, differences and transfer of one method.

    Args:
        comparisons: Metric -> all methods compared by it.
        facts: What else is known of the method.
    """
    scores = {
        name: Score.of(one.resampled[method].estimate, undefined_parts=one.resampled[method].undefined_parts)
        for name, one in comparisons.items()
    }
    differences: dict[str, dict[str, Difference]] = {
        key: {
            name: Difference.against(versus)
            for name, one in comparisons.items()
            if (versus := getattr(one, key).get(method)) is not None
        }
        for key in ("differences", "over_control", "over_placebo")
    }
    if method in comparisons[headline].transfers:
        facts["transfer"] = Transfer.of(comparisons[headline].transfers[method][1])
    return MethodScores(scores=scores, **differences, **facts)


def scores_alone(predictions: Predictions, names: Sequence[str], draws: Draws) -> MethodScores:
    """Scores of predictions that are compared with nothing."""
    scores = {}
    for name in names:
        module = METRICS.load(name)
        parts = [part for _, part in predictions.for_metric(getattr(module, "THRESHOLD", None)).values()]
        pooled = getattr(module, "POOLED", False)
        one = metrics.resampled_scores(module.metric, parts, *draws.bootstrap, pooled=pooled)
        scores[name] = Score.of(one.estimate, undefined_parts=one.undefined_parts)
    return MethodScores(scored=predictions.samples_scored, scores=scores)


def about_metrics(names: Iterable[str]) -> dict[str, MetricAbout]:
    """How metrics are printed."""
    modules = {name: METRICS.load(name) for name in names}
    return {n: MetricAbout(label=m.LABEL, greater_is_better=m.GREATER_IS_BETTER) for n, m in modules.items()}
