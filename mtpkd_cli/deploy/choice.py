"""Which student speaks: the one that validation subjects chose, or the one that was asked for; never by test scores."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.artifacts import MANIFEST, RunFolder, read_manifest, read_parquet
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.errors import ArtifactError, StudyError, did_you_mean
from mtpkd_cli.stages.extract import resolved_encoder
from mtpkd_cli.training import scored
from mtpkd_cli.training.checkpoints import DESCRIPTION
from mtpkd_cli.training.data import labels_of


@dataclass(frozen=True)
class Chosen:
    """A student of the run.

    Args:
        validation_loss: The loss on validation subjects that it was chosen by; None where the method tries nothing.
        outputs: Names of its C classes or targets.
    """

    method: str
    fold: int
    seed: int
    folder: Path
    validation_loss: float | None
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """How people are told of it."""
        loss = "" if self.validation_loss is None else f" (validation loss {self.validation_loss:.4f})"
        return f"{self.method}, fold {self.fold}, seed {self.seed}{loss}"


def choose(
    run: RunFolder, study: Study, method: str | None = None, fold: int | None = None, seed: int | None = None
) -> list[Chosen]:
    """Lists the students of one method that fit, the one with the least validation loss first.

    Args:
        method: None = of the methods that are no control, the one with the least validation loss over what fits.

    Raises:
        StudyError: The study has no such method.
        ArtifactError: No finished student fits.
    """
    if method is not None and method not in study.distill.methods:
        known = study.distill.methods
        near = did_you_mean(method, known)
        raise StudyError(f"the study has no method '{method}'{near}", where="--method", expected=", ".join(known))
    fair = [name for name in study.distill.methods if METHODS.control_of(name) is None]
    every = {name: _students(run, name, fold, seed) for name in (fair if method is None else [method])}
    found = {name: students for name, students in every.items() if students}
    if not found:
        given = {"method": method, "fold": fold, "seed": seed}
        said = ", ".join(f"{key} {value}" for key, value in given.items() if value is not None)
        raise ArtifactError(
            f"there is no finished student{' of ' + said if said else ''}",
            where=run.root,
            expected=f"one of: {', '.join(study.distill.methods)}",
            todo=f"mtpkd distill {run.root}",
        )
    judged = {name: [s.validation_loss for s in own if s.validation_loss is not None] for name, own in found.items()}
    best = min(found, key=lambda name: fmean(judged[name]) if judged[name] else float("inf"))
    return sorted(found[best], key=lambda s: float("inf") if s.validation_loss is None else s.validation_loss)


def threshold_of(run: RunFolder, study: Study, students: list[Chosen]) -> float | None:
    """Probability above which validation people say that it is the second of two classes; of several students the mean.

    None beyond two classes, and where the labels or what the students said of them were not copied with the run.
    """
    if study.study.task != "classification" or len(students[0].outputs) != 2:
        return None
    if not all(path.is_file() for path in (run.samples, *(own.folder / scored.STUDENT_ROWS for own in students))):
        return None
    table = read_parquet(run.samples).to_pandas()
    labels, position = labels_of(table).numpy(), pd.Series(np.arange(len(table)), index=table["sample_id"])
    return fmean(scored.threshold_of(scored.student_rows(own.folder), labels, position) for own in students)


def check_encoders(run: RunFolder, study: Study, modalities: list[str]) -> dict[str, dict[str, Any]]:
    """Returns name, version and options of the encoder of each modality, as the run's features were made.

    Raises:
        StudyError: A modality has ready features: nothing says how to make them from media.
        ArtifactError: Study or program have changed since the features were made.
    """
    encoders = {}
    for name in modalities:
        modality = study.modalities[name]
        if modality.encoder == "table":
            raise StudyError(
                f"the features of '{name}' were brought ready-made, so this program cannot read them from media",
                where=f"{run.study} [modalities.{name}]",
                todo="give the student a modality with an encoder, or apply an exported student to your own features",
            )
        encoders[name] = resolved_encoder(name, modality)
        manifest = read_manifest(run.features(name))
        used = manifest.study["modalities"][name]["encoder"] if manifest else encoders[name]
        if used != encoders[name]:
            raise ArtifactError(
                f"'{name}' was learned from features of another making: {_difference(used, encoders[name])}",
                where=run.features(name) / MANIFEST,
                todo=f"restore study.toml or the program's version, or make the run anew: mtpkd run {run.root}",
            )
    return encoders


def _students(run: RunFolder, method: str, fold: int | None, seed: int | None) -> list[Chosen]:
    found = []
    for folder in sorted(run.root.glob(f"fold-*/seed-*/students/{method}")):
        number, repetition = (int(part.split("-")[1]) for part in (folder.parts[-4], folder.parts[-3]))
        if fold not in (None, number) or seed not in (None, repetition) or not (folder / MANIFEST).is_file():
            continue
        about = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        losses = [tried["validation_loss"] for tried in about["tried"] if "validation_loss" in tried]
        least = min(losses, default=None)
        found.append(Chosen(method, number, repetition, folder, least, tuple(about["outputs"])))
    return found


def _difference(was: dict[str, Any], now: dict[str, Any]) -> str:
    flat = [{"encoder": e["name"], "version": e["version"], **e["options"]} for e in (was, now)]
    keys = [key for key in flat[0] | flat[1] if flat[0].get(key) != flat[1].get(key)]
    return "; ".join(f"{key} was {flat[0].get(key)}, is {flat[1].get(key)}" for key in keys[:3])
