"""Predictions of test samples, read from disk and put beside the labels, with the threshold that validation chose.

Legend: N test samples of a fold and seed, C classes or targets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.artifacts.run_folder import parse_repetition, repetition_name
from mtpkd_cli.datasets import TARGET_PREFIX
from mtpkd_cli.models import TargetScale
from mtpkd_cli.models.class_balance import balancing_shift
from mtpkd_cli.training.bank import samples_of_part, tensor_of
from mtpkd_cli.training.data import labels_of
from mtpkd_cli.training.predictions import PREDICTIONS


@dataclass(frozen=True)
class Predictions:
    """One model's predictions in every fold and seed.

    Args:
        plain: "fold/seed" -> (N,) row numbers of the samples table, and predictions.
        tuned: "fold/seed" -> row numbers, and predictions at the threshold of the validation subjects, as of
            `metrics.scores_at_threshold`; empty beyond two classes.
        thresholds: "fold/seed" -> probability of class 1 above which class 1 is predicted; empty beyond two classes.
    """

    plain: dict[str, tuple[np.ndarray, metrics.Part]] = field(default_factory=dict)
    tuned: dict[str, tuple[np.ndarray, metrics.Part]] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    def for_metric(self, threshold: str | None) -> dict[str, tuple[np.ndarray, metrics.Part]]:
        """The predictions that a metric takes; threshold: its constant THRESHOLD, None where it has none."""
        return self.plain if threshold is None else self.tuned

    @property
    def samples_scored(self) -> int:
        """How many different samples there are predictions of."""
        return len({row for rows, _ in self.plain.values() for row in rows})


def read_student_predictions(folder: Path) -> pd.DataFrame:
    """Reads a student's predictions: sample_id, part (validation or test) and scores."""
    return read_parquet(folder / PREDICTIONS, columns=["sample_id", "part", "scores"]).to_pandas()


def read_teacher_predictions(path: Path, task: str, balanced: bool) -> pd.DataFrame:
    """Reads a teacher's predictions from the bank; samples of which it could see nothing are left out.

    Args:
        balanced: Classes count alike, as in students: by what the teacher says of the training side.

    Returns:
        As `read_student_predictions`.
    """
    filters = [("part", "in", ["validation", "test"]), ("present", "==", True)]
    rows = read_parquet(path, columns=["sample_id", "part", "logits"], filters=filters).to_pandas()
    if rows.empty:
        return rows.rename(columns={"logits": "scores"})
    logits = np.stack(rows["logits"].to_list()).astype(np.float64)
    if task == "classification":
        if balanced:
            logits += _shift_of_teacher(path)
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits /= logits.sum(1, keepdims=True)
    return rows[["sample_id", "part"]].assign(scores=list(logits.astype(np.float32)))


def _shift_of_teacher(path: Path) -> np.ndarray:
    """(C,) shift by which the classes have the same mean over held-out words on the training side."""
    filters = [("part", "in", ["train", "unlabelled"]), ("present", "==", True)]
    words = tensor_of(read_parquet(path, columns=["crossfit_logits"], filters=filters).column("crossfit_logits"))
    shift: np.ndarray = balancing_shift(words.double()).numpy()
    return shift


def predict_training_mean(banks: Mapping[str, Path], samples: pd.DataFrame) -> Predictions:
    """Predicts for everybody the mean of the training people's targets: what any model has to beat.

    Args:
        banks: "fold/seed" -> folder of the teacher bank, which knows who was trained on and who is tested.
        samples: The samples table of a regression.
    """
    labels, position, tables = labels_of(samples), positions_of(samples), {}
    for key, folder in banks.items():
        trained, tested = (samples_of_part(folder, part) for part in ("train", "test"))
        mean = np.array(TargetScale.of(labels[position[trained].tolist()]).mean, np.float32)
        tables[key] = pd.DataFrame({"sample_id": tested, "part": "test", "scores": [mean] * len(tested)})
    return with_labels(tables, samples, binary=False)


def with_labels(tables: Mapping[str, pd.DataFrame], samples: pd.DataFrame, binary: bool) -> Predictions:
    """Puts predictions beside labels and subjects.

    Args:
        tables: "fold/seed" -> sample_id, part and scores.
        samples: The samples table.
        binary: Whether there are two classes, and so a threshold.
    """
    result = Predictions()
    labels, subjects = labels_of(samples).numpy(), samples["subject"].to_numpy()
    position = positions_of(samples)
    for key, table in tables.items():
        test = table[table["part"] == "test"]
        if test.empty:  # leave-one-subject-out, and that subject lacks all that the model needs
            continue
        at = position[test["sample_id"]].to_numpy()
        part = metrics.Part(labels[at], np.stack(test["scores"].to_list()), subjects[at])
        result.plain[key] = (at, part)
        if binary:
            threshold = validation_threshold(table, labels, position)
            result.thresholds[key] = threshold
            result.tuned[key] = (
                at,
                metrics.Part(part.labels, metrics.scores_at_threshold(part.scores, threshold), part.subjects),
            )
    return result


def positions_of(samples: pd.DataFrame) -> pd.Series:
    """sample_id -> row of the samples table."""
    return pd.Series(np.arange(len(samples)), index=samples["sample_id"])


def validation_threshold(table: pd.DataFrame, labels: np.ndarray, position: pd.Series) -> float:
    """Returns the threshold of `metrics.best_threshold` for a model's validation samples; 0.5 where it has none.

    Args:
        table: sample_id, part and scores, as of `read_student_predictions`.
        labels: (N,) of the samples table.
        position: As of `positions_of`.
    """
    validation = table[table["part"] == "validation"]
    if validation.empty:
        return metrics.USUAL_THRESHOLD
    scores = np.stack(validation["scores"].to_list())
    return metrics.best_threshold(labels[position[validation["sample_id"]].to_numpy()], scores)


def evaluated_predictions(
    rows: pd.DataFrame, thresholds: Mapping[str, float], samples: pd.DataFrame, by_fold: bool
) -> Predictions:
    """The predictions that an evaluation has stored, as `with_labels` gives them.

    Args:
        rows: One method's rows of the evaluation's predictions.parquet.
        thresholds: Its thresholds in the summary.
        samples: sample_id, subject and labels of all samples.
        by_fold: Whether folds stay apart; else all folds of a seed are put together, under the key "seed-<seed>".
    """
    position = positions_of(samples)
    columns = [name for name in samples if name == "label" or str(name).startswith(TARGET_PREFIX)]
    result = Predictions()
    pieces: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]] = {}
    for (fold, seed), repetition in rows.groupby(["fold", "seed"]):
        key = repetition_name(fold, seed)
        scores = np.stack(repetition["scores"].to_list())
        tuned = metrics.scores_at_threshold(scores, thresholds[key]) if key in thresholds else None
        at = position[repetition["sample_id"]].to_numpy()
        pieces.setdefault(key if by_fold else f"seed-{seed}", []).append((at, scores, tuned))
    for key, parts in pieces.items():
        at = np.concatenate([part[0] for part in parts])
        if columns == ["label"]:
            labels = samples[columns[0]].to_numpy()[at]
        else:
            labels = samples[columns].to_numpy(np.float32)[at]
        subjects = samples["subject"].to_numpy()[at]
        result.plain[key] = (at, metrics.Part(labels, np.concatenate([part[1] for part in parts]), subjects))
        at_threshold = [part[2] for part in parts if part[2] is not None]
        if len(at_threshold) == len(parts):
            result.tuned[key] = (at, metrics.Part(labels, np.concatenate(at_threshold), subjects))
    return result


def predictions_table(method: str, predictions: Predictions, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per fold, seed and test sample: scores and, of classes, what is predicted and how surely."""
    frames = [pd.DataFrame()]
    for key, (at, part) in predictions.plain.items():
        fold, seed = parse_repetition(key)
        columns = {"sample_id": samples["sample_id"].to_numpy()[at], "scores": list(part.scores)}
        if part.labels.ndim == 1:
            columns |= {"predicted": part.scores.argmax(axis=1), "confidence": part.scores.max(axis=1)}
        if key in predictions.tuned:
            columns["predicted_tuned"] = predictions.tuned[key][1].scores.argmax(axis=1)
        frames.append(pd.DataFrame(columns).assign(method=method, fold=fold, seed=seed))
    return pd.concat(frames[1:] or frames, ignore_index=True)
