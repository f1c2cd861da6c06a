"""Results that are no part of `run`, units like the others: what teachers could teach, classical models, and so on."""

from mtpkd_cli.artifacts import MANIFEST, RunFolder, read_manifest
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.scoring import evaluated_section, headline_of, headline_without_threshold
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.pipeline.final import units_of_final
from mtpkd_cli.pipeline.ingredients import balanced_of, features_of, labels_of, sides_of, students_of
from mtpkd_cli.pipeline.unit import Ingredient, Unit, artifacts, place, value, value_as
from mtpkd_cli.pipeline.units import bank_folders, repetitions_of, student_folders


def transfer_unit(run: RunFolder, study: Study) -> Unit:
    """What teachers know that the student's modalities do not show, by their cross-fitted predictions."""
    teachers, evaluate = study.teacher_modalities, evaluated_section(study)
    pairs = repetitions_of(run, study)
    folders = {repetition_name(*pair): {name: run.teacher(*pair, name) for name in teachers} for pair in pairs}
    by_key = {f"{key}/teachers/{name}": path for key, of in folders.items() for name, path in of.items()}
    counted = {key: getattr(evaluate, key) for key in ("resamples", "bootstrap_seed")}
    ingredients = (
        sides_of(run),
        labels_of(study),
        Ingredient({"crossfits": folders}, {"keys": list(folders)}, by_key),
        value(teachers=teachers, prevalent=study.prevalent, prevalent_teacher=study.prevalent_teacher),
        value(task=study.study.task, ordinal=study.study.ordinal),
        value(metric=headline_without_threshold(evaluate.metrics, study.study.task)),
        value_as({"evaluate": counted}, evaluate=evaluate),
    )
    return Unit("transfer", "transfer", run.transfer, "transfer", ingredients)


def classical_unit(run: RunFolder, study: Study) -> Unit:
    """scikit-learn's models of what each teacher and the student alone see."""
    reference, teachers = study.evaluate.reference, study.teacher_modalities
    ingredients = (
        sides_of(run),
        features_of(run, list(dict.fromkeys(m for seen in teachers.values() for m in seen))),
        artifacts("{}/bank", banks=bank_folders(run, study)),
        artifacts(f"{{}}/students/{reference}", students=student_folders(run, study, reference)),
        value(teachers=teachers, prevalent=study.prevalent, seeds=study.study.seeds, task=study.study.task),
        _standardisation(study),
        labels_of(study),
        balanced_of(study),
        _evaluate_keys(study, "reference", "resamples", "permutations", "bootstrap_seed"),
    )
    return Unit("classical", "classical", run.classical, "classical", ingredients)


def corrupt_unit(run: RunFolder, study: Study, at_most: int | None = None) -> Unit:
    """Test samples that have been made worse.

    Args:
        at_most: Try so many of them; None = all.
    """
    joint = study.align.joint
    seen = study.teacher_modalities[joint]
    methods = [name for name in study.distill.methods if METHODS.control_of(name) is None]
    keys = {repetition_name(*pair): run.teacher(*pair, joint) for pair in repetitions_of(run, study)}
    ingredients = (
        sides_of(run),
        features_of(run, seen),
        students_of({name: student_folders(run, study, name) for name in methods}),
        artifacts(f"{{}}/teachers/{joint}", teachers=keys),
        value(joint=joint, privileged=[name for name in seen if name in study.privileged]),
        value(seeds=study.study.seeds, task=study.study.task, at_most=at_most),
        _standardisation(study),
        labels_of(study),
        _evaluate_keys(study, "bootstrap_seed"),
        # How media are encoded is part of their features; limits of time and memory change nothing.
        value_as({"prevalent": study.prevalent}, modalities={name: study.modalities[name] for name in study.prevalent}),
        place(extract=study.extract, damaged={name: run.damaged(name) for name in study.prevalent}),
    )
    return Unit("corrupt", "corrupt", run.corruption, "corrupt", ingredients)


def corrupt_unit_as_made(run: RunFolder, study: Study) -> Unit:
    """The unit of damaged recordings with as many samples as were asked for when it was made last."""
    try:
        manifest = read_manifest(run.corruption)
    except ArtifactError:
        manifest = None
    return corrupt_unit(run, study, manifest.study.get("at_most") if manifest else None)


def optional_units(run: RunFolder, study: Study) -> list[Unit]:
    """Those that somebody has asked for in this run: their folder is there, or they are being made, or failed."""
    units = [transfer_unit(run, study), classical_unit(run, study), corrupt_unit_as_made(run, study)]
    return [*(unit for unit in units if _asked_for(run, unit)), *units_of_final(run, study)]


def _asked_for(run: RunFolder, unit: Unit) -> bool:
    traces = [unit.folder / MANIFEST, run.failure(unit.folder), *run.locks(unit.folder)]
    return unit.folder.is_dir() or any(path.exists() for path in traces)


def _standardisation(study: Study) -> Ingredient:
    """Of the model section only how features are standardised: no network is fitted."""
    return value_as({"normalise": study.network.normalise}, model=study.network)


def _evaluate_keys(study: Study, *keys: str) -> Ingredient:
    """The section of evaluation, of which some keys count and of all metrics the headline alone."""
    evaluate = evaluated_section(study)
    counted = {key: getattr(evaluate, key) for key in keys}
    return value_as(
        {"evaluate": counted | {"headline": headline_of(evaluate.metrics, study.study.task)}}, evaluate=evaluate
    )
