"""What there is to do: one unit per folder that a stage fills, with all that its result depends on.

This module loads no torch, so `status` answers at once: a unit names its stage module and is built elsewhere.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config import Study
from mtpkd_cli.config.checks import READY_FEATURES, fitting_metrics
from mtpkd_cli.encoders.running import resolved_encoder
from mtpkd_cli.pipeline.student_units import student_units
from mtpkd_cli.pipeline.unit import STAGES, Unit, plain
from mtpkd_cli.registry import DATASETS
from mtpkd_cli.training.splits import count_folds


def units_of(run: RunFolder, study: Study) -> list[Unit]:
    """Lists all units of a study, each after those that it reads."""
    units = [_samples(run, study), *_features(run, study)]
    folds = count_folds(run.splits, study.data.planned_folds)
    for fold, seed in product(range(folds), study.study.seeds):
        units += _repetition(run, study, fold, seed)
    return [*sorted(units, key=lambda unit: STAGES.index(unit.stage)), _evaluation(run, study, folds)]


def _samples(run: RunFolder, study: Study) -> Unit:
    arguments = {"task": study.study.task, "data": study.data}
    # Where the corpus lies says nothing of what it holds: moving it makes nothing stale.
    reads = {"study": {"task": study.study.task}, "data": study.data.model_dump(mode="json", exclude={"root"})}
    files = ["samples.parquet", "splits.json", *(["frames.parquet"] if _has_frames(study) else [])]
    return Unit("extract", "samples", run.root, "samples", reads, {}, arguments, files=tuple(files))


def _has_frames(study: Study) -> bool:
    """Whether the corpus labels single frames, by which it is scored as well."""
    return hasattr(DATASETS.load(study.data.adapter), "frames")


def _features(run: RunFolder, study: Study) -> Iterator[Unit]:
    for name, modality in study.modalities.items():
        arguments: dict[str, Any] = {"samples": run.samples, "name": name}
        reads: dict[str, Any]
        if modality.encoder == READY_FEATURES:
            module, reads = "import_features", {"modalities": {name: {"encoder": READY_FEATURES}}}
            arguments["data"] = study.data
        else:
            module, medium = "extract", modality.media or name
            encoder = resolved_encoder(name, modality)
            reads = {"modalities": {name: {"media": medium, "encoder": encoder}}}
            arguments |= {"medium": medium, "encoder": encoder, "extract": study.extract}
        yield Unit("extract", module, run.features(name), name, reads, {"samples": run.root}, arguments)


def _repetition(run: RunFolder, study: Study, fold: int, seed: int) -> Iterator[Unit]:
    tables = {"samples": run.samples, "splits": run.splits}
    base = {"samples": run.root}
    seen, joint = study.teacher_modalities, study.align.joint
    names = [*(n for n in seen if n != joint), joint]
    folders = {name: run.teacher(fold, seed, name) for name in names}
    task = study.study.task
    for name in names:
        features = {m: run.features(m) for m in seen[name]}
        sections = {"model": study.network, "train": study.train}
        own = {"modalities": seen[name], "task": task, "name": name}
        yield Unit(
            "train-teachers",
            "train_teachers",
            folders[name],
            name,
            plain(sections) | {"teachers": {name: seen[name]}, "task": task, "seed": seed},
            base | {f"features/{m}": path for m, path in features.items()},
            tables | sections | own | {"features": features, "fold": fold, "seed": seed},
            fold,
            seed,
        )
    every = {m: run.features(m) for name in names for m in seen[name]}
    sections = {"model": study.network, "align": study.align}
    reads = plain(sections) | {"teachers": {name: seen[name] for name in names}, "seed": seed}
    inputs = base | {f"features/{m}": path for m, path in every.items()} | {f"teachers/{n}": folders[n] for n in names}
    arguments = tables | sections | {"features": every, "teachers": folders, "fold": fold}
    roles = {
        "prevalent_teacher": study.prevalent_teacher,
        "privileged_teachers": [study.unimodal_teacher(m) for m in study.privileged],
    }
    align, bank = run.align(fold, seed), run.bank(fold, seed)
    yield Unit("align", "align", align, "align", reads | roles, inputs, arguments | roles | {"seed": seed}, fold, seed)
    yield Unit(
        "align", "bank", bank, "bank", reads, inputs | {"align": align}, arguments | {"alignment": align}, fold, seed
    )
    yield from student_units(run, study, fold, seed, names)


def _evaluation(run: RunFolder, study: Study, folds: int) -> Unit:
    keys = list(product(range(folds), study.study.seeds))
    students = {m: {repetition_name(*k): run.student(*k, m) for k in keys} for m in study.distill.methods}
    banks = {repetition_name(*k): run.bank(*k) for k in keys}
    needs = {name: sorted(seen) != sorted(study.prevalent) for name, seen in study.teacher_modalities.items()}
    own = {"teachers": needs, "task": study.study.task}
    evaluate = study.evaluate.model_copy(update={"metrics": study.evaluate.metrics or fitting_metrics(study)})
    reads = own | {
        "evaluate": evaluate.model_dump(mode="json"),
        "methods": study.distill.methods,
        "keys": list(banks),
    }
    frames = run.frames if _has_frames(study) else None
    inputs = {"samples": run.root} | {f"{key}/bank": path for key, path in banks.items()}
    inputs |= {f"{key}/students/{m}": path for m, paths in students.items() for key, path in paths.items()}
    arguments = own | {
        "samples": run.samples,
        "frames": frames,
        "students": students,
        "banks": banks,
        "evaluate": evaluate,
    }
    return Unit("evaluate", "evaluate", run.evaluation, "evaluation", reads, inputs, arguments)
