"""The table of a learning curve over labels: scores of all shares put together, and how many labels each is worth."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.evaluation.curve import (
    CURVE,
    CurvePoint,
    CurveScores,
    CurveShare,
    Worth,
    worth_in_labels,
    worth_sentences,
)
from mtpkd_cli.evaluation.frame_scores import subjects_of
from mtpkd_cli.evaluation.predictions import evaluated_predictions
from mtpkd_cli.evaluation.summary import Summary, read_summary
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import samples_of_part, tested_samples
from mtpkd_cli.training.predictions import PREDICTIONS


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    shares: dict[str, float],
    evaluations: dict[str, Path],
    banks: dict[str, dict[str, Path]],
    label_unit: Literal["subject", "sample"],
    methods: list[str],
    reference: str,
    upper: str,
    spoken_of: list[str],
    resamples: int,
    bootstrap_seed: int,
) -> Counts:
    """Writes curve.json.

    Args:
        shares: Name -> share of the labels, fewest first.
        evaluations: Name of a share -> folder of its scores.
        banks: Name of a share -> "fold/seed" -> folder of its teacher bank.
        label_unit: Whether the shares are of people or of each person's samples.
        methods: The curve's.
        reference: The method in whose labels others are valued.
        upper: The method that knows hidden labels.
        spoken_of: Methods of which a sentence says how many labels they are worth.
        resamples: Of the bootstrap over test people, as in the evaluations.
        bootstrap_seed: Of that.
    """
    table = read_parquet(samples).to_pandas()
    summaries = {name: read_summary(folder) for name, folder in evaluations.items()}
    first = next(iter(summaries.values()))
    subjects = subjects_of(table, {key: tested_samples(folder) for key, folder in next(iter(banks.values())).items()})
    draws = (subjects, metrics.bootstrap_weights(len(subjects), resamples, bootstrap_seed))
    advance = job.reporter.progress("curve", len(shares))
    resampled: dict[str, dict[str, metrics.Resampled]] = {}
    entries = []
    for name, share in shares.items():
        interruption.check()
        summary = summaries[name]
        there = [method for method in methods if method in summary.methods]
        resampled[name] = _resampled(evaluations[name], summary, there, table, draws)
        entries.append(_share(share, summary, there, table, banks[name], reference))
        advance()
    entries = _valued(entries, list(resampled.values()), first, label_unit, [reference, upper])
    scores = CurveScores(
        metric=first.headline,
        label=first.metrics[first.headline].label,
        greater_is_better=first.metrics[first.headline].greater_is_better,
        task=first.task,
        label_unit=label_unit,
        reference=reference,
        upper=upper if upper in methods else None,
        controls=[method for method in methods if method in first.controls],
        interval=first.interval,
        subjects=first.subjects,
        tested=first.samples,
        repetitions=first.repetitions,
        shares=entries,
        sentences=worth_sentences(entries, label_unit, spoken_of),
    )
    write_record(out / CURVE, scores)
    return {"shares": len(shares), "methods": len(methods)}


def _resampled(
    folder: Path, summary: Summary, methods: list[str], samples: pd.DataFrame, draws: tuple[list[str], np.ndarray]
) -> dict[str, metrics.Resampled]:
    """Method -> its headline score in every resample of the test people."""
    rows = read_parquet(folder / PREDICTIONS, filters=[("method", "in", methods)]).to_pandas()
    module = METRICS.load(summary.headline)
    result = {}
    for method in methods:
        thresholds = summary.methods[method].thresholds
        predictions = evaluated_predictions(rows[rows["method"] == method], thresholds, samples, by_fold=True)
        parts = [part for _, part in predictions.for_metric(getattr(module, "THRESHOLD", None)).values()]
        pooled = getattr(module, "POOLED", False)
        result[method] = metrics.resampled_scores(module.metric, parts, *draws, pooled=pooled)
    return result


def _share(
    share: float, summary: Summary, methods: list[str], samples: pd.DataFrame, banks: dict[str, Path], reference: str
) -> CurveShare:
    """Scores and differences as the evaluation has them, and whose labels were seen, as the banks tell."""
    people = samples.set_index("sample_id")["subject"]
    seen = [[*samples_of_part(bank, "train"), *samples_of_part(bank, "validation")] for bank in banks.values()]
    points = {}
    for method in methods:
        about = summary.methods[method]
        difference = about.differences.get(summary.headline) if method != reference else None
        points[method] = CurvePoint(
            score=about.scores[summary.headline], difference=difference, fell_back=about.fell_back
        )
    return CurveShare(
        share=share,
        people=float(np.mean([people[ids].nunique() for ids in seen])),
        samples=float(np.mean([len(ids) for ids in seen])),
        methods=points,
    )


def _valued(
    shares: list[CurveShare],
    resampled: list[dict[str, metrics.Resampled]],
    summary: Summary,
    label_unit: str,
    unvalued: list[str],
) -> list[CurveShare]:
    """Adds what each score is worth in labels of the reference, where the curve goes on to more labels.

    Args:
        resampled: Of each share, method -> its score.
        unvalued: The reference and the method that knows hidden labels.
    """
    labels = np.array([one.people if label_unit == "subject" else one.samples for one in shares])
    # A share that hides no label more than another one is no further point of the curve.
    rising = [k for k, number in enumerate(labels) if k == 0 or number > labels[:k].max()]
    sign = 1 if summary.metrics[summary.headline].greater_is_better else -1
    if len(rising) < 2:
        return shares
    reference = unvalued[0]
    base = [resampled[k][reference] for k in rising]
    valued = [dict(one.methods) for one in shares]
    for method in (name for name in shares[0].methods if name not in unvalued):
        ours = [resampled[k][method] for k in rising]
        points, values = (
            worth_in_labels(labels[rising], sign * _table(base, of), sign * _table(ours, of))
            for of in ("point", "values")
        )
        for row, k in enumerate(rising[:-1]):
            worth = Worth.of(float(points[row, 0]), values[row], float(labels[k]))
            valued[k][method] = valued[k][method].model_copy(update={"worth": worth})
    return [one.model_copy(update={"methods": of}) for one, of in zip(shares, valued, strict=True)]


def _table(scores: list[metrics.Resampled], of: str) -> np.ndarray:
    """(P, 1) points, or (P, R) values."""
    return np.stack([np.atleast_1d(getattr(one, of)) for one in scores])
