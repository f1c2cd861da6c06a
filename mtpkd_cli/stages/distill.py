"""Distillation of one student by one method, for one fold and seed; the test part is predicted once, at the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.study import AS_IT_IS, FitOptions, ModelSection, StudentSection, UnlabelledOptions
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.models import Student
from mtpkd_cli.models.targets import units_of
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.alignment import TNET_WEIGHTS
from mtpkd_cli.training.bank import read_bank
from mtpkd_cli.training.batches import unlabelled_in_epoch
from mtpkd_cli.training.checkpoints import HISTORY, load_model, read_history, save_model
from mtpkd_cli.training.conditions import fitted_options
from mtpkd_cli.training.data import read_fold
from mtpkd_cli.training.descriptions import Adjustment, Candidate, Description, LearnedRecordings, TriedCandidate
from mtpkd_cli.training.facts import MethodSettings
from mtpkd_cli.training.predictions import PREDICTIONS, predictions_of
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.tries import FittedStudent, Starts, Tries, taught_sides


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
    balanced: bool,
    fit: FitOptions,
    unlabelled: UnlabelledOptions = AS_IT_IS,
    guard: Path | None = None,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Fits the student and writes its model, history and predictions of validation and test samples.

    Args:
        features: Prevalent modality -> folder of its cache; privileged ones are not opened.
        teachers: Names in the bank, the joint one last.
        sees: Per teacher the role of its modalities: prevalent, privileged or both.
        privileged: Number of privileged modalities that are hallucinated.
        candidates: Methods, options and settings that are tried; of a method the student with the least validation loss
            at its best temperature is kept, the first of equals, and of the guard's method one that is clearly better.
        balanced: Whether classes are to count alike, however frequent they are.
        unlabelled: How recordings without a label teach.
        settings: Method of a candidate -> who has settled its options: a default that does not fit the samples gives
            way, and what the study states is refused.
        guard: Folder of the student of the method that the first candidates are of, fitted to the same data; those
            candidates are then not fitted again.
        labels: How many labels are seen.
    """
    data, of_fold = read_fold(samples, splits, fold, features, job.device, model.normalise, labels)
    sides = of_fold.having(data.present(list(features)))
    candidates, adjusted = _fitting(candidates, settings, sides, unlabelled.unlabelled_share, fit.batch_size)
    for adjustment in adjusted:
        job.reporter.note(f"fold {fold} seed {seed}: {adjustment.reason}")
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
    tries = Tries(data, bank_rows, sides, arguments, starts, fit, unlabelled, fold, seed)
    advance = job.reporter.progress(f"fold {fold} seed {seed} student {method}", len(candidates))
    resuming, (spared, losses) = Resuming(job.last), _fitted_before(guard, candidates, job.device)
    best = {} if spared is None else {spared.candidate.method: (min(losses), spared)}
    for number, candidate in enumerate(candidates):
        if number >= len(losses):
            one = tries.fitted(candidate, resuming, f"try {number}")
            losses.append(tries.validation_loss(one.network))
            if candidate.method not in best or losses[-1] < best[candidate.method][0]:
                best[candidate.method] = losses[-1], one
        advance()
    kept = tries.kept([one for _, one in best.values()])
    if balanced:
        kept = tries.balanced(kept)
    tried = [TriedCandidate(**one.plain(), validation_loss=loss) for one, loss in zip(candidates, losses, strict=True)]
    about = Description(
        kind=type(kept.network).__name__, arguments=kept.arguments, task=task, outputs=data.outputs,
        modalities=list(features), method=method, chosen=kept.candidate, tried=tried,
        adjusted=adjusted, recordings=_recordings(sides, kept.candidate.method),
    )  # fmt: skip
    save_model(out, kept.network, about, kept.history)
    parts = {"validation": sides.validation, "test": sides.test}
    write_parquet(out / PREDICTIONS, predictions_of(data, kept.network, parts))
    epoch = min(kept.history, key=lambda entry: entry["validation"])["epoch"]
    counts = {"epochs": len(kept.history), "best_epoch": epoch, "validation_loss": min(losses), "tried": len(tried)}
    return counts | {"fell_back": about.fell_back}


def _recordings(sides: Sides, method: str) -> LearnedRecordings:
    taught = taught_sides(sides, method)
    return LearnedRecordings(labelled=len(taught.labelled), unlabelled=len(taught.unlabelled))


def _fitting(
    candidates: list[Candidate], settings: dict[str, MethodSettings], sides: Sides, share: float | None, batch_size: int
) -> tuple[list[Candidate], list[Adjustment]]:
    """Candidates with options that fit so many training samples, and which defaults have given way."""
    fitting, adjusted = [], dict[str, Adjustment]()
    for one in candidates:
        rows = taught_sides(sides, one.method)
        samples = len(rows.labelled) + unlabelled_in_epoch(len(rows.labelled), len(rows.unlabelled), share)
        options, changes = fitted_options(replace(settings[one.method], options=one.options), samples, batch_size)
        fitting.append(one.model_copy(update={"options": options}) if changes else one)
        adjusted |= {change.reason: change for change in changes}
    return fitting, list(adjusted.values())


def _fitted_before(
    guard: Path | None, candidates: list[Candidate], device: str
) -> tuple[FittedStudent | None, list[float]]:
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
    arguments = {name: value for name, value in about.arguments.items() if name != "class_shift"}
    network.units = units_of(arguments.get("targets"))  # candidates are compared before classes are balanced
    return FittedStudent(network.to(device), arguments, about.chosen, history), losses
