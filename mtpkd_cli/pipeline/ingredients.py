"""Ingredients that several kinds of units have in common."""

from pathlib import Path

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study
from mtpkd_cli.pipeline.unit import LISTING, Ingredient, artifact, artifacts, value_as


def samples_of(run: RunFolder) -> Ingredient:
    """The samples table."""
    return artifact("samples", run.root, samples=run.samples)


def listing_of(run: RunFolder) -> Ingredient:
    """The samples table, of which no label is read."""
    return artifact(LISTING, run.root, samples=run.samples)


def sides_of(run: RunFolder) -> Ingredient:
    """The samples table and the splits, which are written with it, or by a unit of their own."""
    places = {"samples": run.root} | ({"splits": run.splits.parent} if run.repetitions else {})
    return Ingredient({"samples": run.samples, "splits": run.splits}, {}, places)


def features_of(run: RunFolder, modalities: list[str]) -> Ingredient:
    """Caches of some modalities, passed as `features`."""
    return artifacts("features/{}", features={name: run.features(name) for name in modalities})


def students_of(students: dict[str, dict[str, Path]]) -> Ingredient:
    """Students of some methods: method -> "fold/seed" -> folder, passed as `students`."""
    by_key = {f"{key}/students/{method}": path for method, paths in students.items() for key, path in paths.items()}
    return Ingredient({"students": students}, {"methods": list(students)}, by_key)


def learned_targets(study: Study) -> tuple[Ingredient, ...]:
    """In what targets are learned, of a regression; what has learned them in units of the corpus is stale."""
    return (value_as({"targets": "standardised"}),) if study.study.task == "regression" else ()


def labels_of(study: Study) -> Ingredient:
    """How many labels of the training side are seen; nothing where all are."""
    labels = study.data.labels
    return value_as({"labels": labels.model_dump()} if labels.hides else {}, labels=labels)


def balanced_of(study: Study) -> Ingredient:
    """Whether decisions are taken as if classes were equally frequent."""
    return value_as({"student": {"balanced": study.balanced}}, balanced=study.balanced)
