"""Evaluation: test predictions of every method, fold and seed -> scores with intervals and tests over subjects."""

from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import read_parquet, write_json, write_parquet
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.study import EvaluateSection
from mtpkd_cli.errors import DataError
from mtpkd_cli.models import Student
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import TEACHER_PREFIX, Counts, Job
from mtpkd_cli.training.bank import tested_samples
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.comparison import Compared, Draws, compared, figures_of, row_of
from mtpkd_cli.training.data import outputs_of
from mtpkd_cli.training.frame_scores import score_frames, subjects_of
from mtpkd_cli.training.scored import Scored, predictions_table, scored, student_rows, teacher_rows

HEADLINES = {"classification": "balanced-accuracy", "regression": "ccc"}
"""The metric that a study is judged by, where it is among those asked for."""


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
) -> Counts:
    """Writes predictions.parquet, subjects.parquet and metrics.json.

    Args:
        frames: The table of labelled frames, where the corpus has one; then scores of frames are written too.
        students: Method -> "fold/seed" -> folder of the student.
        banks: "fold/seed" -> folder of the teacher bank, for the teachers' own test scores (upper bounds).
        teachers: Name in the bank -> whether it needs privileged modalities.
    """
    table = read_parquet(samples).to_pandas()
    outputs = outputs_of(table)
    names = _metrics(evaluate, task, len(outputs))
    binary = task == "classification" and len(outputs) == 2
    said = {
        method: scored({key: student_rows(folder) for key, folder in folders.items()}, table, binary)
        for method, folders in students.items()
    }
    for teacher in teachers:
        rows = {key: teacher_rows(folder / f"{teacher}.parquet", task) for key, folder in banks.items()}
        said[TEACHER_PREFIX + teacher] = scored(rows, table, binary)
    tested = {key: tested_samples(folder) for key, folder in banks.items()}
    subjects = subjects_of(table, tested)
    limits = {"resamples": evaluate.resamples, "permutations": evaluate.permutations, "seed": evaluate.bootstrap_seed}
    draws = Draws.of(subjects, **limits)
    controls = [m for m in students if m in METHODS.names() and METHODS.control_of(m)]
    headline = HEADLINES[task] if HEADLINES[task] in names else names[0]
    placebos = {m: own for m in students if (own := METHODS.placebo_of(m)) in students}
    advance = job.reporter.progress("evaluate", len(names))
    found: dict[str, Compared] = {}
    for name in names:
        interruption.check()
        found[name] = compared(
            name, said, evaluate.reference, list(students), controls, placebos, draws, name == headline
        )
        advance()
    predictions = pd.concat([predictions_table(m, own, table) for m, own in said.items()], ignore_index=True)
    described = table.drop(columns=[c for c in table.columns if c.startswith("media_")])
    merged = predictions.merge(described, on="sample_id").sort_values(["method", "seed", "fold", "sample_id"])
    write_parquet(out / "predictions.parquet", merged)
    write_parquet(out / "subjects.parquet", found[headline].by_subject(subjects))
    summary = {
        "task": task,
        "outputs": outputs,
        "subjects": len(subjects),
        "samples": len(set().union(*tested.values())),
        "repetitions": sorted(banks),
        "reference": evaluate.reference,
        "headline": headline,
        "controls": controls,
        "placebos": placebos,
        "interval": f"95 % percentile bootstrap over {len(subjects)} subjects, {evaluate.resamples} resamples",
        "test": draws.test_in_words,
        "metrics": {
            n: {"label": METRICS.load(n).LABEL, "greater_is_better": METRICS.load(n).GREATER_IS_BETTER} for n in names
        },
        "methods": {
            method: {"scored": len({row for at, _ in own.plain.values() for row in at})}
            | _guard(method, students.get(method, {}), said[evaluate.reference], own, headline)
            | {"thresholds": own.thresholds}
            | row_of(method, found, headline)
            | figures_of(own, table, task, outputs, names, draws)
            for method, own in said.items()
        },
    }
    if frames is not None:
        summary["frames"] = score_frames(out / "frames", frames, table, said, tested, names, evaluate)
    write_json(out / "metrics.json", summary)
    return {"methods": len(students), "repetitions": len(banks)}


def _metrics(evaluate: EvaluateSection, task: str, outputs: int) -> list[str]:
    """The metrics that are asked for, or the usual ones; a threshold is for two classes only."""
    names = evaluate.metrics or [n for n in METRICS.names() if task == METRICS.load(n).TASK]
    tuned = [name for name in names if METRICS.constant(name, "THRESHOLD")]
    if outputs == 2 or not tuned:
        return names
    if rest := [name for name in names if name not in tuned]:
        return rest
    raise DataError(f"{tuned[0]} is for two classes", where="evaluate.metrics", expected=f"not {outputs} classes")


def _guard(method: str, folders: dict[str, Path], base: Scored, own: Scored, headline: str) -> dict[str, Any]:
    """In how many repetitions the guard kept a student of another method, and how often it should have."""
    fell_back = [key for key, path in folders.items() if load_model(path, Student)[1]["chosen"]["method"] != method]
    module, kept_and_worse = METRICS.load(headline), 0
    for key in set(own.plain) - set(fell_back) if folders else ():
        for ours, theirs in metrics.paired_parts({key: own.plain[key]}, base.plain):
            gain = module.metric(ours.labels, ours.scores)[0] - module.metric(theirs.labels, theirs.scores)[0]
            kept_and_worse += bool((gain if module.GREATER_IS_BETTER else -gain) < 0)
    return {"fell_back": len(fell_back), "kept_and_worse": kept_and_worse}
