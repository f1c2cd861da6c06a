"""What there is to do: one unit per folder that a stage fills, with all that its result is made of.

This module loads no torch, so `status` answers at once: a unit names its stage module and is built elsewhere.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import RunFolder, quality
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.recordings import ALL_LABELS, READY_FEATURES
from mtpkd_cli.config.scoring import evaluated_section
from mtpkd_cli.config.study import EvaluateSection, FitOptions, UnlabelledOptions
from mtpkd_cli.encoders.running import resolved_encoder
from mtpkd_cli.pipeline.candidates import candidates_of, method_settings
from mtpkd_cli.pipeline.ingredients import (
    balanced_of,
    features_of,
    labels_of,
    learned_targets,
    listing_of,
    sides_of,
    students_of,
)
from mtpkd_cli.pipeline.unit import (
    STAGES,
    Ingredient,
    Unit,
    artifact,
    artifacts,
    place,
    section,
    value,
    value_as,
)
from mtpkd_cli.registry import DATASETS, METRICS
from mtpkd_cli.training.descriptions import Candidate
from mtpkd_cli.training.splits import count_folds


def units_of(run: RunFolder, study: Study) -> list[Unit]:
    """Lists all units of a study, each after those that it reads."""
    units = [_samples(run, study), *_features(run, study)]
    for fold, seed in repetitions_of(run, study):
        units += units_of_repetition(run, study, fold, seed)
    methods = study.distill.methods
    students = {name: student_folders(run, study, name) for name in methods}
    teachers = list(study.teacher_modalities)
    return [
        *sorted(units, key=lambda unit: STAGES.index(unit.stage)),
        evaluation_unit(run, study, run.evaluation, "evaluation", students, teachers, evaluated_section(study)),
    ]


def units_of_repetition(run: RunFolder, study: Study, fold: int, seed: int) -> list[Unit]:
    """Teachers, alignment, bank and students of one fold and seed."""
    stages = (_teachers, _alignment, _students)
    return [unit for stage in stages for unit in stage(run, study, fold, seed)]


def repetitions_of(run: RunFolder, study: Study) -> list[tuple[int, int]]:
    """(fold, seed) of every repetition."""
    return list(product(range(count_folds(run.splits, study.data.planned_folds)), study.study.seeds))


def student_folders(run: RunFolder, study: Study, method: str) -> dict[str, Path]:
    """ "fold/seed" -> folder of the method's student."""
    return {repetition_name(*pair): run.student(*pair, method) for pair in repetitions_of(run, study)}


def bank_folders(run: RunFolder, study: Study) -> dict[str, Path]:
    """ "fold/seed" -> folder of the teacher bank."""
    return {repetition_name(*pair): run.bank(*pair) for pair in repetitions_of(run, study)}


def _samples(run: RunFolder, study: Study) -> Unit:
    data = study.data.content
    task = study.study.task
    files = ["samples.parquet", "splits.json", *(["frames.parquet"] if _labels_frames(study) else [])]
    order = place(ordinal=study.study.ordinal)  # it changes no table: it is told, or the listing is refused
    return Unit(
        "extract",
        "samples",
        run.root,
        "samples",
        (value_as({"study": {"task": task}}, task=task), value_as({"data": data}, data=study.data), order),
        files=tuple(files),
    )


def _labels_frames(study: Study) -> bool:
    """Whether the corpus labels single frames, by which it is scored as well."""
    return hasattr(DATASETS.load(study.data.adapter), "frames")


def _features(run: RunFolder, study: Study) -> Iterator[Unit]:
    for name, modality in study.modalities.items():
        common = (listing_of(run), place(name=name))
        if modality.encoder == READY_FEATURES:
            read = {"encoder": READY_FEATURES, "options": _options_of_features(study)}
            brought = value_as({"modalities": {name: read}}, data=study.data)
            yield Unit("extract", "import_features", run.features(name), name, (*common, brought))
            continue
        medium, encoder = modality.media or name, resolved_encoder(name, modality)
        rule = {"version": quality.VERSION, "unmeasured": study.extract.unmeasured}
        hashed = {"modalities": {name: {"media": medium, "encoder": encoder}}, "quality": rule}
        # Limits of time and memory say nothing of a result that came within them.
        made_by = (value_as(hashed, medium=medium, encoder=encoder), place(extract=study.extract))
        yield Unit("extract", "extract", run.features(name), name, (*common, *made_by))


def _options_of_features(study: Study) -> dict[str, Any]:
    """Options of a corpus of ready features that say what these are; those of labels and people do not."""
    names = getattr(DATASETS.load(study.data.adapter), "FEATURE_OPTIONS", ())
    return {name: study.data.options[name] for name in names if name in study.data.options}


def _teachers(run: RunFolder, study: Study, fold: int, seed: int) -> Iterator[Unit]:
    for name in teacher_names(study):
        seen = study.teacher_modalities[name]
        ingredients = (
            sides_of(run),
            section(model=study.network, train=study.train),
            value(task=study.study.task, seed=seed),
            *learned_targets(study),
            labels_of(study),
            # Until 2026-11 cross-fitting was over training people alone; what it made is stale.
            value_as({"crossfit": "all labelled people"}),
            value_as({"teachers": {name: seen}}, modalities=seen),
            features_of(run, seen),
            place(name=name, fold=fold),
        )
        yield Unit("train-teachers", "train_teachers", run.teacher(fold, seed, name), name, ingredients, fold, seed)


def teacher_names(study: Study) -> list[str]:
    """Teachers, the joint one last, as the bank holds them."""
    joint = study.align.joint
    return [*(name for name in study.teacher_modalities if name != joint), joint]


def _alignment(run: RunFolder, study: Study, fold: int, seed: int) -> Iterator[Unit]:
    names, seen = teacher_names(study), study.teacher_modalities
    common = (
        sides_of(run),
        section(model=study.network, align=study.align),
        value_as({"teachers": {name: seen[name] for name in names}}),
        features_of(run, list(dict.fromkeys(m for name in names for m in seen[name]))),
        *learned_targets(study),
        labels_of(study),
        artifacts("teachers/{}", teachers={name: run.teacher(fold, seed, name) for name in names}),
        place(fold=fold),
    )
    of_alignment = (
        value(
            seed=seed,
            prevalent_teacher=study.prevalent_teacher,
            privileged_teachers=[study.unimodal_teacher(m) for m in study.privileged],
        ),
    )
    align, bank = run.align(fold, seed), run.bank(fold, seed)
    yield Unit("align", "align", align, "align", (*common, *of_alignment), fold, seed)
    aligned = (value_as({"seed": seed}), artifact("align", align, alignment=align))
    yield Unit("align", "bank", bank, "bank", (*common, *aligned), fold, seed)


def _students(run: RunFolder, study: Study, fold: int, seed: int) -> Iterator[Unit]:
    """The students of one fold and seed: distilled ones, and joint teachers with imputed input, scored like them."""
    teachers = teacher_names(study)
    start, align, bank = run.teacher(fold, seed, study.prevalent_teacher), run.align(fold, seed), run.bank(fold, seed)
    fit = FitOptions(**{key: getattr(study.distill, key) for key in FitOptions.model_fields})
    common = (
        sides_of(run),
        section(model=study.network),
        value(
            teachers=teachers,
            sees=[study.sees(name) for name in teachers],
            privileged=len(study.privileged),
            task=study.study.task,
            seed=seed,
        ),
        value_as({"distill": fit.model_dump(mode="json")}, fit=fit),
        *learned_targets(study),
        artifact("bank", bank, bank=bank),
        artifact("align", align, alignment=align),
        artifact(f"teachers/{study.prevalent_teacher}", start, prevalent_teacher=start),
        features_of(run, study.prevalent),
        place(fold=fold),
    )
    for method in study.distill.methods:
        if impute := METHODS.constant(method, "IMPUTE"):
            yield _imputation(run, study, fold, seed, method, str(impute))
            continue
        candidates = candidates_of(study, method)
        tried = {"distill": {method: [candidate.plain() | _version_of(candidate) for candidate in candidates]}}
        # The guard's students are those of another method of the study: fitted once, where that method comes first.
        guard = candidates[0].method
        spares = {"guard": run.student(fold, seed, guard)} if guard != method and guard in study.distill.methods else {}
        settings = {name: method_settings(study, name) for name in {candidate.method for candidate in candidates}}
        of_method = (
            value_as(tried, candidates=candidates),
            place(balanced=study.balanced),
            *_labels_and_start(study, method),
            _unlabelled(study),
            place(method=method, settings=settings),
        )
        folder = run.student(fold, seed, method)
        yield Unit("distill", "distill", folder, method, (*common, *of_method), fold, seed, spares=spares)


def _labels_and_start(study: Study, method: str) -> tuple[Ingredient, Ingredient]:
    """How many labels a method sees, and how its student begins.

    The upper line knows nothing of a share: its teacher has seen the labels of that share alone, so it does not begin
    with that one's weights.
    """
    student = study.student
    if METHODS.constant(method, "LABELS") != "all":
        return labels_of(study), section(student=student)
    if study.data.labels.hides:
        student = student.model_copy(update={"init": "scratch"})
    return place(labels=ALL_LABELS), section(student=student)


def _unlabelled(study: Study) -> Ingredient:
    """How recordings without a label teach, of which the defaults are what older results were made with."""
    options = UnlabelledOptions(**{key: getattr(study.distill, key) for key in UnlabelledOptions.model_fields})
    return value_as({"distill": options.model_dump(exclude_defaults=True)}, unlabelled=options)


def _version_of(candidate: Candidate) -> dict[str, int]:
    """The version of a candidate's loss, where it is not the first one: students of an earlier one are stale."""
    version = METHODS.version(candidate.method, candidate.options)
    return {"version": version} if version > 1 else {}


def _imputation(run: RunFolder, study: Study, fold: int, seed: int, method: str, impute: str) -> Unit:
    joint = study.align.joint
    seen, teacher, align = study.teacher_modalities[joint], run.teacher(fold, seed, joint), run.align(fold, seed)
    ingredients = (
        sides_of(run),
        section(model=study.network),
        value(prevalent=study.prevalent, impute=impute, task=study.study.task),
        balanced_of(study),
        labels_of(study),
        value_as({"teachers": {joint: seen}}),
        artifact("align", align, alignment=align),
        artifact(f"teachers/{joint}", teacher, teacher=teacher),
        features_of(run, seen),
        place(fold=fold, method=method),
    )
    return Unit("distill", "impute", run.student(fold, seed, method), method, ingredients, fold, seed)


def _metric_versions(evaluate: EvaluateSection) -> tuple[Ingredient, ...]:
    """Versions of the metrics that give other values than they used to; scores by an earlier version are stale."""
    versions = {name: METRICS.constant(name, "VERSION") for name in evaluate.metrics}
    raised = {name: version for name, version in versions.items() if version is not None}
    return (value_as({"evaluate": {"versions": raised}}),) if raised else ()


def evaluation_unit(
    run: RunFolder,
    study: Study,
    folder: Path,
    name: str,
    students: dict[str, dict[str, Path]],
    teachers: list[str],
    evaluate: EvaluateSection,
) -> Unit:
    """Scores of some students and teachers: of a study, or of the cells of an ablation.

    Args:
        students: Method -> "fold/seed" -> folder of the student.
        teachers: Whose scores are listed beside those of the students; they are in the bank.
        evaluate: Metrics, reference, resamples.
    """
    needs = {name: sorted(study.teacher_modalities[name]) != sorted(study.prevalent) for name in teachers}
    banks, frames = bank_folders(run, study), run.frames if _labels_frames(study) else None
    ingredients = (
        artifact("samples", run.root, samples=run.samples, frames=frames),
        value(teachers=needs, task=study.study.task),
        section(evaluate=evaluate),
        *_metric_versions(evaluate),
        balanced_of(study),
        students_of(students),
        Ingredient({"banks": banks}, {"keys": list(banks)}, {f"{key}/bank": path for key, path in banks.items()}),
    )
    return Unit("evaluate", "evaluate", folder, name, ingredients)
