"""Several runs side by side: their stored predictions -> one summary.

Runs that are split alike are compared fold by fold and seed by seed. Others only where that is asked for, and then seed
by seed, all folds of a seed put together; people and samples that they share are paired, whatever fold they were in.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.datasets import TARGET_PREFIX
from mtpkd_cli.errors import ArtifactError, DataError, StudyError, did_you_mean, first_ten
from mtpkd_cli.evaluation.comparison import Draws, compare_methods, method_scores
from mtpkd_cli.evaluation.predictions import Predictions, evaluated_predictions
from mtpkd_cli.evaluation.summary import Summary, interval_in_words, summary_of
from mtpkd_cli.training.predictions import PREDICTIONS
from mtpkd_cli.training.splits import read_folds

RESAMPLES = 2000


@dataclass(frozen=True)
class EvaluatedRun:
    """A run that has scores.

    Args:
        name: How its rows are called.
        summary: Its scores.
        splits: The content of splits.json.
        predictions: The evaluation's predictions of test samples.
    """

    name: str
    summary: Summary
    splits: Any
    predictions: pd.DataFrame


def read_evaluated(folders: Sequence[Path]) -> list[EvaluatedRun]:
    """Reads runs; each is called by its folder's name, or by its whole path where two have one name.

    Raises:
        ArtifactError: A run has no scores.
    """
    names = [folder.resolve().name for folder in folders]
    labels = [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]
    runs = []
    for label, folder in zip(labels, folders, strict=True):
        run = RunFolder(folder)
        summary = summary_of(run)
        try:
            splits = json.loads(run.splits.read_text(encoding="utf-8"))
        except (OSError, ValueError) as err:
            raise ArtifactError("there are no splits", where=run.splits, todo=f"mtpkd extract {folder}") from err
        read_folds(run.splits)  # whether it holds splits at all
        predictions = read_parquet(run.evaluation / PREDICTIONS).to_pandas()
        runs.append(EvaluatedRun(label, summary, splits, predictions))
    return runs


def compare_runs(
    runs: Sequence[EvaluatedRun],
    methods: Sequence[str],
    reference: str | None = None,
    *,
    different_splits: bool = False,
    permutations: int = 2000,
) -> Summary:
    """Compares students of several runs, all from one reference.

    Args:
        methods: Which of them; empty = all.
        reference: "RUN: METHOD" or a method of the first run; None = the first run's own reference.

    Raises:
        StudyError: The runs answer other questions, are split differently unasked, or a name is not there.
        DataError: They give one sample different labels.
    """
    first = runs[0].summary
    for run in runs[1:]:
        _same_question(runs[0], run)
        if not different_splits:
            _same_splits(runs[0], run)
    samples = _samples(runs)
    predictions = {
        name: evaluated_predictions(rows, run.summary.methods[method].thresholds, samples, not different_splits)
        for run in runs
        for method, name in _entries(run, methods, len(runs) > 1).items()
        if len(rows := run.predictions[run.predictions["method"] == method])
    }
    base = _reference(predictions, runs[0], reference)
    subjects = sorted(samples["subject"].unique())
    draws = Draws.of(subjects, resamples=RESAMPLES, permutations=permutations, seed=0)
    shared = [name for name in first.metrics if all(name in run.summary.metrics for run in runs)]
    headline = first.headline if first.headline in shared else shared[0]
    comparisons = {
        name: compare_methods(name, predictions, base, list(predictions), [], {}, draws, name == headline)
        for name in shared
    }
    return Summary(
        task=first.task,
        outputs=first.outputs,
        subjects=len(subjects),
        samples=len(samples),
        repetitions=sorted({key for one in predictions.values() for key in one.plain}),
        reference=base,
        headline=headline,
        controls=[],
        placebos={},
        same_splits=all(run.splits == runs[0].splits for run in runs),
        interval=interval_in_words(len(subjects), RESAMPLES),
        test=draws.test_in_words,
        metrics={name: first.metrics[name] for name in shared},
        methods={
            name: method_scores(name, comparisons, headline, scored=one.samples_scored)
            for name, one in predictions.items()
        },
    )


def _same_question(one: EvaluatedRun, other: EvaluatedRun) -> None:
    for key in ("task", "outputs"):
        here, there = (getattr(run.summary, key) for run in (one, other))
        if here != there:
            raise StudyError(
                f"the runs answer different questions: {key} is {here} in {one.name} and {there} in {other.name}",
                expected="runs of the same classes or targets",
            )


def _same_splits(one: EvaluatedRun, other: EvaluatedRun) -> None:
    if one.splits == other.splits:
        return
    people = [set(run.predictions["subject"]) for run in (one, other)]
    apart = [f"{run.name} alone has {who}" for run, who in zip((one, other), _each_alone(*people), strict=True) if who]
    what = f":\n{first_ten(apart)}" if apart else ", of the same people into other folds or validation people"
    raise StudyError(
        f"{one.name} and {other.name} are split differently{what}",
        where="splits.json",
        expected="the same people in the same folds: scores of other test people do not compare",
        todo="copy splits.json before training, or say --different-splits to compare seed by seed over all folds",
    )


def _each_alone(one: set[str], other: set[str]) -> list[str]:
    return [", ".join(sorted(some)[:5]) for some in (one - other, other - one)]


def _samples(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """sample_id, subject and labels of all samples of all runs."""
    every = pd.concat([run.predictions for run in runs], ignore_index=True)
    labels = [name for name in every if name == "label" or str(name).startswith(TARGET_PREFIX)]
    table = every[["sample_id", "subject", *labels]].drop_duplicates().reset_index(drop=True)
    twice = table["sample_id"][table["sample_id"].duplicated()]
    if len(twice):
        raise DataError(
            f"{len(twice)} samples have another subject or label in another run, first '{twice.iloc[0]}'",
            expected="runs of one corpus under the same labels",
        )
    return table


def _entries(run: EvaluatedRun, methods: Sequence[str], several: bool) -> dict[str, str]:
    """Method -> name of its row, of the students that are wanted."""
    students = run.summary.students
    wanted = [name for name in students if not methods or name in methods]
    if not wanted:
        near = did_you_mean(methods[0], students)
        raise StudyError(f"{run.name} has no such method{near}", where="--method", expected=", ".join(students))
    return {name: f"{run.name}: {name}" if several else name for name in wanted}


def _reference(predictions: dict[str, Predictions], first: EvaluatedRun, wanted: str | None) -> str:
    names = [wanted or first.summary.reference]
    names.append(f"{first.name}: {names[0]}")
    chosen = next((name for name in names if name in predictions), None)
    if chosen is None and wanted is None:
        return next(iter(predictions))
    if chosen is None:
        raise StudyError(f"there is no '{wanted}'", where="--reference", expected=", ".join(predictions))
    return chosen
