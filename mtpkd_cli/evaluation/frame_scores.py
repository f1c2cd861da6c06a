"""Scores of single frames: the predictions of all windows that cover a frame, averaged, against the frame's own label.

All valid frames of a repetition's test recordings are concatenated, as the ABAW challenges score; intervals are by
bootstrap over subjects, which in Aff-Wild2 are the raw videos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import read_parquet, write_parquet
from mtpkd_cli.artifacts.run_folder import parse_repetition
from mtpkd_cli.config.study import EvaluateSection
from mtpkd_cli.evaluation.frame_rows import Rows, class_rows, covering_mean, joined, target_rows
from mtpkd_cli.evaluation.predictions import Predictions
from mtpkd_cli.evaluation.summary import Estimate, FrameScores, FrameSummary, interval_in_words
from mtpkd_cli.registry import METRICS
from mtpkd_cli.training.data import labels_of, outputs_of

_Resampled = tuple[float, np.ndarray]
# Elements of the largest (resamples, rows) block of weights held at once: 80 MB.
BLOCK_ELEMENTS = 10_000_000


@dataclass(frozen=True)
class FramePredictions:
    """What one repetition of one method predicts for the frames of its test recordings.

    Args:
        frames: Those rows of the table of frames.
        scores: (F, C) means over the windows that cover a frame; NaN where none does.
    """

    frames: pd.DataFrame
    scores: np.ndarray

    @property
    def scorable(self) -> np.ndarray:
        """(F,) bool: frames with a label that counts and a prediction."""
        return self.frames["valid"].to_numpy() & ~np.isnan(self.scores[:, 0])


def score_frames(
    out: Path,
    frames_file: Path,
    samples: pd.DataFrame,
    predictions: Mapping[str, Predictions],
    tested: dict[str, list[str]],
    names: Sequence[str],
    evaluate: EvaluateSection,
) -> FrameSummary:
    """Scores all methods; writes one table of frame predictions per method into `out`.

    Args:
        out: Folder to make.
        frames_file: The table of labelled frames.
        samples: The samples table, with recording, first_frame and last_frame.
        predictions: Method -> its predictions of the test samples.
        tested: "fold/seed" -> all samples that were to be tested.
        names: Metrics; those that choose a threshold by samples are left out.
        evaluate: Resamples and reference.
    """
    frames, outputs = read_parquet(frames_file).to_pandas(), outputs_of(samples)
    subjects = subjects_of(samples, tested)
    draws = metrics.bootstrap_weights(len(subjects), evaluate.resamples, evaluate.bootstrap_seed).astype(np.float64)
    person = samples.drop_duplicates("recording").set_index("recording")["subject"]
    people = person.map({subject: index for index, subject in enumerate(subjects)})
    tested_frames = {key: _frames_of(frames, samples, ids) for key, ids in tested.items()}
    out.mkdir()
    resampled: dict[str, dict[str, _Resampled]] = {}
    facts: dict[str, dict[str, Any]] = {}
    names = [name for name in names if METRICS.constant(name, "THRESHOLD") is None]
    for method, of_samples in predictions.items():
        of_frames = {
            key: predict_frames(tested_frames[key], samples.iloc[at], part.scores)
            for key, (at, part) in of_samples.plain.items()
        }
        write_parquet(out / f"{method.replace(' ', '-')}.parquet", _table(of_frames, outputs))
        entries = list(of_frames.values())
        resampled[method] = {name: _resampled_score(name, entries, people, draws) for name in names}
        scorable = sum(int(entry.scorable.sum()) for entry in entries)
        unscored = sum(int(entry.frames["valid"].sum()) for entry in entries) - scorable
        facts[method] = {"scored": scorable, "unscored": unscored}
        if "label" not in samples:
            facts[method]["targets"] = _by_target(outputs, names, entries, people, draws)
    base = resampled[evaluate.reference]
    rows = {method: FrameScores(**facts[method], **_estimates(scores, base)) for method, scores in resampled.items()}
    valid = pd.concat(tested_frames.values()).drop_duplicates(["recording", "frame"])["valid"]
    interval = interval_in_words(len(subjects), evaluate.resamples)
    return FrameSummary(frames=int(valid.sum()), interval=interval, metrics=list(names), methods=rows)


def subjects_of(samples: pd.DataFrame, tested: dict[str, list[str]]) -> list[str]:
    """The subjects that are tested in some repetition, sorted; the bootstrap draws these."""
    ids = set().union(*tested.values())
    return sorted(samples.loc[samples["sample_id"].isin(ids), "subject"].unique())


def predict_frames(frames: pd.DataFrame, windows: pd.DataFrame, scores: np.ndarray) -> FramePredictions:
    """Averages the windows over each frame.

    Args:
        frames: Of the tested recordings, sorted by recording and frame, without gaps.
        windows: W rows of the samples table, with recording, first_frame and last_frame.
        scores: (W, C).
    """
    first_rows = np.flatnonzero(~frames["recording"].duplicated())
    start = pd.Series(first_rows, index=frames["recording"].iloc[first_rows].to_numpy())
    offset = windows["recording"].map(start).to_numpy() - 1
    spans = np.column_stack([offset + windows[name].to_numpy() for name in ("first_frame", "last_frame")])
    return FramePredictions(frames, covering_mean(scores.astype(np.float64), spans, len(frames)))


def _frames_of(frames: pd.DataFrame, samples: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    """The frames of the recordings that these samples are windows of."""
    recordings = samples.loc[samples["sample_id"].isin(ids), "recording"].unique()
    return frames[frames["recording"].isin(recordings)].reset_index(drop=True)


def _by_target(
    outputs: list[str], names: Sequence[str], entries: list[FramePredictions], people: pd.Series, draws: np.ndarray
) -> dict[str, dict[str, Estimate]]:
    """Target -> metric -> its estimate."""
    targets: dict[str, dict[str, Estimate]] = {target: {} for target in outputs}
    for name in names:
        for column, target in enumerate(outputs):
            metric = metrics.target_metric(METRICS.load(name).per_target, column)
            point, values = _resampled_score(name, entries, people, draws, metric)
            targets[target][name] = Estimate.of(metrics.interval(values, point))
    return targets


def _resampled_score(
    name: str,
    entries: list[FramePredictions],
    people: pd.Series,
    draws: np.ndarray,
    metric: metrics.Metric | None = None,
) -> _Resampled:
    """A metric's mean over repetitions and its (R,) bootstrap values; for samples it is `metrics.resampled_scores`."""
    metric, pooled = metric or METRICS.load(name).metric, bool(METRICS.constant(name, "POOLED", False))
    points, values, shares, seen = [], [], [], set()
    parts = [part for entry in entries if len((part := _rows(name, entry, people)).labels)]
    for part in [joined(parts)] if pooled and parts else parts:
        subjects = np.unique(part.people)
        points.append(metric(part.labels, part.scores, part.counts[None]))
        block = max(1, BLOCK_ELEMENTS // len(part.counts))
        blocks = (draws[i : i + block, part.people] * part.counts for i in range(0, len(draws), block))
        values.append(np.concatenate([metric(part.labels, part.scores, weights) for weights in blocks]))
        shares.append(draws[:, subjects].sum(axis=1) / len(subjects))
        seen.update(subjects.tolist())
    if not points:
        return np.nan, np.full(len(draws), np.nan)
    resampled = metrics.fold_mean(np.stack(values), np.stack(shares))
    if len(seen) == 1:
        resampled[:] = np.nan  # every draw is the same person, which says nothing about others
    point = float(metrics.fold_mean(np.stack(points), np.ones((len(points), 1)))[0])
    return point, metrics.around(point, resampled) if pooled else resampled


def _rows(name: str, entry: FramePredictions, people: pd.Series) -> Rows:
    """The rows that a metric is given: frames, or fewer rows that have the same value by it."""
    scorable = entry.scorable
    frames, scores = entry.frames[scorable], entry.scores[scorable]
    labels, who = labels_of(frames).numpy(), frames["recording"].map(people).to_numpy(np.int64)
    if labels.ndim == 1:
        return class_rows(labels, scores, who)
    if METRICS.constant(name, "MOMENTS"):
        return target_rows(labels.astype(np.float64), scores, who)
    return Rows(labels, scores, who, np.ones(len(labels)))


def _table(predictions: dict[str, FramePredictions], outputs: list[str]) -> pd.DataFrame:
    """Frame predictions of all repetitions: fold, seed, recording, frame and a column score_<output> each."""
    tables = []
    for key, entry in predictions.items():
        fold, seed = parse_repetition(key)
        scores = pd.DataFrame(entry.scores.astype(np.float32), columns=[f"score_{name}" for name in outputs])
        place = entry.frames[["recording", "frame", "valid"]].assign(fold=fold, seed=seed)
        tables.append(pd.concat([place, scores], axis=1))
    return pd.concat(tables, ignore_index=True)


def _estimates(scores: dict[str, _Resampled], reference: dict[str, _Resampled]) -> dict[str, dict[str, Estimate]]:
    """Fields of FrameScores: scores, and differences from the reference unless they are its own."""
    estimates: dict[str, dict[str, Estimate]] = {"scores": {}, "differences": {}}
    for name, (point, values) in scores.items():
        base, base_values = reference[name]
        estimates["scores"][name] = Estimate.of(metrics.interval(values, point))
        if values is not base_values:
            difference = metrics.difference(base, base_values, point, values)
            estimates["differences"][name] = Estimate.of(difference)
    return estimates
