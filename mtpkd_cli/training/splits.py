"""Splits by subject: no subject is ever on two sides, outer or inner."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.config.recordings import DataSection
from mtpkd_cli.datasets import MEDIA_PREFIX, SIDES, SPLIT_COLUMN, TARGET_PREFIX, is_labelled
from mtpkd_cli.errors import ArtifactError, DataError, first_ten


@dataclass(frozen=True)
class Fold:
    """Subjects of one fold; the lists share none.

    Args:
        train: Whose labels teach.
        validation: Whose labels choose.
        test: Whose labels are read once, at the end.
        unlabelled: People of the training side of whom no label is seen; their recordings teach without one.
    """

    train: list[str]
    validation: list[str]
    test: list[str]
    unlabelled: list[str] = field(default_factory=list)


def folds_of(samples: pd.DataFrame, data: DataSection) -> list[Fold]:
    """Splits the subjects as the study says; fewer folds where nobody has asked for so many and the people are few.

    People who have no label at all are split no further: they are on the training side of every fold, but for those
    whom an official split tests or validates with, who take no part.

    Raises:
        DataError: They cannot be split.
    """
    if data.split == "official":
        return official_folds(samples, data.validation_share, data.split_seed)
    labelled, unlabelled = _people_by_label(samples)
    folds = data.folds
    if data.split == "group-kfold" and "folds" not in data.model_fields_set:
        folds = next(iter(_possible_folds(len(labelled), at_most=folds)), folds)
    made = make_folds(labelled, data.split, folds, data.validation_share, data.split_seed)
    return [replace(fold, unlabelled=unlabelled) for fold in made]


def final_fold(samples: pd.DataFrame, data: DataSection) -> Fold:
    """A split of all people that tests nobody: those who validate say when to stop, all others train.

    The validation side of an official split stays what it is; elsewhere the share of people is that of the folds, drawn
    so that, if it can be, every class is trained and every medium is on both sides. People without any label teach.

    Raises:
        DataError: There are too few people, or a class that nobody else shows.
    """
    subjects, unlabelled = _people_by_label(samples)
    if SPLIT_COLUMN in samples and data.split == "official":
        validating = set(samples.loc[samples[SPLIT_COLUMN] == "validation", "subject"])
        if validation := sorted(validating & set(subjects)):
            teaching = (sorted(set(people) - validating) for people in (subjects, unlabelled))
            return Fold(next(teaching), validation, [], next(teaching))
    if len(subjects) < 3:
        raise DataError(f"{len(subjects)} people cannot be split", expected="two who train and one who validates")
    tried = range(data.split_seed, data.split_seed + 50)
    folds = [_fold(subjects, [], data.validation_share, np.random.default_rng(seed)) for seed in tried]
    labelled = samples[samples["subject"].isin(subjects) & is_labelled(samples)]
    fold = next((one for one in folds if _is_whole(one, labelled)), folds[0])
    check_folds([fold], samples, class_names_of(samples))
    return replace(fold, unlabelled=unlabelled)


def _people_by_label(samples: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Who has a label, and who has none in any recording, both sorted; a table without outcomes says nothing of it."""
    says = "label" in samples or any(str(name).startswith(TARGET_PREFIX) for name in samples)
    labelled = set(samples.loc[is_labelled(samples), "subject"]) if says else set(samples["subject"])
    return sorted(labelled), sorted(set(samples["subject"]) - labelled)


def _is_whole(fold: Fold, samples: pd.DataFrame) -> bool:
    """Whether every class of these labelled samples is among those who train, and every medium on both sides."""
    train, validation = (samples[samples["subject"].isin(side)] for side in (fold.train, fold.validation))
    media = [name for name in samples if str(name).startswith(MEDIA_PREFIX) and (samples[name] != "").any()]
    known = "label" not in samples or set(train["label"]) == set(samples["label"])
    return known and all((side[name] != "").any() for side in (train, validation) for name in media)


def class_names_of(samples: pd.DataFrame) -> list[str]:
    """Names of the classes in index order, as a listed samples table keeps them; empty in regression."""
    if "label" not in samples:
        return []
    named = samples.loc[is_labelled(samples), ["label", "label_name"]]
    return named.drop_duplicates().sort_values("label")["label_name"].astype(str).tolist()


def _possible_folds(subjects: int, at_most: int) -> list[int]:
    """How many folds so many subjects allow, most first: the largest test part leaves three others."""
    return [n for n in range(min(at_most, subjects), 1, -1) if subjects - -(-subjects // n) >= 3]


def make_folds(subjects: list[str], split: str, folds: int, validation_share: float, seed: int) -> list[Fold]:
    """Splits subjects into folds, each subject in exactly one test part.

    Args:
        subjects: Distinct subjects; their order does not matter.
        split: "group-kfold", or "loso": one fold per subject.
        folds: Number of folds of group-kfold.
        validation_share: Share of the subjects outside the test part that validate; at least one subject does.
        seed: Seed of the shuffling.

    Raises:
        DataError: There are too few subjects for two that train (cross-fitting holds one out), one that validates and
            one that is tested in every fold.
    """
    subjects = sorted(set(subjects))
    count = len(subjects) if split == "loso" else folds
    # The largest test part leaves three others.
    least = 4 if split == "loso" else next(n for n in range(folds, folds + 7) if n - -(-n // folds) >= 3)
    if len(subjects) < least:
        possible = _possible_folds(len(subjects), at_most=max(count, 3))
        raise DataError(
            f"{len(subjects)} subjects cannot be split into {count} folds with train, validation and test subjects",
            expected=f"at least {least} subjects",
            todo=f"--set data.folds={possible[0]}, or add subjects" if possible else "add subjects",
        )
    generator = np.random.default_rng(seed)
    parts = np.array_split(generator.permutation(subjects), count)
    return [_fold(subjects, part.tolist(), validation_share, generator) for part in parts]


def official_folds(samples: pd.DataFrame, validation_share: float, seed: int) -> list[Fold]:
    """The one fold that the corpus names; validation subjects are cut from its training side where it names none.

    Who has no label at all teaches without one on the training side, and takes no part on another: nobody learns from
    recordings that a corpus sets aside.

    Args:
        samples: A samples table, or its columns subject and split ("train", "validation" or "test").
        validation_share: Share of the training subjects that validate where the corpus has no validation side.
        seed: Seed of that choice.

    Raises:
        DataError: The corpus names no sides, somebody is on two of them, or a side has too few subjects with labels.
    """
    if SPLIT_COLUMN not in samples:
        raise DataError(
            "the corpus names no training and test side",
            where="data.split = 'official'",
            expected="a corpus with an official split, or a table with data.options.split_column",
            todo='name that column, or set data.split = "group-kfold"',
        )
    labelled, others = map(set, _people_by_label(samples))
    people = {side: set(samples.loc[samples[SPLIT_COLUMN] == side, "subject"]) for side in SIDES}
    sides = {side: sorted(of & labelled) for side, of in people.items()}
    unlabelled = sorted(people["train"] & others)
    of = samples.groupby("subject")[SPLIT_COLUMN].unique()
    if both := [f"subject {subject} is in {' and in '.join(on)}" for subject, on in of.items() if len(on) > 1]:
        raise DataError(
            f"{len(both)} subjects are on more than one side of the official split\n{first_ten(both)}",
            expected="every subject on one side",
            todo="leave their samples out of one side, or correct the subjects",
        )
    least = {"train": 2 if sides["validation"] else 3, "validation": 0, "test": 1}
    few = [f"{side}: {len(sides[side])}, expected {n} or more" for side, n in least.items() if len(sides[side]) < n]
    if few:
        raise DataError(
            f"the official split has too few subjects{' with labels' if others else ''}\n{first_ten(few)}",
            where="data.split = 'official'",
        )
    if sides["validation"]:
        return [Fold(**sides, unlabelled=unlabelled)]
    generator = np.random.default_rng(seed)
    fold = _fold([*sides["train"], *sides["test"]], sides["test"], validation_share, generator)
    return [replace(fold, unlabelled=unlabelled)]


def count_folds(path: Path, planned: int) -> int:
    """Number of folds in a splits.json, or the planned number where there is none yet."""
    return len(read_folds(path)) if path.exists() else planned


def inner_folds(subjects: list[str], folds: int, seed: int) -> list[list[str]]:
    """Splits training subjects into held-out parts for cross-fitting; as many parts as there are subjects at most."""
    generator = np.random.default_rng(seed)
    parts = np.array_split(generator.permutation(sorted(subjects)), min(folds, len(subjects)))
    return [sorted(part.tolist()) for part in parts]


def check_folds(folds: list[Fold], samples: pd.DataFrame, classes: list[str]) -> None:
    """Checks that every class occurs among the training samples of every fold.

    Raises:
        DataError: It does not; the message names fold and class.
    """
    labelled = samples[is_labelled(samples)]
    for index, fold in enumerate(folds if classes else []):
        for side in ("train", "validation"):
            seen = set(labelled.loc[labelled["subject"].isin(getattr(fold, side)), "label"])
            missing = [name for label, name in enumerate(classes) if label not in seen]
            if missing and (side == "train" or len(seen) == 0):
                raise DataError(
                    f"fold {index}: no {side} sample of {', '.join(missing)}",
                    expected="every class among the training subjects of every fold",
                    todo="mtpkd check RUN names a data.split_seed that works, where there is one",
                )


def to_json(folds: list[Fold], settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of splits.json."""
    plain = [{side: people for side, people in asdict(fold).items() if people or side in SIDES} for fold in folds]
    return {"settings": settings, "folds": plain}


def read_folds(path: Path) -> list[Fold]:
    """Reads the folds of a splits.json.

    Raises:
        ArtifactError: There is no such file, or it is not one.
    """
    try:
        return [Fold(**fold) for fold in json.loads(path.read_text(encoding="utf-8"))["folds"]]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise ArtifactError(
            f"the splits cannot be read: {err}",
            where=path,
            todo="put the file back, or delete it and mtpkd extract RUN --overwrite",
        ) from err


def _fold(subjects: list[str], test: list[str], validation_share: float, generator: np.random.Generator) -> Fold:
    rest = generator.permutation([s for s in subjects if s not in set(test)]).tolist()
    held = min(max(1, round(validation_share * len(rest))), len(rest) - 2)
    return Fold(train=sorted(rest[held:]), validation=sorted(rest[:held]), test=sorted(test))
