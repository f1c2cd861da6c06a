"""Evaluation: test predictions of every method, fold and seed -> scores with intervals and tests over subjects."""

from pathlib import Path
from typing import TypedDict

import pandas as pd

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import read_parquet, write_parquet
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.scoring import headline_of
from mtpkd_cli.config.study import EvaluateSection
from mtpkd_cli.evaluation.comparison import (
    Comparison,
    Draws,
    about_metrics,
    compare_methods,
    method_scores,
    metrics_of,
    scores_alone,
)
from mtpkd_cli.evaluation.figures import figures_of
from mtpkd_cli.evaluation.frame_scores import score_frames, subjects_of
from mtpkd_cli.evaluation.predictions import (
    Predictions,
    predict_training_mean,
    predictions_table,
    read_student_predictions,
    read_teacher_predictions,
    with_labels,
)
from mtpkd_cli.evaluation.summary import (
    GAINS_BY_SUBJECT,
    SUMMARY,
    TEACHER_PREFIX,
    Summary,
    interval_in_words,
)
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import tested_samples
from mtpkd_cli.training.data import outputs_of
from mtpkd_cli.training.descriptions import read_description
from mtpkd_cli.training.predictions import PREDICTIONS


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    frames: Path | None,
    students: dict[str, dict[str, Path]],
    banks: dict[str, Path],
    teachers: dict[str, bool],
    task: str,
    evaluate: EvaluateSection,
    balanced: bool,
) -> Counts:
    """Writes predictions.parquet, subjects.parquet and metrics.json.

    Args:
        frames: The table of labelled frames, where the corpus has one; then scores of frames are written too.
        students: Method -> "fold/seed" -> folder of the student.
        banks: "fold/seed" -> folder of the teacher bank, for the teachers' own test scores (upper bounds).
        teachers: Name in the bank -> whether it needs privileged modalities.
        balanced: Whether classes count alike, however frequent they are.
    """
    table = read_parquet(samples).to_pandas()
    outputs = outputs_of(table)
    names = metrics_of(evaluate.metrics, len(outputs))
    headline = headline_of(names, task)
    predictions = _read_predictions(students, banks, teachers, table, task, balanced)
    tested = {key: tested_samples(folder) for key, folder in banks.items()}
    subjects = subjects_of(table, tested)
    limits = {"resamples": evaluate.resamples, "permutations": evaluate.permutations, "seed": evaluate.bootstrap_seed}
    draws = Draws.of(subjects, **limits)
    controls = [m for m in students if m in METHODS.names() and METHODS.control_of(m) is not None]
    placebos = {m: placebo for m in students if (placebo := METHODS.placebo_of(m)) in students}
    advance = job.reporter.progress("evaluate", len(names))
    comparisons: dict[str, Comparison] = {}
    for name in names:
        interruption.check()
        comparisons[name] = compare_methods(
            name, predictions, evaluate.reference, list(students), controls, placebos, draws, name == headline
        )
        advance()
    merged = pd.concat([predictions_table(m, one, table) for m, one in predictions.items()], ignore_index=True)
    described = table.drop(columns=[c for c in table.columns if c.startswith("media_")])
    merged = merged.merge(described, on="sample_id").sort_values(["method", "seed", "fold", "sample_id"])
    write_parquet(out / PREDICTIONS, merged)
    write_parquet(out / GAINS_BY_SUBJECT, comparisons[headline].gains_by_subject(subjects))
    base = predictions[evaluate.reference]
    methods = {
        method: method_scores(
            method,
            comparisons,
            headline,
            scored=one.samples_scored,
            **_guard(method, students.get(method, {}), base, one, headline),
            thresholds=one.thresholds,
            **figures_of(one, table, task, outputs, names, draws.bootstrap),
        )
        for method, one in predictions.items()
    }
    frame_summary = {}
    if frames is not None:
        frame_summary["frames"] = score_frames(out / "frames", frames, table, predictions, tested, names, evaluate)
    summary = Summary(
        task=task,
        outputs=outputs,
        subjects=len(subjects),
        samples=len(set().union(*tested.values())),
        repetitions=sorted(banks),
        reference=evaluate.reference,
        headline=headline,
        controls=controls,
        placebos=placebos,
        interval=interval_in_words(len(subjects), evaluate.resamples),
        test=draws.test_in_words,
        metrics=about_metrics(names),
        methods=methods,
        trivial=scores_alone(predict_training_mean(banks, table), names, draws) if task == "regression" else None,
        **frame_summary,
    )
    write_record(out / SUMMARY, summary)
    return {"methods": len(students), "repetitions": len(banks)}


def _read_predictions(
    students: dict[str, dict[str, Path]],
    banks: dict[str, Path],
    teachers: dict[str, bool],
    samples: pd.DataFrame,
    task: str,
    balanced: bool,
) -> dict[str, Predictions]:
    """Method, or teacher with its prefix -> predictions beside the labels."""
    binary = task == "classification" and len(outputs_of(samples)) == 2
    tables = {
        method: {key: read_student_predictions(folder) for key, folder in folders.items()}
        for method, folders in students.items()
    }
    for teacher in teachers:
        tables[TEACHER_PREFIX + teacher] = {
            key: read_teacher_predictions(folder / f"{teacher}.parquet", task, balanced)
            for key, folder in banks.items()
        }
    return {method: with_labels(by_repetition, samples, binary) for method, by_repetition in tables.items()}


class _GuardCounts(TypedDict):
    """In how many repetitions the guard kept a student of another method, and in how many it should have."""

    fell_back: int
    kept_and_worse: int


def _guard(
    method: str, folders: dict[str, Path], base: Predictions, predictions: Predictions, headline: str
) -> _GuardCounts:
    descriptions = {key: read_description(path) for key, path in folders.items()}
    # By the name that the student goes by here: a cell of an ablation is called otherwise than its method.
    fell_back = [key for key, about in descriptions.items() if about.chosen and about.chosen.method != method]
    module, kept_and_worse = METRICS.load(headline), 0
    for key in set(predictions.plain) - set(fell_back) if folders else ():
        for ours, theirs in metrics.paired_parts({key: predictions.plain[key]}, base.plain):
            gain = module.metric(ours.labels, ours.scores)[0] - module.metric(theirs.labels, theirs.scores)[0]
            kept_and_worse += bool((gain if module.GREATER_IS_BETTER else -gain) < 0)
    return {"fell_back": len(fell_back), "kept_and_worse": kept_and_worse}
