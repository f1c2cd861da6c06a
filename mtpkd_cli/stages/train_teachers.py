"""Training one teacher of one fold and seed, with its cross-fitted outputs on the training samples."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.study import ModelSection, TrainSection
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import fixed_lists
from mtpkd_cli.training.checkpoints import save_model
from mtpkd_cli.training.conditions import fitted_inner_folds
from mtpkd_cli.training.data import read_fold
from mtpkd_cli.training.descriptions import Description
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.splits import inner_folds
from mtpkd_cli.training.teachers import CROSSFIT, ENOUGH_PEOPLE, MEMBERS, crossfit, fit_teacher


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
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Fits the teacher and writes its model, history and crossfit.parquet; and, where recordings have no label,
    members.parquet: what the members of cross-fitting predict of them.

    Args:
        features: Modality -> folder of its cache.
        name: The teacher.
        modalities: What it sees.
        labels: How many labels are seen.
    """
    data, sides = read_fold(samples, splits, fold, features, job.device, model.normalise, labels)
    outputs = data.outputs
    options = train.model_dump(exclude={"crossfit_folds"})
    people = [*sides.people.train, *sides.people.validation]
    parts, finding = fitted_inner_folds(train, len(people))
    if finding is not None:
        if finding.kind != "note":
            raise StudyError(finding.text, where="train.crossfit_folds", todo=finding.todo)
        job.reporter.note(f"fold {fold} seed {seed} {name}: {finding.text}")
    held_out = inner_folds(people, parts, derived_seed(seed, fold, "inner"))
    advance = job.reporter.progress(f"fold {fold} seed {seed} teacher {name}", 1 + len(held_out))
    settings: dict[str, Any] = {"outputs": len(outputs), "sizes": model.sizes, "options": options}
    resuming = Resuming(job.last)
    try:
        teacher, history = fit_teacher(
            data,
            modalities,
            sides.labelled,
            sides.validation,
            unlabelled=sides.unlabelled,
            seed=derived_seed(seed, fold, name),
            checkpoint=resuming.fit("teacher"),
            **settings,
        )
    except DataError as err:
        place = err.where or f"fold {fold}, teacher '{name}'"
        raise DataError(err.what, where=place, expected=err.expected, todo=err.todo) from err
    advance()
    best = min(history, key=lambda entry: entry["validation"])
    if len(sides.people.validation) >= ENOUGH_PEOPLE:
        settings["options"] = options | {"stop_after": best["epoch"] + 1}
    seeds = [derived_seed(seed, fold, name, "inner", i) for i in range(len(held_out))]
    members = crossfit(data, modalities, sides, held_out, seeds, resuming=resuming, advance=advance, **settings)
    arguments = {"features": data.sizes(modalities), "outputs": len(outputs), **model.sizes}
    if teacher.scale is not None:
        arguments["targets"] = teacher.scale.plain()
    about = Description(
        kind=type(teacher).__name__, arguments=arguments, task=task, outputs=outputs, modalities=modalities
    )
    save_model(out, teacher, about, history)
    ids = data.samples["sample_id"]
    write_parquet(out / CROSSFIT, pa.table({"sample_id": pa.array(ids), "logits": fixed_lists(members.held_out)}))
    if len(sides.unlabelled):
        columns = {f"logits_{number}": fixed_lists(logits) for number, logits in enumerate(members.of_unlabelled)}
        write_parquet(out / MEMBERS, pa.table({"sample_id": pa.array(ids.iloc[sides.unlabelled.numpy()])} | columns))
    counts = {"inner_folds": len(held_out), "labelled": len(sides.labelled), "unlabelled": len(sides.unlabelled)}
    return counts | {"epochs": len(history), "best_epoch": best["epoch"], "validation_loss": best["validation"]}
