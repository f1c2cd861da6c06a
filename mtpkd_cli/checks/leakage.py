"""Leakage: what would let a model see in training whom or what it is tested on."""

import re
from collections import defaultdict
from collections.abc import Iterable

import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.datasets import MEDIA_PREFIX
from mtpkd_cli.training.splits import Fold

_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def look_for_leakage(
    samples: pd.DataFrame, folds: list[Fold], copies: Iterable[list[str]], ready: set[str]
) -> CheckResult:
    """Looks for one medium under several subjects who are parted by a fold, and for subjects who are spelt alike.

    Args:
        samples: The samples table.
        folds: The folds.
        copies: Groups of paths of equal content.
        ready: Kinds of media that are tables of ready features, which all samples share by right.
    """
    problems, notes = [], []
    kinds = [c for c in samples if c.startswith(MEDIA_PREFIX) and c.removeprefix(MEDIA_PREFIX) not in ready]
    people: dict[str, set[str]] = defaultdict(set)
    for kind in kinds:
        for path, subject in samples.loc[samples[kind] != "", [kind, "subject"]].drop_duplicates().to_numpy():
            people[path].add(subject)
    for path, subjects in sorted(people.items()):
        if parted(subjects, folds):
            problems.append(f"{path} is a medium of {_listed(subjects)}, who are on different sides of a fold")
    for group in copies:
        subjects = set().union(*(people.get(path, set()) for path in group))
        if parted(subjects, folds):
            problems.append(f"{' = '.join(group[:3])}: copies of {_listed(subjects)}, on different sides of a fold")
    alike: dict[str, set[str]] = defaultdict(set)
    for subject in samples["subject"].unique():
        alike[_LEADING_ZEROS.sub("", "".join(subject.split()).casefold())].add(subject)
    notes += [f"subjects {_listed(names)} are spelt alike: one person?" for names in alike.values() if len(names) > 1]
    summary = f"{len(people)} media of {samples['subject'].nunique()} subjects"
    return CheckResult("leakage", summary, problems, notes, {"media": len(people)})


def parted(subjects: set[str], folds: list[Fold]) -> bool:
    """Whether a fold tests or validates some of these subjects and trains with others, with a label or without."""
    for fold in folds:
        training = [*fold.train, *fold.unlabelled]
        sides = [subjects & set(side) for side in (training, fold.validation, fold.test)]
        if sum(bool(side) for side in sides) > 1:
            return True
    return False


def _listed(subjects: set[str]) -> str:
    names = sorted(subjects)
    return ", ".join(repr(name) for name in names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
