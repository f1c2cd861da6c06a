"""What one model's predictions look like: class by class and how far confidence can be trusted, or target by target.

Legend: N samples, C classes or targets, S subjects.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import pandas as pd

from mtpkd_cli import metrics
from mtpkd_cli.evaluation.predictions import Predictions
from mtpkd_cli.evaluation.summary import ClassScores, Estimate, Reliability, ReliabilityBin, TargetScores, number
from mtpkd_cli.registry import METRICS


class Figures(TypedDict, total=False):
    """Fields of MethodScores: the first three in classification, the last in regression."""

    confusion: list[list[int]]
    classes: list[ClassScores]
    reliability: Reliability
    targets: dict[str, dict[str, TargetScores]]


def figures_of(
    predictions: Predictions,
    samples: pd.DataFrame,
    task: str,
    outputs: list[str],
    names: Sequence[str],
    bootstrap: tuple[list[str], np.ndarray],
) -> Figures:
    """The figures of one model over all folds and seeds.

    Args:
        samples: The samples table.
        outputs: Names of the C classes or targets.
        names: Metrics; of targets those are scored that score single targets.
        bootstrap: Subjects (S,) and their draws, as `metrics.resampled_scores` takes them.
    """
    parts = [part for _, part in predictions.plain.values()]
    if task == "classification":
        return class_figures(parts, outputs)
    recordings = [samples["recording"].to_numpy()[at] for at, _ in predictions.plain.values()]
    modules = {name: METRICS.load(name) for name in names if hasattr(METRICS.load(name), "per_target")}
    targets: dict[str, dict[str, TargetScores]] = {target: {} for target in outputs}
    for name, module in modules.items():
        single = metrics.parts_by_recording(module.per_target, parts, recordings)
        for column, target in enumerate(outputs):
            together = metrics.resampled_scores(metrics.target_metric(module.per_target, column), parts, *bootstrap)
            by_recording = metrics.resampled_scores(metrics.mean_over_recordings(column), single, *bootstrap)
            concatenated, mean = (Estimate.of(one.estimate) for one in (together, by_recording))
            targets[target][name] = TargetScores(concatenated=concatenated, by_recording=mean)
    return {"targets": targets}


def class_figures(parts: Sequence[metrics.Part], classes: Sequence[str]) -> Figures:
    """Confusion, figures of each class and reliability of all parts pooled: a sample counts once per seed.

    Args:
        parts: Test predictions of every fold and seed; at least one.
        classes: Names of the C classes.
    """
    together = metrics.put_together(parts)
    labels, scores = together.labels, together.scores
    counts = metrics.confusion(labels, scores)
    hits, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    calibration = metrics.reliability(labels, scores, None)
    columns = calibration.weight[0], calibration.confidence[0], calibration.accuracy[0]
    bins = [
        ReliabilityBin(samples=int(count), confidence=float(sure), accuracy=float(right))
        for count, sure, right in zip(*columns, strict=True)
        if count
    ]
    return {
        "confusion": counts.tolist(),
        "classes": [
            ClassScores(
                name=name,
                support=int(support[c]),
                recall=_share(hits[c], support[c]),
                precision=_share(hits[c], predicted[c]),
                f1=_share(2 * hits[c], support[c] + predicted[c]),
            )
            for c, name in enumerate(classes)
        ],
        "reliability": Reliability(ece=number(calibration.error[0]), bins=bins),
    }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
