"""The samples table and the splits: what there is, and who is on which side. Written once, then frozen."""

from pathlib import Path

import pandas as pd

from mtpkd_cli.artifacts import write_json, write_parquet
from mtpkd_cli.config import parse_options
from mtpkd_cli.config.recordings import ALL_LABELS
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.datasets import LISTED_COLUMN, MEDIA_PREFIX, TARGET_PREFIX, is_labelled
from mtpkd_cli.errors import DataError, StudyError, first_ten
from mtpkd_cli.media.wide_tables import NOTES, marks_of_nothing
from mtpkd_cli.registry import DATASETS
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.conditions import order_of_classes
from mtpkd_cli.training.exclusion import frames_of_kept, without_excluded
from mtpkd_cli.training.missing_labels import LabelCounts, LabelFacts, as_asked, with_places
from mtpkd_cli.training.splits import check_folds, folds_of, to_json

# Aff-Wild2's mark of a frame to be left out, among valence and arousal in [-1, 1]; tables made of it have it too.
_MARK = -5.0


def build(out: Path, job: Job, *, task: str, data: DataSection, ordinal: bool = False) -> Counts:
    """Lists the corpus and splits its subjects; writes samples.parquet, splits.json and, if it labels single frames,
    frames.parquet.

    Args:
        ordinal: The classes have an order, which is told, and refused where nobody has stated it.

    Raises:
        DataError: The corpus is not there or not what its adapter expects, a class has no samples, or there are too few
            subjects.
    """
    samples, classes = list_samples(job.extraction.root, task, data)
    if (finding := order_of_classes(ordinal, classes, classes_stated(data))) is not None:
        raise DataError(finding.text, where="data.options.classes", todo=finding.todo)
    if classes:
        job.reporter.note(f"classes{', lowest first' if ordinal else ''}: {(' < ' if ordinal else ', ').join(classes)}")
    counts, folds = LabelCounts.of(samples), folds_of(samples, data)
    if data.split == "group-kfold" and len(folds) < data.folds:
        people = counts.subjects
        job.reporter.note(f"data.folds is {data.folds} by default; {people} people allow {len(folds)}, which are made")
    check_folds(folds, samples, classes)
    for sentence in LabelFacts.of(samples, folds, ALL_LABELS).sentences:
        job.reporter.note(sentence)
    if classes:
        samples.insert(samples.columns.get_loc("label") + 1, "label_name", _names(samples, classes))
    write_parquet(out / "samples.parquet", samples)
    frames = list_frames(job.extraction.root, data, samples)
    if frames is not None:
        write_parquet(out / "frames.parquet", frames)
    settings = {"split": data.split, "validation_share": data.validation_share, "seed": data.split_seed}
    write_json(out / "splits.json", to_json(folds, settings))
    return {
        "samples": len(samples),
        "subjects": samples["subject"].nunique(),
        **counts.plain(),
        "folds": len(folds),
        **({} if frames is None else {"frames": len(frames), "valid_frames": int(frames["valid"].sum())}),
        "classes": {name: int((samples["label"] == i).sum()) for i, name in enumerate(classes)},
        "notes": samples.attrs.get(NOTES, {}),
        "media": {c.removeprefix(MEDIA_PREFIX): int((samples[c] != "").sum()) for c in _media_columns(samples)},
    }


def classes_stated(data: DataSection) -> bool:
    """Whether the study names the classes in index order, or the adapter is of a corpus whose classes it knows."""
    return "classes" not in DATASETS.load(data.adapter).Config.model_fields or bool(data.options.get("classes"))


def list_samples(root: Path | None, task: str, data: DataSection) -> tuple[pd.DataFrame, list[str]]:
    """Asks the adapter for the samples table and the class names, and checks both.

    Raises:
        DataError: The root is missing, or the table breaks the datasets' contract; all problems at once.
    """
    if root is None or not root.is_dir():
        raise DataError(
            "the corpus folder is not there",
            where=f"data.root = {data.root!r}",
            expected=f"a folder {root}",
            todo="mend data.root in study.toml, or --set data.root=FOLDER (relative paths start at the run folder)",
        )
    dataset = DATASETS.load(data.adapter)
    config = parse_options(dataset.Config, data.options, where=f"study.toml [data.options] of '{data.adapter}'")
    samples = dataset.samples(root, config)
    classes = list(dataset.classes(root, config)) if task == "classification" else []
    if task == "regression" and not _targets(samples):
        raise StudyError("study.task = 'regression', and the corpus has no targets", where="study.task")
    has_outcomes = task == "regression" or "label" in samples
    samples = with_places(samples) if has_outcomes else samples
    if data.exclude:
        samples, classes = without_excluded(samples, classes, data.exclude, root)
    if has_outcomes:
        samples = as_asked(samples, data.unlabelled)
    if not data.exclude and data.unlabelled == "skip":
        samples = samples.drop(columns=LISTED_COLUMN, errors="ignore")
    partly = {
        f"samples without '{name.removeprefix(TARGET_PREFIX)}' that have other targets": int(
            (samples[name].isna() & is_labelled(samples)).sum()
        )
        for name in (_targets(samples) if task == "regression" else [])
    }
    samples.attrs[NOTES] = samples.attrs.get(NOTES, {}) | {note: count for note, count in partly.items() if count}
    problems = []
    for column in ("sample_id", "subject"):
        if samples[column].isna().any() or (samples[column] == "").any():
            problems.append(f"{column} is empty in {int((samples[column].isin(['', None])).sum())} rows")
    duplicated = samples.loc[samples["sample_id"].duplicated(), "sample_id"].tolist()
    problems += [f"sample_id {sample} occurs more than once" for sample in duplicated]
    problems += _label_problems(samples, classes, data) if task == "classification" else _target_problems(samples)
    if len(samples) == 0:
        problems.append("there are no samples")
    if problems:
        raise DataError(
            f"the corpus cannot be used:\n{first_ten(problems)}", where=root, todo="mend the corpus or [data.options]"
        )
    return samples.reset_index(drop=True), classes


def list_frames(root: Path | None, data: DataSection, samples: pd.DataFrame) -> pd.DataFrame | None:
    """Asks the adapter for the labels of single frames; None where the corpus has labels of samples only.

    Args:
        root: The corpus folder.
        data: The section of the study.
        samples: What `list_samples` gives: frames of what a study excludes do not count.
    """
    dataset = DATASETS.load(data.adapter)
    if root is None or not hasattr(dataset, "frames"):
        return None
    frames: pd.DataFrame = dataset.frames(root, parse_options(dataset.Config, data.options, where="[data.options]"))
    return frames_of_kept(frames, samples) if data.exclude else frames


def _names(samples: pd.DataFrame, classes: list[str]) -> list[str]:
    """The name of each sample's class, "" where it has no label."""
    return [classes[label] if label >= 0 else "" for label in samples["label"]]


def _targets(samples: pd.DataFrame) -> list[str]:
    return [str(column) for column in samples if str(column).startswith(TARGET_PREFIX)]


def _label_problems(samples: pd.DataFrame, classes: list[str], data: DataSection) -> list[str]:
    if "label" not in samples:
        return ["there are no class labels; study.task = 'regression' takes targets"]
    labels = set(samples.loc[is_labelled(samples), "label"])
    problems = [f"class {name} has no samples" for index, name in enumerate(classes) if index not in labels]
    problems += [
        f"label {label} is not one of the {len(classes)} classes" for label in labels - set(range(len(classes)))
    ]
    if len(classes) < 2:
        problems.append(f"classification needs two classes or more; there is {classes}")
    if data.unlabelled != "refuse" and not classes_stated(data):
        # Whoever expects samples without a label has written them like this, or else has a class of this name.
        problems += [
            f"label '{name}' reads like no label, and data.unlabelled = \"{data.unlabelled}\": write an empty cell, or "
            "list it in data.options.classes"
            for name in marks_of_nothing(classes)
        ]
    return problems


def _target_problems(samples: pd.DataFrame) -> list[str]:
    """Targets among which Aff-Wild2's mark of a frame that does not count stands as if it were a rating."""
    problems = []
    for column in _targets(samples):
        marked = samples[column] == _MARK
        others = samples.loc[~marked, column].dropna()
        if marked.any() and len(others) and others.abs().max() <= 1:
            rows = f"{int(marked.sum())} samples, e.g. {samples.loc[marked, 'sample_id'].iloc[0]}"
            target = column.removeprefix(TARGET_PREFIX)
            problems.append(f"target {target} is {_MARK:g} in {rows}, and within -1 to 1 elsewhere: leave these out")
    return problems


def _media_columns(samples: pd.DataFrame) -> list[str]:
    return [column for column in samples.columns if column.startswith(MEDIA_PREFIX)]
