"""Which students predict: those of all folds and seeds of a method, one, or the final one; never by test scores.

A method is chosen by its mean validation loss, and so is one student where a fold or a seed is asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pandas as pd

from mtpkd_cli.artifacts import MANIFEST, RunFolder, read_manifest, read_parquet
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.recordings import READY_FEATURES
from mtpkd_cli.encoders.running import ResolvedEncoder, resolved_encoder
from mtpkd_cli.errors import ArtifactError, StudyError, did_you_mean
from mtpkd_cli.evaluation.predictions import positions_of, read_student_predictions, validation_threshold
from mtpkd_cli.training.data import labels_of
from mtpkd_cli.training.descriptions import read_description
from mtpkd_cli.training.predictions import PREDICTIONS


@dataclass(frozen=True)
class ChosenStudent:
    """A student of the run.

    Args:
        validation_loss: The loss on validation subjects that it was chosen by; None where the method tries nothing.
        outputs: Names of its C classes or targets.
        final: It was fitted to all people, and nobody is left who could test it.
    """

    method: str
    fold: int
    seed: int
    folder: Path
    validation_loss: float | None
    outputs: tuple[str, ...]
    final: bool = False

    @property
    def name(self) -> str:
        """How it is called where people read it."""
        if self.final:
            return f"{self.method}, final: fitted to all people, with no test score of its own"
        loss = "" if self.validation_loss is None else f" (validation loss {self.validation_loss:.4f})"
        return f"{self.method}, fold {self.fold}, seed {self.seed}{loss}"


def choose(
    run: RunFolder,
    study: Study,
    method: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    *,
    final: bool = False,
) -> list[ChosenStudent]:
    """Lists the students of one method that fit, the one with the least validation loss first.

    Args:
        method: None = of the methods that are no control, the one with the least mean validation loss over the students
            that fit.
        fold: None = all folds.
        seed: None = all seeds.
        final: The students that were fitted to all people, in place of those of the folds.

    Raises:
        StudyError: The study has no such method, or a fold is asked of a final student.
        ArtifactError: No finished student fits.
    """
    if method is not None and method not in study.distill.methods:
        known = study.distill.methods
        near = did_you_mean(method, known)
        raise StudyError(f"the study has no method '{method}'{near}", where="--method", expected=", ".join(known))
    if final and (fold is not None or seed is not None):
        raise StudyError("a final student is of no fold", where="--final", expected="--final without --fold and --seed")
    place = run.final if final else run
    fair = [name for name in study.distill.methods if METHODS.control_of(name) is None]
    every = {name: _students(place, name, fold, seed) for name in (fair if method is None else [method])}
    finished = {name: students for name, students in every.items() if students}
    if not finished:
        given = {"method": method, "fold": fold, "seed": seed}
        wanted = ", ".join(f"{key} {value}" for key, value in given.items() if value is not None)
        raise ArtifactError(
            f"there is no finished {'final ' if final else ''}student{' of ' + wanted if wanted else ''}",
            where=run.root,
            expected=f"one of: {', '.join(study.distill.methods)}",
            todo=f"mtpkd {'final' if final else 'distill'} {run.root}",
        )
    losses = {
        name: [s.validation_loss for s in students if s.validation_loss is not None]
        for name, students in finished.items()
    }
    best = min(finished, key=lambda name: fmean(losses[name]) if losses[name] else float("inf"))
    return sorted(finished[best], key=lambda s: float("inf") if s.validation_loss is None else s.validation_loss)


def threshold_of(run: RunFolder, study: Study, students: list[ChosenStudent]) -> float | None:
    """Probability above which it is the second of two classes: the one for all these students.

    It gives the largest balanced accuracy on the predictions of all validation people put together, each predicted by
    the students that have not learned from them. The mean of all students would not do there: who validates in one fold
    has trained the students of others, and would be told apart too well.

    None beyond two classes, and where the labels or the students' predictions were not copied with the run.
    """
    if study.study.task != "classification" or len(students[0].outputs) != 2:
        return None
    if not all(path.is_file() for path in (run.samples, *(student.folder / PREDICTIONS for student in students))):
        return None
    table = read_parquet(run.samples).to_pandas()
    labels, position = labels_of(table).numpy(), positions_of(table)
    pooled = pd.concat([read_student_predictions(student.folder) for student in students])
    return validation_threshold(pooled, labels, position)


def check_encoders(run: RunFolder, study: Study, modalities: list[str]) -> dict[str, ResolvedEncoder]:
    """Returns name, version and options of the encoder of each modality, as the run's features were made.

    Raises:
        StudyError: A modality has ready features: nothing says how to make them from media.
        ArtifactError: Study or program have changed since the features were made.
    """
    encoders: dict[str, ResolvedEncoder] = {}
    for name in modalities:
        modality = study.modalities[name]
        if modality.encoder == READY_FEATURES:
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


def _students(run: RunFolder, method: str, fold: int | None, seed: int | None) -> list[ChosenStudent]:
    students = []
    for of_fold, of_seed, folder in run.students(method):
        if fold in (None, of_fold) and seed in (None, of_seed) and (folder / MANIFEST).is_file():
            about = read_description(folder)
            outputs, final = tuple(about.outputs), bool(run.repetitions)
            students.append(ChosenStudent(method, of_fold, of_seed, folder, about.least_loss, outputs, final))
    return students


def _difference(was: ResolvedEncoder, now: ResolvedEncoder) -> str:
    flat = [{"encoder": e["name"], "version": e["version"], **e["options"]} for e in (was, now)]
    keys = [key for key in flat[0] | flat[1] if flat[0].get(key) != flat[1].get(key)]
    return "; ".join(f"{key} was {flat[0].get(key)}, is {flat[1].get(key)}" for key in keys[:3])
