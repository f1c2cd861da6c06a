"""Distillation of one student by one method, for one fold and seed; the test part is predicted once, at the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.study import FitOptions, ModelSection, StudentSection
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.methods import load_method
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.alignment import TNET_WEIGHTS
from mtpkd_cli.training.bank import read_bank
from mtpkd_cli.training.batches import unlabelled_in_epoch
from mtpkd_cli.training.calibration import calibrated_loss
from mtpkd_cli.training.checkpoints import HISTORY, load_model, load_weights, read_history, save_model
from mtpkd_cli.training.conditions import fitted_options
from mtpkd_cli.training.data import StudyData, read_fold
from mtpkd_cli.training.descriptions import Adjustment, Candidate, Description, TriedCandidate
from mtpkd_cli.training.facts import MethodSettings
from mtpkd_cli.training.fitting import History
from mtpkd_cli.training.predictions import PREDICTIONS, predictions_of
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.seeding import derived_seed, seeded
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.students import fit_student
from mtpkd_cli.training.teachers import apply


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    prevalent_teacher: Path,
    alignment: Path,
    bank: Path,
    teachers: list[str],
    sees: list[str],
    privileged: int,
    fold: int,
    seed: int,
    method: str,
    candidates: list[Candidate],
    settings: dict[str, MethodSettings],
    task: str,
    model: ModelSection,
    student: StudentSection,
    fit: FitOptions,
    unlabelled_share: float | None = None,
    guard: Path | None = None,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Fits the student and writes its model, history and predictions of validation and test samples.

    Args:
        features: Prevalent modality -> folder of its cache; privileged ones are not opened.
        teachers: Names in the bank, the joint one last.
        sees: Per teacher the role of its modalities: prevalent, privileged or both.
        privileged: Number of privileged modalities that are hallucinated.
        candidates: Methods, options and settings that are tried; the student with the least validation loss at its best
            temperature is kept, the first of equals.
        unlabelled_share: Share of each batch without a label; None = as there are.
        settings: Method of a candidate -> who has settled its options: a default that does not fit the samples gives
            way, and what the study states is refused.
        guard: Folder of the student of the method that the first candidates are of, fitted to the same data; those
            candidates are then not fitted again.
        labels: How many labels are seen.
    """
    data, of_fold = read_fold(samples, splits, fold, features, job.device, model.normalise, labels)
    sides = of_fold.having(data.present(list(features)))
    candidates, adjusted = _fitting(candidates, settings, sides, unlabelled_share, fit.batch_size)
    for one in adjusted:
        job.reporter.note(f"fold {fold} seed {seed}: {one.reason}")
    arguments: dict[str, Any] = {
        "features": data.sizes(list(features)),
        "privileged": privileged,
        "outputs": len(data.outputs),
    }
    arguments |= model.sizes | {"kind": student.kind}
    if scale := data.target_scale(of_fold.labelled):
        arguments["targets"] = scale.plain()
    ids = data.samples["sample_id"].tolist()
    bank_rows = read_bank(bank, teachers, ids, ["train", "unlabelled", "validation"], sees).to(torch.device(job.device))
    starts = Starts(prevalent_teacher if student.init == "teacher" else None, alignment / TNET_WEIGHTS)
    advance = job.reporter.progress(f"fold {fold} seed {seed} student {method}", len(candidates))
    resuming, best, losses = Resuming(job.last), *_fitted_before(guard, candidates, job.device)
    for number, candidate in enumerate(candidates):
        if number < len(losses):
            advance()
            continue
        loaded = load_method(candidate.method)
        # The seed names no method: all students start from the same weights and see the same batches.
        with seeded(derived_seed(seed, fold, "student")) as order:
            sized = arguments | candidate.sizes
            network = _new_student(data, sized, starts, loaded.tnet == "fitted", sides.training)
            history = fit_student(
                network, data, bank_rows, loaded.terms, _taught(sides, candidate.method),
                method_options=candidate.options, options=fit.model_dump() | candidate.fit,
                unlabelled_share=unlabelled_share, order=order,
                draws=torch.Generator().manual_seed(derived_seed(seed, fold, "draws")),
                checkpoint=resuming.fit(f"try {number}"),
            )  # fmt: skip
        advance()
        logits = apply(network, data, list(features), sides.validation).logits
        loss = calibrated_loss(logits, data.labels[sides.validation])
        if best is None or loss < min(losses):
            best = _FittedStudent(network, sized, candidate, history)
        losses.append(loss)
    assert best is not None
    tried = [TriedCandidate(**one.plain(), validation_loss=loss) for one, loss in zip(candidates, losses, strict=True)]
    about = Description(
        kind=type(best.network).__name__, arguments=best.arguments, task=task, outputs=data.outputs,
        modalities=list(features), method=method, chosen=best.candidate, tried=tried,
        adjusted=adjusted,
    )  # fmt: skip
    save_model(out, best.network, about, best.history)
    parts = {"validation": sides.validation, "test": sides.test}
    write_parquet(out / PREDICTIONS, predictions_of(data, best.network, parts))
    epoch = min(best.history, key=lambda entry: entry["validation"])["epoch"]
    counts = {"epochs": len(best.history), "best_epoch": epoch, "validation_loss": min(losses), "tried": len(tried)}
    return counts | {"fell_back": about.fell_back}


def _fitting(
    candidates: list[Candidate], settings: dict[str, MethodSettings], sides: Sides, share: float | None, batch_size: int
) -> tuple[list[Candidate], list[Adjustment]]:
    """Candidates with options that fit so many training samples, and which defaults have given way."""
    fitting, adjusted = [], dict[str, Adjustment]()
    for one in candidates:
        rows = _taught(sides, one.method)
        samples = len(rows.labelled) + unlabelled_in_epoch(len(rows.labelled), len(rows.unlabelled), share)
        options, changes = fitted_options(replace(settings[one.method], options=one.options), samples, batch_size)
        fitting.append(one.model_copy(update={"options": options}) if changes else one)
        adjusted |= {change.reason: change for change in changes}
    return fitting, list(adjusted.values())


def _taught(sides: Sides, method: str) -> Sides:
    """The sides as a method sees them: recordings without a label are for those that listen to teachers."""
    return sides if METHODS.constant(method, "TAUGHT", True) else sides.without_unlabelled


class _FittedStudent(NamedTuple):
    """A student after its fit."""

    network: Student
    arguments: dict[str, Any]
    candidate: Candidate
    history: History


def _fitted_before(
    guard: Path | None, candidates: list[Candidate], device: str
) -> tuple[_FittedStudent | None, list[float]]:
    """The best of the candidates at the beginning that another method has fitted already, and the loss of each."""
    if guard is None:
        return None, []
    try:
        network, about = load_model(guard, Student)
        history = read_history(guard / HISTORY)
    except ArtifactError:  # another process is just replacing it
        return None, []
    tried = [one.candidate.plain() for one in about.tried]
    if about.chosen is None or tried != [one.plain() for one in candidates[: len(tried)]]:
        return None, []
    losses = [one.validation_loss for one in about.tried if one.validation_loss is not None]
    return _FittedStudent(network.to(device), about.arguments, about.chosen, history), losses


class Starts(NamedTuple):
    """Where a student's first weights come from: the prevalent teacher (None = scratch) and the fitted T-Net."""

    trunk: Path | None
    tnet: Path


def _new_student(
    data: StudyData, arguments: dict[str, Any], starts: Starts, fitted_tnet: bool, train: torch.Tensor
) -> Student:
    network = Student(**arguments).to(data.labels.device)
    if starts.trunk is not None and network.kind == "fusion":
        network.trunk.load_state_dict(load_model(starts.trunk, Teacher)[0].trunk.state_dict())
    else:
        network.trunk.fit_normalisers(data.batch(train, network.trunk.modalities))
    if fitted_tnet and network.kind == "fusion":
        load_weights(starts.tnet, network.tnet)
    return network
