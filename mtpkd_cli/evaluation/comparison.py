"""All methods of a study compared by one metric, and what a method's predictions look like class by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli import metrics
from mtpkd_cli.evaluation.predictions import Scored
from mtpkd_cli.registry import METRICS


@dataclass(frozen=True)
class Draws:
    """What chance is made of, the same for all methods and metrics.

    Args:
        subjects: (S,) of the study, in the order of the columns below.
        resamples: (R, S) from `metrics.bootstrap_weights`.
        swaps: (P, S) from `metrics.subject_swaps`.
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
        """What p is of."""
        every = len(self.swaps) == 2 ** len(self.subjects)
        swaps = f"all {len(self.swaps)}" if every else f"{len(self.swaps)} random"
        test = f"two-sided paired permutation test over {len(self.subjects)} subjects, {swaps} exchanges"
        return f"{test}; Holm's correction over the students"


@dataclass(frozen=True)
class Compared:
    """One metric of all methods.

    Args:
        resampled: Method -> its score under the bootstrap.
        differences: Method -> against the reference.
        over_control: Method that is neither control nor reference -> against the control that scores best.
        over_placebo: Method that has a placebo of its own -> against that; p corrected for the number of such methods.
        transfers: Student -> gain of each subject (S,) over the reference, and what it adds up to; headline only.
    """

    resampled: dict[str, metrics.Resampled]
    differences: dict[str, metrics.Versus]
    over_control: dict[str, metrics.Versus]
    over_placebo: dict[str, metrics.Versus]
    transfers: dict[str, tuple[np.ndarray, metrics.Transfer]]

    def by_subject(self, subjects: Sequence[str]) -> pd.DataFrame:
        """One row per student and subject: gain over the reference."""
        rows = [
            pd.DataFrame({"method": method, "subject": subjects, "gain": gains})
            for method, (gains, _) in self.transfers.items()
        ]
        empty = pd.DataFrame({"method": [], "subject": [], "gain": []})
        return pd.concat(rows, ignore_index=True) if rows else empty


def compared(
    name: str,
    said: Mapping[str, Scored],
    reference: str,
    students: Sequence[str],
    controls: Sequence[str],
    placebos: Mapping[str, str],
    draws: Draws,
    headline: bool,
) -> Compared:
    """Compares methods by one metric.

    Args:
        name: The metric.
        said: Method -> predictions, teachers among them.
        students: Methods that see what the student sees at test time; p is corrected for their number.
        controls: Students that a gain must exceed to be knowledge.
        placebos: Student -> the placebo of it alone, among the students too.
        headline: Whether this is the metric that the study is judged by: transfer is told in it alone.
    """
    module = METRICS.load(name)
    parts = {method: own.given(getattr(module, "THRESHOLD", None)) for method, own in said.items()}
    resampled = {
        method: metrics.resampled_scores(
            module.metric, [part for _, part in keyed.values()], draws.subjects, draws.resamples
        )
        for method, keyed in parts.items()
    }
    others = [method for method in students if method != reference]
    ranked = getattr(module, "ORDER_ONLY", False)
    test: dict[str, Any] = {"subjects": draws.subjects, "swaps": draws.swaps, "ranked": ranked}
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
            module.metric, parts[method], parts[reference], draws.subjects, module.GREATER_IS_BETTER
        )
        for method in (others if headline else ())
    }
    return Compared(resampled, differences, over_control, over_placebo, transfers)


def row_of(method: str, found: dict[str, Compared], headline: str) -> dict[str, Any]:
    """Scores, differences and transfer of one method, as plain data: metric -> estimate.

    Args:
        found: Metric -> all methods compared by it.
    """
    row: dict[str, Any] = {"scores": {}, "differences": {}, "over_control": {}, "over_placebo": {}}
    for name, own in found.items():
        score = own.resampled[method]
        row["scores"][name] = metrics.plain_estimate(metrics.interval(score.values, score.point)) | {
            "undefined_parts": score.undefined_parts
        }
        for key in ("differences", "over_control", "over_placebo"):
            versus = getattr(own, key)
            if method in versus:
                row[key][name] = metrics.plain_versus(versus[method])
    if method in found[headline].transfers:
        row["transfer"] = metrics.plain_transfer(found[headline].transfers[method][1])
    return row


def figures_of(
    own: Scored, table: pd.DataFrame, task: str, outputs: list[str], names: Sequence[str], draws: Draws
) -> dict[str, Any]:
    """What one model's predictions look like: confusion, classes and reliability, or the scores of each target."""
    parts = [part for _, part in own.plain.values()]
    if task == "classification":
        return metrics.class_figures(parts, outputs)
    recordings = [table["recording"].to_numpy()[at] for at, _ in own.plain.values()]
    modules = {name: METRICS.load(name) for name in names if hasattr(METRICS.load(name), "per_target")}
    whole: dict[str, dict[str, Any]] = {target: {} for target in outputs}
    for name, module in modules.items():
        single = metrics.by_recording(module.per_target, parts, recordings)
        for column, target in enumerate(outputs):
            together = metrics.of_target(module.per_target, column)
            found = [
                metrics.resampled_scores(metric, given, *draws.bootstrap)
                for metric, given in ((together, parts), (metrics.mean_defined(column), single))
            ]
            concatenated, recordwise = (
                metrics.plain_estimate(metrics.interval(score.values, score.point)) for score in found
            )
            whole[target][name] = {"concatenated": concatenated, "by_recording": recordwise}
    return {"targets": whole}
