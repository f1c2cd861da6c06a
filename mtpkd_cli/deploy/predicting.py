"""What students say of windows and recordings, as one table."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from mtpkd_cli.deploy.choice import Chosen
from mtpkd_cli.deploy.reading import Read, padded
from mtpkd_cli.errors import DataError
from mtpkd_cli.models import ModalityBatch, Student
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import standardised

Person = Literal["each", "folder", "all"]
BATCH = 256


def predict_windows(
    reads: list[Read], students: list[Chosen], normalise: str, person: Person, threshold: float | None = None
) -> pd.DataFrame:
    """Applies students to windows of which something could be read.

    Args:
        students: One, or several whose answers are averaged.
        normalise: As study.toml says; "subject" standardises by all windows of a person.
        person: Whose the recordings are: each its own, those of one folder one person's, or all one person's.
        threshold: Probability above which `predicted_tuned` is the second of two classes; None = no such column.

    Returns:
        One row per window: recording, window, start_s, end_s, predicted, confidence, predicted_tuned and `p_<class>` of
        each class (or one column per target), spread over several students, unseen, missing (modalities) and error.

    Raises:
        DataError: The features are of other size than those that the student learned from.
    """
    usable = [row for row, read in enumerate(reads) if read.features]
    loaded = [load_model(student.folder, Student) for student in students]
    about = loaded[0][1]
    sizes, task, outputs = about.arguments["features"], about.task, about.outputs
    said = np.zeros((len(students), 0, len(outputs)))
    if usable:
        batch = _batch([reads[row] for row in usable], sizes, normalise, person)
        said = np.stack([_applied(model, batch, task) for model, _ in loaded])
    answers = pd.DataFrame(_answers(said, task, outputs, threshold), index=usable)
    described = pd.DataFrame([_described(read, list(sizes)) for read in reads])
    remarks = ["unseen", "missing", "error"]
    return described.drop(columns=remarks).join(answers).join(described[remarks])


def per_recording(windows: pd.DataFrame, task: str, outputs: list[str], threshold: float | None = None) -> pd.DataFrame:
    """One row per recording: probabilities (or targets) averaged over its windows that have any.

    Args:
        threshold: As of `predict_windows`.

    Returns:
        recording, windows (how many were predicted), of (how many there are), then as of windows; error tells the first
        window's where there is no prediction.
    """
    rows = []
    names = [f"p_{name}" for name in outputs] if task == "classification" else outputs
    for recording, own in windows.groupby("recording", sort=False):
        done = own[own["error"] == ""]
        row: dict[str, Any] = {"recording": recording, "windows": len(done), "of": len(own)}
        if len(done):
            mean = done[names].to_numpy(float).mean(axis=0)
            if task == "classification":
                row |= {name: cells[0] for name, cells in _said(mean[None], outputs, threshold).items()}
            row |= dict(zip(names, mean, strict=True))
        rows.append(row | {"error": "" if len(done) else own["error"].iloc[0]})
    table = pd.DataFrame(rows)
    return table[[*(name for name in table.columns if name != "error"), "error"]]


def _batch(reads: list[Read], sizes: dict[str, int], normalise: str, person: Person) -> ModalityBatch:
    batch: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, size in sizes.items():
        for read in reads:
            if name in read.features and read.features[name].values.shape[1] != size:
                raise DataError(
                    f"'{name}' gives {read.features[name].values.shape[1]} features",
                    where=read.window.recording,
                    expected=f"{size}, as in the recordings that the student learned from",
                    todo="check rate and kind of the recording",
                )
        values, mask = (torch.from_numpy(part) for part in padded(reads, name, size))
        if normalise == "subject":
            values = standardised(values, mask, np.array([_person(read.window.recording, person) for read in reads]))
        batch[name] = values, mask
    return batch


def _person(recording: Path, person: Person) -> str:
    return {"each": str(recording), "folder": str(recording.parent), "all": ""}[person]


@torch.no_grad()
def _applied(model: Student, batch: ModalityBatch, task: str) -> np.ndarray:
    """(N, C) probabilities or targets, float64."""
    total = len(next(iter(batch.values()))[0])
    logits = []
    for rows in torch.arange(total).split(BATCH):
        logits.append(model({name: (values[rows], mask[rows]) for name, (values, mask) in batch.items()}).logits)
    said = torch.cat(logits)
    return (torch.softmax(said, dim=1) if task == "classification" else said).double().numpy()


def _answers(said: np.ndarray, task: str, outputs: list[str], threshold: float | None = None) -> dict[str, Any]:
    """Columns of (K, N, C) answers of K students."""
    mean, several = said.mean(axis=0), len(said) > 1
    if task != "classification":
        columns = {name: mean[:, c] for c, name in enumerate(outputs)}
        spread = {f"spread_{name}": said[:, :, c].std(axis=0) for c, name in enumerate(outputs)}
        return columns | (spread if several else {})
    columns = _said(mean, outputs, threshold) | {f"p_{name}": mean[:, c] for c, name in enumerate(outputs)}
    return columns | ({"spread": said[:, np.arange(len(mean)), mean.argmax(axis=1)].std(axis=0)} if several else {})


def _said(probabilities: np.ndarray, outputs: list[str], threshold: float | None) -> dict[str, list[Any]]:
    """What (N, C) probabilities say: the most probable class, how surely, and the class at the threshold."""
    best = [outputs[c] for c in probabilities.argmax(axis=1)]
    said = {"predicted": best, "confidence": probabilities.max(axis=1).tolist()}
    if threshold is not None:
        said["predicted_tuned"] = [outputs[int(p > threshold)] for p in probabilities[:, 1]]
    return said


def _described(read: Read, modalities: list[str]) -> dict[str, Any]:
    window = read.window
    missing = [name for name in modalities if name not in read.features]
    reasons = dict.fromkeys(f"{name}: {error}" if len(modalities) > 1 else error for name, error in read.errors.items())
    return {
        "recording": str(window.recording),
        "window": window.number,
        "start_s": window.start_s,
        "end_s": window.end_s,
        "unseen": read.unseen,
        "missing": ", ".join(missing),
        "error": "" if read.features else "; ".join(reasons),
    }
