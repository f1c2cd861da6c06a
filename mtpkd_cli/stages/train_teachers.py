"""Training one teacher of one fold and seed, with its cross-fitted outputs on the training samples."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.config.study import ModelSection, TrainSection
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import fixed_lists
from mtpkd_cli.training.checkpoints import save_model
from mtpkd_cli.training.conditions import fitted_inner_folds
from mtpkd_cli.training.data import outputs_of, read_data
from mtpkd_cli.training.descriptions import Description
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.splits import inner_folds, read_folds
from mtpkd_cli.training.teachers import CROSSFIT, crossfit_logits, fit_teacher


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    fold: int,
    seed: int,
    name: str,
    modalities: list[str],
    task: str,
    model: ModelSection,
    train: TrainSection,
) -> Counts:
    """Fits the teacher and writes its model, history and crossfit.parquet.

    Args:
        features: Modality -> folder of its cache.
        name: The teacher.
        modalities: What it sees.
    """
    data = read_data(samples, features, job.device, model.normalise)
    sides = read_folds(splits)[fold]
    outputs = outputs_of(data.samples)
    options = train.model_dump(exclude={"crossfit_folds"})
    parts, finding = fitted_inner_folds(train, len(sides.train))
    if finding is not None:
        if finding.kind != "note":
            raise StudyError(finding.text, where="train.crossfit_folds", todo=finding.todo)
        job.reporter.note(f"fold {fold} seed {seed} {name}: {finding.text}")
    held_out = inner_folds(sides.train, parts, derived_seed(seed, fold, "inner"))
    advance = job.reporter.progress(f"fold {fold} seed {seed} teacher {name}", 1 + len(held_out))
    settings: dict[str, Any] = {"outputs": len(outputs), "sizes": model.sizes, "options": options}
    resuming = Resuming(job.last)
    try:
        teacher, history = fit_teacher(
            data,
            modalities,
            data.rows(sides.train),
            data.rows(sides.validation),
            seed=derived_seed(seed, fold, name),
            checkpoint=resuming.fit("teacher"),
            **settings,
        )
    except DataError as err:
        place = err.where or f"fold {fold}, teacher '{name}'"
        raise DataError(err.what, where=place, expected=err.expected, todo=err.todo) from err
    advance()
    seeds = [derived_seed(seed, fold, name, "inner", i) for i in range(len(held_out))]
    logits = crossfit_logits(data, modalities, sides, held_out, seeds, resuming=resuming, advance=advance, **settings)
    arguments = {"features": data.sizes(modalities), "outputs": len(outputs), **model.sizes}
    if teacher.scale is not None:
        arguments["targets"] = teacher.scale.plain()
    about = Description(
        kind=type(teacher).__name__, arguments=arguments, task=task, outputs=outputs, modalities=modalities
    )
    save_model(out, teacher, about, history)
    ids = pa.array(data.samples["sample_id"])
    write_parquet(out / CROSSFIT, pa.table({"sample_id": ids, "logits": fixed_lists(logits)}))
    counts = {"inner_folds": len(held_out)}
    best = min(history, key=lambda entry: entry["validation"])
    return counts | {"epochs": len(history), "best_epoch": best["epoch"], "validation_loss": best["validation"]}
