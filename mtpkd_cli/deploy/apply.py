"""Students applied to windows: predictions of windows and recordings, as tables."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from mtpkd_cli.deploy.choice import ChosenStudent
from mtpkd_cli.deploy.reading import EncodedWindow, padded
from mtpkd_cli.errors import DataError
from mtpkd_cli.models import ModalityBatch, Student
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import standardised

Person = Literal["each", "folder", "all"]
BATCH = 256
QUALITY_PREFIX = "quality_"


def predict_windows(
    windows: list[EncodedWindow],
    students: list[ChosenStudent],
    normalise: str,
    person: Person,
    threshold: float | None = None,
) -> pd.DataFrame:
    """Applies students to the windows that have features.

    Args:
        windows: All windows, those without features too.
        students: One, or several whose predictions are averaged.
        normalise: What study.toml says in [model]; "subject" standardises by all windows of a person.
        person: Whose the recordings are: "each" is of another person, those of one "folder" are of one person, or "all"
            are.
        threshold: Probability above which `predicted_tuned` is the second of two classes; None = no such column.

    Returns:
        One row per window: recording, window, start_s, end_s, predicted, confidence, predicted_tuned and `p_<class>` of
        each class (or one column per target), spread over several students, `quality_<modality>` (share of the window
        that was measured), doubt, missing (modalities) and error.

    Raises:
        DataError: The features are of other size than those that the student learned from.
    """
    usable = [row for row, encoded in enumerate(windows) if encoded.features]
    loaded = [load_model(student.folder, Student) for student in students]
    about = loaded[0][1]
    sizes, task, outputs = about.arguments["features"], about.task, about.outputs
    scores = np.zeros((len(students), 0, len(outputs)))
    if usable:
        batch = _batch([windows[row] for row in usable], sizes, normalise, person)
        scores = np.stack([_scores(model, batch, task) for model, _ in loaded])
    predictions = pd.DataFrame(_predictions(scores, task, outputs, threshold), index=usable)
    described = pd.DataFrame([_described(encoded, list(sizes)) for encoded in windows])
    remarks = [*(f"{QUALITY_PREFIX}{name}" for name in sizes), "doubt", "missing", "error"]
    return described.drop(columns=remarks).join(predictions).join(described[remarks])


def per_recording(windows: pd.DataFrame, task: str, outputs: list[str], threshold: float | None = None) -> pd.DataFrame:
    """One row per recording: probabilities (or targets) averaged over its windows that have any.

    Args:
        windows: The table that `predict_windows` gives.
        threshold: Probability above which `predicted_tuned` is the second of two classes; None = no such column.

    Returns:
        recording, windows (how many were predicted), of (how many there are), predicted, confidence, predicted_tuned
        and `p_<class>` of each class (or one column per target); `quality_<modality>`, the mean over all windows that
        could be read; doubt, which of its windows are doubtful or have no prediction; error is that of the first window
        where no window was predicted.
    """
    rows = []
    names = [f"p_{name}" for name in outputs] if task == "classification" else outputs
    for recording, of_recording in windows.groupby("recording", sort=False):
        done = of_recording[of_recording["error"] == ""]
        row: dict[str, Any] = {"recording": recording, "windows": len(done), "of": len(of_recording)}
        if len(done):
            mean = done[names].to_numpy(float).mean(axis=0)
            if task == "classification":
                row |= {name: cells[0] for name, cells in _classes(mean[None], outputs, threshold).items()}
            row |= dict(zip(names, mean, strict=True))
        row |= {name: of_recording[name].mean() for name in of_recording if name.startswith(QUALITY_PREFIX)}
        error = "" if len(done) else of_recording["error"].iloc[0]
        rows.append(row | {"doubt": _doubt(of_recording) if len(done) else "", "error": error})
    table = pd.DataFrame(rows)
    last = [name for name in table.columns if name.startswith(QUALITY_PREFIX) or name in ("doubt", "error")]
    return table[[*(name for name in table.columns if name not in last), *last]]


def _doubt(windows: pd.DataFrame) -> str:
    """What is doubtful of a recording that has a prediction: the first reason, and how many of its windows have one."""
    reasons = [
        doubt or error for doubt, error in zip(windows["doubt"], windows["error"], strict=True) if doubt or error
    ]
    if not reasons or len(windows) == 1:
        return "".join(reasons)
    return f"{len(reasons)} of {len(windows)} windows, such as: {reasons[0]}"


def _batch(windows: list[EncodedWindow], sizes: dict[str, int], normalise: str, person: Person) -> ModalityBatch:
    batch: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, size in sizes.items():
        for encoded in windows:
            if name in encoded.features and encoded.features[name].values.shape[1] != size:
                raise DataError(
                    f"'{name}' gives {encoded.features[name].values.shape[1]} features",
                    where=encoded.window.recording,
                    expected=f"{size}, as in the recordings that the student learned from",
                    todo="check rate and kind of the recording",
                )
        values, mask = (torch.from_numpy(part) for part in padded(windows, name, size))
        if normalise == "subject":
            people = [_person(encoded.window.recording, person) for encoded in windows]
            values = standardised(values, mask, np.array(people))
        batch[name] = values, mask
    return batch


def _person(recording: Path, person: Person) -> str:
    return {"each": str(recording), "folder": str(recording.parent), "all": ""}[person]


@torch.no_grad()
def _scores(model: Student, batch: ModalityBatch, task: str) -> np.ndarray:
    """(N, C) probabilities or targets, float64."""
    total = len(next(iter(batch.values()))[0])
    logits = []
    for rows in torch.arange(total).split(BATCH):
        logits.append(model({name: (values[rows], mask[rows]) for name, (values, mask) in batch.items()}).logits)
    outputs = torch.cat(logits)
    return (torch.softmax(outputs, dim=1) if task == "classification" else outputs).double().numpy()


def _predictions(scores: np.ndarray, task: str, outputs: list[str], threshold: float | None = None) -> dict[str, Any]:
    """Columns of the table, from (K, N, C) probabilities or targets of K students."""
    mean, several = scores.mean(axis=0), len(scores) > 1
    if task != "classification":
        columns = {name: mean[:, c] for c, name in enumerate(outputs)}
        spread = {f"spread_{name}": scores[:, :, c].std(axis=0) for c, name in enumerate(outputs)}
        return columns | (spread if several else {})
    columns = _classes(mean, outputs, threshold) | {f"p_{name}": mean[:, c] for c, name in enumerate(outputs)}
    return columns | ({"spread": scores[:, np.arange(len(mean)), mean.argmax(axis=1)].std(axis=0)} if several else {})


def _classes(probabilities: np.ndarray, outputs: list[str], threshold: float | None) -> dict[str, list[Any]]:
    """Of (N, C) probabilities: the most probable class, its probability, and the class at the threshold."""
    best = [outputs[c] for c in probabilities.argmax(axis=1)]
    columns = {"predicted": best, "confidence": probabilities.max(axis=1).tolist()}
    if threshold is not None:
        columns["predicted_tuned"] = [outputs[int(p > threshold)] for p in probabilities[:, 1]]
    return columns


def _share(encoded: EncodedWindow, modality: str) -> float | None:
    return encoded.qualities[modality].share if modality in encoded.qualities else None


def _described(encoded: EncodedWindow, modalities: list[str]) -> dict[str, Any]:
    window = encoded.window
    missing = [name for name in modalities if name not in encoded.features]
    several = len(modalities) > 1
    reasons = dict.fromkeys(f"{name}: {error}" if several else error for name, error in encoded.errors.items())
    return {
        "recording": str(window.recording),
        "window": window.number,
        "start_s": window.start_s,
        "end_s": window.end_s,
        **{f"{QUALITY_PREFIX}{name}": _share(encoded, name) for name in modalities},
        "doubt": encoded.doubt,
        "missing": ", ".join(missing),
        "error": "" if encoded.features else "; ".join(reasons),
    }
