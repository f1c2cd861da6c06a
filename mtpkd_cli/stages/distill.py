"""Distillation of one student by one method, for one fold and seed; the test part is predicted once, at the end."""

from pathlib import Path
from typing import Any

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
    privileged: int,
    fold: int,
    seed: int,
    method: str,
    method_options: dict[str, Any],
    task: str,
    model: ModelSection,
    student: StudentSection,
    fit: FitOptions,
) -> Counts:
    """Fits the student and writes its model, history and predictions of validation and test samples.

    Args:
        features: Prevalent modality -> folder of its cache; privileged ones are not opened.
        teachers: Names in the bank, the joint one last.
        privileged: Number of privileged modalities that are hallucinated.
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
    module = METHODS.load(method)
    advance = job.reporter.progress(f"fold {fold} seed {seed} student {method}", 1)
    # The seed does not name the method: all methods start from the same weights and see the same batches.
    with seeded(derived_seed(seed, fold, "student")) as generator:
        network = Student(**arguments).to(job.device)
        if student.init == "teacher":
            network.trunk.load_state_dict(load_model(prevalent_teacher, Teacher)[0].trunk.state_dict())
        else:
            network.trunk.fit_normalisers(data.batch(rows["train"], list(features)))
        if module.TNET == "fitted":
            load_weights(alignment / "tnet.safetensors", network.tnet)
        ids = data.samples["sample_id"].tolist()
        taught = read_bank(bank, teachers, ids, ["train", "validation"]).to(torch.device(job.device))
        history = fit_student(
            network,
            data,
            taught,
            module.terms,
            rows["train"],
            rows["validation"],
            method_options=method_options,
            options=fit.model_dump(),
            generator=generator,
        )
    advance()
    about = {"task": task, "outputs": outputs, "modalities": list(features), "method": method}
    save_model(out, network, arguments, about | {"options": method_options}, history)
    predicted = [_predictions(data, network, name, rows[name]) for name in ("validation", "test")]
    write_parquet(out / "predictions.parquet", pd.concat(predicted, ignore_index=True))
    best = min(history, key=lambda entry: entry["validation"])
    return {"epochs": len(history), "best_epoch": best["epoch"], "validation_loss": best["validation"]}


def _predictions(data: StudyData, network: Student, part: str, rows: torch.Tensor) -> pd.DataFrame:
    output: Output = apply(network, data, network.trunk.modalities, rows)
    logits = output.logits.cpu()
    scores = logits if data.labels.is_floating_point() else torch.softmax(logits, dim=1)
    table = data.samples.iloc[rows.numpy()][["sample_id", "subject", "recording"]].reset_index(drop=True)
    return table.assign(part=part, scores=list(scores.numpy()), embedding=list(output.embedding.cpu().numpy()))
