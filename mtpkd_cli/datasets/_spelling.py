"""How names and labels are spelt: what is one name is made one, what may be two is refused, all of it is counted."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtpkd_cli.errors import DataError, first_ten
from mtpkd_cli.media.wide_tables import marks_of_nothing, one_form, reads_like_nothing

_WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
_FLOAT = re.compile(r"[+-]?\d+\.0+")


def tidy_names(names: pd.Series, column: str, where: Path, notes: Counter[str]) -> pd.Series:
    """Names of samples, persons or recordings in one form of Unicode, and as whole numbers where all are floats.

    Raises:
        DataError: The same number is written in two ways.
    """
    there = names.dropna().astype(str)
    tidy = {name: one_form(name) for name in there.unique()}
    notes[f"names in '{column}' in another form of Unicode"] += sum(tidy[name] != name for name in there)
    with_point = [name for name in tidy if _FLOAT.fullmatch(name)]
    if with_point and all(_WHOLE.fullmatch(name) for name in tidy):
        short = {name: str(int(name.partition(".")[0])) for name in with_point}
        if both := [f"'{short[name]}' and '{name}'" for name in with_point if short[name] in tidy]:
            raise DataError(
                f"column '{column}' writes one number in two ways\n{first_ten(both)}",
                where=where,
                expected="every name written in one way",
                todo="write whole numbers without a point everywhere, or names as text",
            )
        notes[f"names in '{column}' written as 1.0, taken as 1"] += sum(name in short for name in there)
        tidy |= short
    notes[f"names in '{column}' that read like an empty cell (NaN, NA, None), taken as names"] += sum(
        map(reads_like_nothing, there)
    )
    return names.map(tidy, na_action="ignore").astype(object)


def tidy_labels(labels: pd.Series, where: Path, notes: Counter[str], listed: Sequence[str] = ()) -> pd.Series:
    """Labels in one form of Unicode, with single blanks between words.

    Args:
        labels: As written, (N,) str or None.
        where: The table, for errors.
        notes: Counts of what was changed.
        listed: The classes that a study lists: it has decided then which spellings are classes.

    Raises:
        DataError: Labels differ in case or inner blanks alone, and no classes are listed.
    """
    there = labels.dropna().astype(str)
    tidy = {label: one_form(" ".join(label.split())) for label in there.unique()}
    notes["labels in another form of Unicode, or with several blanks"] += sum(tidy[label] != label for label in there)
    notes["labels that read like an empty cell (NaN, NA, None), taken as a class"] += sum(
        map(reads_like_nothing, there)
    )
    if not listed:
        marks = [label for label in marks_of_nothing(there.unique()) if not reads_like_nothing(label)]
        notes["labels of -1 beside 0 and above, taken as a class: an empty cell is no label"] += int(
            there.isin(marks).sum()
        )
    tidied = labels.map(tidy, na_action="ignore").astype(object)
    counts = tidied.dropna().value_counts()
    alike: dict[str, list[str]] = {}
    for label in sorted(counts.index):
        alike.setdefault("".join(label.split()).casefold(), []).append(label)
    if not listed and (
        problems := [
            ", ".join(f"'{label}' ({counts[label]} rows)" for label in spellings) + ": one class or several?"
            for spellings in alike.values()
            if len(spellings) > 1
        ]
    ):
        raise DataError(
            f"labels are spelt alike\n{first_ten(problems)}",
            where=where,
            expected="classes that differ in more than capital letters and blanks",
            todo="write each class in one way, or list the classes in data.options.classes: a label that differs from "
            "one of them in capital letters alone then counts as that one",
        )
    return tidied


def in_listed_case(labels: pd.Series, classes: Sequence[str], notes: Counter[str]) -> pd.Series:
    """Labels that differ from exactly one listed class in capital letters alone, as that class."""
    by_case: dict[str, list[str]] = {}
    for name in classes:
        by_case.setdefault(name.casefold(), []).append(name)
    listed = set(classes)
    only = {key: names[0] for key, names in by_case.items() if len(names) == 1}
    changed = labels.map(
        lambda label: label if label in listed else only.get(label.casefold(), label), na_action="ignore"
    )
    notes["labels that differ from a listed class in capital letters"] += int(
        (changed != labels)[labels.notna()].to_numpy().sum()
    )
    return changed
