"""Who is left out of a study: samples and subjects that `data.exclude` names, counted, and refused where unknown."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli.config.recordings import ExcludeSection
from mtpkd_cli.datasets import LISTED_COLUMN
from mtpkd_cli.errors import StudyError, did_you_mean, first_ten
from mtpkd_cli.media.csv_text import decoded
from mtpkd_cli.media.wide_tables import NOTES, one_form
from mtpkd_cli.storage import reading

EXCLUDED = "excluded"


def without_excluded(
    samples: pd.DataFrame, classes: list[str], exclude: ExcludeSection, root: Path
) -> tuple[pd.DataFrame, list[str]]:
    """Leaves out what a study excludes.

    Args:
        samples: The whole samples table of the corpus, with the column `listed_at` where places are known.
        classes: Names in index order; one all of whose samples are excluded is no class of the study.
        exclude: What is left out.
        root: The corpus folder; the file of names is relative to it.

    Returns:
        The table, with the column `listed_at`, counts in `attrs["notes"]` and the excluded sample ids in
        `attrs["excluded"]`; and the classes that are left.

    Raises:
        StudyError: A name is no sample or subject of the corpus, or nothing is left; all such names at once.
    """
    ids, subjects = samples["sample_id"].astype(str), samples["subject"].astype(str)
    by_sample, by_subject = {one_form(name) for name in exclude.samples}, {one_form(name) for name in exclude.subjects}
    problems = _unknown("data.exclude.samples", "sample", by_sample, set(ids))
    problems += _unknown("data.exclude.subjects", "subject", by_subject, set(subjects))
    for number, name in _listed_names(root, exclude.file) if exclude.file else []:
        is_sample, is_subject = name in set(ids), name in set(subjects)
        if is_sample and is_subject and not (subjects == name).equals(ids == name):
            problems.append(f"{exclude.file} line {number}: '{name}' is a sample and a subject: name it in study.toml")
        elif not is_sample and not is_subject:
            near = did_you_mean(name, {*ids, *subjects})
            problems.append(f"{exclude.file} line {number}: there is no sample or subject '{name}'{near}")
        (by_sample if is_sample else by_subject).add(name)
    left_out = ids.isin(by_sample) | subjects.isin(by_subject)
    if not problems and left_out.all():
        problems.append("nothing is left: every sample is excluded")
    if problems:
        raise StudyError(
            f"data.exclude cannot be followed\n{first_ten(problems)}",
            where="study.toml [data.exclude]",
            expected="names of samples and subjects as the corpus has them",
            todo="correct or remove these names",
        )
    placed = samples if LISTED_COLUMN in samples else samples.assign(**{LISTED_COLUMN: np.arange(len(samples))})
    kept = placed[~left_out].reset_index(drop=True)
    people = subjects.nunique() - kept["subject"].nunique()
    notes = {"samples excluded by data.exclude": int(left_out.sum()), "subjects excluded with all samples": people}
    kept, left, gone = _classes_left(kept, classes)
    notes["classes excluded with all samples"] = gone
    kept.attrs[NOTES] = samples.attrs.get(NOTES, {}) | {note: count for note, count in notes.items() if count}
    kept.attrs[EXCLUDED] = ids[left_out].tolist()
    return kept, left


def frames_of_kept(frames: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Labelled frames of what is left: recordings without a sample are gone, frames in none of the samples not valid.

    Args:
        frames: Columns recording, frame and valid, sorted by recording and frame; labels of frames that are not valid
            stay as they are.
        samples: What is left, with recording, first_frame and last_frame.
    """
    frames = frames[frames["recording"].isin(samples["recording"])].reset_index(drop=True)
    covered = np.zeros(len(frames), bool)
    number = frames["frame"].to_numpy()
    places = frames.groupby("recording", sort=False).indices
    for name, first, last in zip(samples["recording"], samples["first_frame"], samples["last_frame"], strict=True):
        at = places.get(name, np.empty(0, int))
        covered[at[(number[at] >= first) & (number[at] <= last)]] = True
    return frames.assign(valid=frames["valid"].to_numpy() & covered)


def _unknown(key: str, kind: str, names: Iterable[str], known: set[str]) -> list[str]:
    return [
        f"{key}: there is no {kind} '{name}'{did_you_mean(name, known)}"
        for name in sorted(set(names))
        if name not in known
    ]


def _listed_names(root: Path, file: str) -> list[tuple[int, str]]:
    """Line numbers and names of a file of names, one per line; empty lines and those that begin with # are none."""
    path = root / file
    if not path.is_file():
        near = did_you_mean(path.name, [entry.name for entry in path.parent.glob("*")])
        raise StudyError(
            f"there is no such file of names{near}",
            where=f"data.exclude.file: {path}",
            expected="a text file with one sample or subject per line, relative to the data root",
        )
    with reading(path, "the file of names", expected="a text file", todo="save it as UTF-8"):
        text, _ = decoded(path.read_bytes(), path)
    lines = [(number, one_form(line.strip())) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _classes_left(samples: pd.DataFrame, classes: list[str]) -> tuple[pd.DataFrame, list[str], int]:
    """The samples with indices of those classes that are left, their names, and how many are gone."""
    if "label" not in samples or "first_frame" in samples:
        return samples, classes, 0
    there = sorted(set(samples["label"]) & set(range(len(classes))))
    if len(there) == len(classes):
        return samples, classes, 0
    index = {old: new for new, old in enumerate(there)} | {-1: -1}
    samples = samples.assign(label=samples["label"].map(index).astype(np.int64))
    return samples, [classes[old] for old in there], len(classes) - len(there)
