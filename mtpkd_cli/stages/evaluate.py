"""Evaluation: test predictions of every method, fold and seed -> scores with intervals over subjects."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import read_parquet, write_json, write_parquet
from mtpkd_cli.config.study import EvaluateSection
from mtpkd_cli.models import Student
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import TEACHER_PREFIX, Counts, Job
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import labels_of, outputs_of


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    students: dict[str, dict[str, Path]],
    banks: dict[str, Path],
    teachers: dict[str, bool],
    task: str,
    evaluate: EvaluateSection,
) -> Counts:
    """Writes predictions.parquet and metrics.json.

    Args:
        students: Method -> "fold/seed" -> folder of the student.
        banks: "fold/seed" -> folder of the teacher bank, for the teachers' own test scores (upper bounds).
        teachers: Name in the bank -> whether it needs privileged modalities.
    """
    table = read_parquet(samples).to_pandas()
    parts = {method: {k: _student_rows(f) for k, f in folders.items()} for method, folders in students.items()}
    for teacher in teachers:
        rows = {key: _teacher_rows(folder / f"{teacher}.parquet", task) for key, folder in banks.items()}
        parts[TEACHER_PREFIX + teacher] = rows
    labelled = labels_of(table).numpy()
    position = pd.Series(np.arange(len(table)), index=table["sample_id"])
    advance = job.reporter.progress("evaluate", len(parts))
    subjects = sorted(table["subject"].unique())
    draws = metrics.bootstrap_weights(len(subjects), evaluate.resamples, evaluate.bootstrap_seed)
    names = evaluate.metrics or [n for n in METRICS.names() if task == METRICS.load(n).TASK]
    results, frames = {}, []
    for method, by_key in parts.items():
        interruption.check()
        scored = []
        for key, rows in by_key.items():
            if rows.empty:  # leave-one-subject-out, and that subject lacks all that the model needs
                continue
            at = position[rows["sample_id"]].to_numpy()
            scored.append(
                metrics.Part(labelled[at], np.stack(rows["scores"].to_list()), table["subject"].to_numpy()[at])
            )
            fold, seed = (int(part.split("-")[1]) for part in key.split("/"))
            frames.append(rows[["sample_id", "scores"]].assign(method=method, fold=fold, seed=seed))
        results[method] = {n: metrics.resampled_scores(METRICS.load(n).metric, scored, subjects, draws) for n in names}
        advance()
    merged = pd.concat(frames, ignore_index=True).merge(
        table.drop(columns=[c for c in table.columns if c.startswith("media_")]), on="sample_id"
    )
    write_parquet(out / "predictions.parquet", merged.sort_values(["method", "seed", "fold", "sample_id"]))
    summary = {
        "task": task,
        "outputs": outputs_of(table),
        "subjects": len(subjects),
        "samples": len(table),
        "repetitions": sorted(banks),
        "reference": evaluate.reference,
        "interval": f"95 % percentile bootstrap over {len(subjects)} subjects, {evaluate.resamples} resamples",
        "metrics": {
            n: {"label": METRICS.load(n).LABEL, "greater_is_better": METRICS.load(n).GREATER_IS_BETTER} for n in names
        },
        "methods": {
            method: {
                "scored": len({sample for rows in parts[method].values() for sample in rows["sample_id"]}),
                "fell_back": _fell_back(method, students.get(method, {})),
            }
            | _row(scores, results[evaluate.reference])
            for method, scores in results.items()
        },
    }
    write_json(out / "metrics.json", summary)
    return {"methods": len(students), "repetitions": len(banks)}


def _row(scores: dict[str, metrics.Resampled], reference: dict[str, metrics.Resampled]) -> dict[str, Any]:
    row: dict[str, Any] = {"scores": {}, "differences": {}}
    for name, score in scores.items():
        base = reference[name]
        row["scores"][name] = _plain(metrics.interval(score.values, score.point)) | {
            "undefined_parts": score.undefined_parts
        }
        if score is not base:
            row["differences"][name] = _plain(metrics.difference(base.point, base.values, score.point, score.values))
    return row


def _plain(estimate: metrics.Estimate) -> dict[str, Any]:
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {key: None if np.isnan(value) else value for key, value in values.items()}


def _fell_back(method: str, folders: dict[str, Path]) -> int:
    """In how many repetitions the guard kept a student of another method."""
    return sum(load_model(folder, Student)[1]["chosen"]["method"] != method for folder in folders.values())


def _student_rows(folder: Path) -> pd.DataFrame:
    filters = [("part", "==", "test")]
    return read_parquet(folder / "predictions.parquet", columns=["sample_id", "scores"], filters=filters).to_pandas()


def _teacher_rows(path: Path, task: str) -> pd.DataFrame:
    filters = [("part", "==", "test"), ("present", "==", True)]
    rows = read_parquet(path, columns=["sample_id", "logits"], filters=filters).to_pandas()
    if rows.empty:
        return rows.rename(columns={"logits": "scores"})
    logits = np.stack(rows["logits"].to_list()).astype(np.float64)
    if task == "classification":
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits /= logits.sum(1, keepdims=True)
    return pd.DataFrame({"sample_id": rows["sample_id"], "scores": list(logits.astype(np.float32))})
