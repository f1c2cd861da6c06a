"""What models said of test samples, as evaluation scores it: read from disk, beside the labels, the threshold chosen.

Legend: N test samples of a fold and seed, C classes or targets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.datasets import TARGET_PREFIX
from mtpkd_cli.training.data import labels_of

STUDENT_ROWS = "predictions.parquet"


@dataclass(frozen=True)
class Scored:
    """One model of every fold and seed.

    Args:
        plain: "fold/seed" -> (N,) row numbers of the samples table, and predictions.
        tuned: The same with scores moved to the threshold of the validation subjects; empty beyond two classes.
        thresholds: "fold/seed" -> probability of class 1 above which class 1 is said; empty beyond two classes.
    """

    plain: dict[str, tuple[np.ndarray, metrics.Part]] = field(default_factory=dict)
    tuned: dict[str, tuple[np.ndarray, metrics.Part]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    def given(self, threshold: str | None) -> dict[str, tuple[np.ndarray, metrics.Part]]:
        """The predictions that a metric takes; threshold: its constant THRESHOLD, None where it has none."""
        return self.plain if threshold is None else self.tuned


def student_rows(folder: Path) -> pd.DataFrame:
    """Reads what a student said: sample_id, part (validation or test) and scores."""
    return read_parquet(folder / STUDENT_ROWS, columns=["sample_id", "part", "scores"]).to_pandas()


def teacher_rows(path: Path, task: str) -> pd.DataFrame:
    """Reads what a teacher of the bank said, as `student_rows`; samples of which it could see nothing are left out."""
    filters = [("part", "in", ["validation", "test"]), ("present", "==", True)]
    rows = read_parquet(path, columns=["sample_id", "part", "logits"], filters=filters).to_pandas()
    if rows.empty:
        return rows.rename(columns={"logits": "scores"})
    logits = np.stack(rows["logits"].to_list()).astype(np.float64)
    if task == "classification":
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits /= logits.sum(1, keepdims=True)
    return rows[["sample_id", "part"]].assign(scores=list(logits.astype(np.float32)))


def scored(rows: Mapping[str, pd.DataFrame], table: pd.DataFrame, binary: bool) -> Scored:
    """Puts predictions beside labels and subjects.

    Args:
        rows: "fold/seed" -> sample_id, part and scores.
        table: The samples table.
        binary: Whether there are two classes, and so a threshold.
    """
    result = Scored()
    labels, subjects = labels_of(table).numpy(), table["subject"].to_numpy()
    position = pd.Series(np.arange(len(table)), index=table["sample_id"])
    for key, said in rows.items():
        test = said[said["part"] == "test"]
        if test.empty:  # leave-one-subject-out, and that subject lacks all that the model needs
            continue
        at = position[test["sample_id"]].to_numpy()
        part = metrics.Part(labels[at], np.stack(test["scores"].to_list()), subjects[at])
        result.plain[key] = (at, part)
        if binary:
            threshold = threshold_of(said, labels, position)
            result.thresholds[key] = threshold
            result.tuned[key] = (at, metrics.Part(part.labels, metrics.moved(part.scores, threshold), part.subjects))
    return result


def threshold_of(said: pd.DataFrame, labels: np.ndarray, position: pd.Series) -> float:
    """Returns the threshold of `metrics.best_threshold` for a model's validation samples; 0.5 where it has none.

    Args:
        said: sample_id, part and scores, as of `student_rows`.
        labels: (N,) of the samples table.
        position: sample_id -> row of the samples table.
    """
    own = said[said["part"] == "validation"]
    if own.empty:
        return metrics.USUAL_THRESHOLD
    return metrics.best_threshold(labels[position[own["sample_id"]].to_numpy()], np.stack(own["scores"].to_list()))


def stored(rows: pd.DataFrame, thresholds: Mapping[str, float], table: pd.DataFrame, by_fold: bool) -> Scored:
    """The predictions that an evaluation has stored, as `scored` gives them.

    Args:
        rows: One method's rows of predictions.parquet.
        thresholds: Its thresholds in metrics.json.
        table: sample_id, subject and labels of all samples.
        by_fold: Whether folds stay apart; else all folds of a seed are put together, under the key "seed-<seed>".
    """
    position = pd.Series(np.arange(len(table)), index=table["sample_id"])
    columns = [name for name in table if name == "label" or str(name).startswith(TARGET_PREFIX)]
    result = Scored()
    pieces: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]] = {}
    for (fold, seed), own in rows.groupby(["fold", "seed"]):
        key = f"fold-{fold}/seed-{seed}"
        scores = np.stack(own["scores"].to_list())
        tuned = metrics.moved(scores, thresholds[key]) if key in thresholds else None
        at = position[own["sample_id"]].to_numpy()
        pieces.setdefault(key if by_fold else f"seed-{seed}", []).append((at, scores, tuned))
    for key, parts in pieces.items():
        at = np.concatenate([part[0] for part in parts])
        labels = table[columns[0]].to_numpy()[at] if columns == ["label"] else table[columns].to_numpy(np.float32)[at]
        people = table["subject"].to_numpy()[at]
        result.plain[key] = (at, metrics.Part(labels, np.concatenate([part[1] for part in parts]), people))
        moved = [part[2] for part in parts if part[2] is not None]
        if len(moved) == len(parts):
            result.tuned[key] = (at, metrics.Part(labels, np.concatenate(moved), people))
    return result


def predictions_table(method: str, said: Scored, table: pd.DataFrame) -> pd.DataFrame:
    """One row per fold, seed and test sample: scores and, of classes, what is predicted and how surely."""
    frames = [pd.DataFrame()]
    for key, (at, part) in said.plain.items():
        fold, seed = (int(word.split("-")[1]) for word in key.split("/"))
        columns = {"sample_id": table["sample_id"].to_numpy()[at], "scores": list(part.scores)}
        if part.labels.ndim == 1:
            columns |= {"predicted": part.scores.argmax(axis=1), "confidence": part.scores.max(axis=1)}
        if key in said.tuned:
            columns["predicted_tuned"] = said.tuned[key][1].scores.argmax(axis=1)
        frames.append(pd.DataFrame(columns).assign(method=method, fold=fold, seed=seed))
    return pd.concat(frames[1:] or frames, ignore_index=True)
