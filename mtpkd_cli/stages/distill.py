"""Distillation of one student by one method, for one fold and seed; the test part is predicted once, at the end."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.config.study import FitOptions, ModelSection, StudentSection
from mtpkd_cli.models import Output, Student, Teacher
from mtpkd_cli.registry import METHODS
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import read_bank
from mtpkd_cli.training.checkpoints import load_model, load_weights, save_model
from mtpkd_cli.training.data import StudyData, outputs_of, read_data
from mtpkd_cli.training.seeding import derived_seed, seeded
from mtpkd_cli.training.splits import read_folds
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
    candidates: list[dict[str, Any]],
    task: str,
    model: ModelSection,
    student: StudentSection,
    fit: FitOptions,
) -> Counts:
    """Fits the student and writes its model, history and predictions of validation and test samples.

    Args:
        features: Prevalent modality -> folder of its cache; privileged ones are not opened.
        teachers: Names in the bank, the joint one last.
        sees: Per teacher the role of its modalities: prevalent, privileged or both.
        privileged: Number of privileged modalities that are hallucinated.
        candidates: Methods and options that are tried; the student with the least validation loss is kept, the first
            of equals.
    """
    data = read_data(samples, features, job.device)
    sides = read_folds(splits)[fold]
    present = data.present(list(features)).cpu()
    rows = {name: data.rows(getattr(sides, name)) for name in ("train", "validation", "test")}
    rows = {name: part[present[part]] for name, part in rows.items()}
    outputs = outputs_of(data.samples)
    arguments: dict[str, Any] = {
        "features": data.sizes(list(features)),
        "privileged": privileged,
        "outputs": len(outputs),
    }
    arguments |= model.model_dump()
    ids = data.samples["sample_id"].tolist()
    taught = read_bank(bank, teachers, ids, ["train", "validation"], sees).to(torch.device(job.device))
    starts = Starts(prevalent_teacher if student.init == "teacher" else None, alignment / "tnet.safetensors")
    advance = job.reporter.progress(f"fold {fold} seed {seed} student {method}", len(candidates))
    losses: list[float] = []
    for candidate in candidates:
        module = METHODS.load(candidate["method"])
        # The seed names no method: all students start from the same weights and see the same batches.
        with seeded(derived_seed(seed, fold, "student")) as order:
            network = _new_student(data, arguments, starts, module.TNET == "fitted", rows["train"])
            history = fit_student(
                network, data, taught, module.terms, rows["train"], rows["validation"],
                method_options=candidate["options"], options=fit.model_dump(), order=order,
                draws=torch.Generator().manual_seed(derived_seed(seed, fold, "draws")),
            )  # fmt: skip
        advance()
        best = min(history, key=lambda entry: entry["validation"])
        if not losses or best["validation"] < min(losses):
            kept, kept_history, epoch, chosen = network, history, best["epoch"], candidate
        losses.append(best["validation"])
    tried = [candidate | {"validation_loss": loss} for candidate, loss in zip(candidates, losses, strict=True)]
    about = {"task": task, "outputs": outputs, "modalities": list(features), "method": method}
    save_model(out, kept, arguments, about | {"chosen": chosen, "tried": tried}, kept_history)
    predicted = [_predictions(data, kept, name, rows[name]) for name in ("validation", "test")]
    write_parquet(out / "predictions.parquet", pd.concat(predicted, ignore_index=True))
    counts = {"epochs": len(kept_history), "best_epoch": epoch, "validation_loss": min(losses), "tried": len(tried)}
    return counts | {"fell_back": chosen["method"] != method}


class Starts(NamedTuple):
    """Where a student's first weights come from: the prevalent teacher (None = scratch) and the fitted T-Net."""

    trunk: Path | None
    tnet: Path


def _new_student(
    data: StudyData, arguments: dict[str, Any], starts: Starts, fitted_tnet: bool, train: torch.Tensor
) -> Student:
    network = Student(**arguments).to(data.labels.device)
    if starts.trunk is not None:
        network.trunk.load_state_dict(load_model(starts.trunk, Teacher)[0].trunk.state_dict())
    else:
        network.trunk.fit_normalisers(data.batch(train, network.trunk.modalities))
    if fitted_tnet:
        load_weights(starts.tnet, network.tnet)
    return network


def _predictions(data: StudyData, network: Student, part: str, rows: torch.Tensor) -> pd.DataFrame:
    output: Output = apply(network, data, network.trunk.modalities, rows)
    logits = output.logits.cpu()
    scores = logits if data.labels.is_floating_point() else torch.softmax(logits, dim=1)
    table = data.samples.iloc[rows.numpy()][["sample_id", "subject", "recording"]].reset_index(drop=True)
    return table.assign(part=part, scores=list(scores.numpy()), embedding=list(output.embedding.cpu().numpy()))
