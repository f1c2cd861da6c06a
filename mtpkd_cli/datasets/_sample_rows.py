"""Rows of a table as samples: options that name their columns, what is wrong with them, class indices of labels.

An empty cell of a label says that nobody has labelled the recording; a second table may hold such recordings alone.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from mtpkd_cli.config import Options
from mtpkd_cli.datasets import SIDES, SPLIT_COLUMN
from mtpkd_cli.datasets._spelling import in_listed_case, tidy_labels, tidy_names
from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media.wide_tables import NOTES, column_names, index_of, read_columns

_TRUTH = ("false", "true")
_SIDES = {side: side for side in SIDES} | {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "development": "validation",
    "testing": "test",
}


class RowOptions(Options):
    """Options common to tables with one row per sample."""

    file: str = Field(min_length=1, description="The table, relative to the data root; .parquet or .csv.")
    sample_column: str = Field("sample_id", description="Column of the samples' names, each once.")
    subject_column: str = Field("subject", description="Column of the persons; splits keep a person on one side.")
    recording_column: str | None = Field(
        None, description="Column of the recordings; none = every sample is a recording."
    )
    split_column: str | None = Field(
        None, description="Column of train, validation (or val, dev) and test, for data.split = official."
    )
    label_column: str = Field("label", description="Column of the classes' names or indices; empty cell = no label.")
    classes: list[str] = Field([], description="Names in index order; empty = the values of the label column, sorted.")
    targets: list[str] = Field([], description="Columns to predict in regression; empty = classification.")
    unlabelled_file: str = Field(
        "", description="Second table, of recordings without a label: the same columns, labels not read; empty = none."
    )

    @model_validator(mode="after")
    def _one_task(self) -> Self:
        if self.classes and self.targets:
            raise ValueError("classes are for classification and targets for regression: give one of them")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"a class is listed twice: {', '.join(self.classes)}")
        return self

    @property
    def id_columns(self) -> list[str]:
        """Columns of names: sample, person and, where there is one, recording."""
        return [self.sample_column, self.subject_column] + ([self.recording_column] if self.recording_column else [])

    @property
    def outcome_columns(self) -> list[str]:
        """Columns of what is to be predicted."""
        return self.targets or [self.label_column]

    @property
    def files(self) -> list[str]:
        """The table, and that of recordings without a label where there is one."""
        return [self.file, self.unlabelled_file] if self.unlabelled_file else [self.file]


def class_names(root: Path, config: RowOptions) -> tuple[str, ...]:
    """Names of the classes in index order, () in regression.

    Args:
        root: Where the table is; opened only where the options do not list the classes.
        config: Options.

    Raises:
        DataError: The table or its label column cannot be read, or labels are spelt alike.
    """
    if config.targets or config.classes:
        return tuple(config.classes)
    name, path = config.label_column, Path(root) / config.file
    return _sorted_names(_as_integers(tidy_labels(read_columns(path, [name], text=[name])[name], path, Counter())))


def read_rows(
    path: Path, config: RowOptions, numeric: Sequence[str] = (), text: Sequence[str] = (), *, labelled: bool = True
) -> pd.DataFrame:
    """Reads the columns of names and outcomes and some more.

    Names and labels are taken as written, but for blanks at their ends and the form of their Unicode, and whole numbers
    have no point: 1.0, which programs make of 1 where another cell is empty, is 1. Each such change is counted in
    `attrs["notes"]`. Where the table has no column of samples and pandas wrote an index into it, that is taken.

    Args:
        labelled: Whether outcomes are read; where not, all of them are missing, and those that the table holds are
            counted. Such a table needs no column of sides.

    Raises:
        DataError: See `read_columns`; labels or names are spelt alike.
    """
    sides = [config.split_column] if config.split_column else []
    sides = sides if labelled else columns_there(path, sides)
    stored = [name for name in config.outcome_columns if labelled or name in column_names(path)]
    labels = [] if config.targets else stored
    others = [*sides, *stored, *numeric, *text]
    table = read_named(path, config, config.id_columns, others, text=[*sides, *labels, *text])
    notes = Counter(table.attrs[NOTES])
    if not labelled:
        notes[f"labels in {path.name}, not read"] += int(table[stored].notna().any(axis=1).sum())
        notes[f"rows of {path.name}, which has no column '{config.split_column}'"] += len(table) * (
            config.split_column is not None and not sides
        )
        for name in config.outcome_columns:
            table[name] = np.nan if config.targets else None
    for name in labels if labelled else []:
        tidied = tidy_labels(table[name], path, notes, config.classes)
        table[name] = _as_integers(in_listed_case(tidied, config.classes, notes))
    table.attrs[NOTES] = {note: count for note, count in notes.items() if count}
    return table


def read_named(
    path: Path, config: RowOptions, names: Sequence[str], others: Sequence[str], text: Sequence[str] = ()
) -> pd.DataFrame:
    """Reads columns of names, as `read_rows` says, and others as they are, those in `text` as written."""
    index = _index_for_samples(path, config)
    stored = [index if name == config.sample_column and index is not None else name for name in names]
    table = read_columns(path, [*stored, *others], text=[*stored, *text])
    notes = Counter(table.attrs[NOTES])
    if index is not None:
        table = table.rename(columns={index: config.sample_column})
        notes[f"tables whose index is taken as '{config.sample_column}'"] += 1
    for name in names:
        table[name] = tidy_names(table[name], name, path, notes)
    table.attrs[NOTES] = {note: count for note, count in notes.items() if count}
    return table


def row_problems(table: pd.DataFrame, config: RowOptions) -> list[str]:
    """What is wrong with the rows' names and sides: a missing cell, a name that stands twice."""
    problems = []
    for name in config.id_columns:
        problems += [f"row {i + 1}: no '{name}'" for i in np.flatnonzero(table[name].isna())]
    if config.split_column in table:
        cells, sides = table[config.split_column].fillna(""), _sides(table, config)
        # A recording without a label takes part where its person does.
        optional = (cells == "") & table[config.outcome_columns].isna().all(axis=1)
        problems += [
            f"row {i + 1}: '{config.split_column}' is '{cells[i]}', expected train, validation or test"
            for i in np.flatnonzero(sides.isna() & ~optional)
        ]
    names = table[config.sample_column]
    return problems + [
        f"row {i + 1}: '{names[i]}' stands twice" for i in np.flatnonzero(names.duplicated() & names.notna())
    ]


def label_indices(labels: pd.Series, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Class indices (N,) int64, -1 of a missing label, and what is wrong with the labels; integers that are no names
    count as indices, false and true as 0 and 1.

    Args:
        labels: (N,).
        names: The classes in index order; empty = the values of the labels, sorted.
    """
    texts = [None if missing else _name(label) for label, missing in zip(labels, labels.isna(), strict=True)]
    words = {text for text in texts if text is not None}
    known = names or list(_sorted_names(labels))
    if names and not words & set(names):
        if len(names) == 2 and {word.casefold() for word in words} <= set(_TRUTH):
            texts, known = [text and text.casefold() for text in texts], list(_TRUTH)
        elif pd.api.types.is_numeric_dtype(labels):
            known = [str(i) for i in range(len(names))]
    places = {name: i for i, name in enumerate(known)}
    expected = f", expected one of {', '.join(known)}, or an empty cell where nobody has labelled the recording"
    problems = [
        f"row {i}: label '{text}'{did_you_mean(text, known) or expected}"
        for i, text in enumerate(texts, start=1)
        if text is not None and text not in places
    ]
    return np.array([-1 if text is None else places.get(text, -1) for text in texts], np.int64), problems


def sample_rows(table: pd.DataFrame, config: RowOptions) -> pd.DataFrame:
    """The samples table's columns sample_id, subject and recording, all str."""
    result = pd.DataFrame({"sample_id": table[config.sample_column].astype(str)})
    result["subject"] = table[config.subject_column].astype(str)
    result["recording"] = result["sample_id"]
    if config.recording_column:
        # Sessions are often named alike for everyone.
        result["recording"] = result["subject"] + "/" + table[config.recording_column].astype(str)
    if config.split_column:
        result[SPLIT_COLUMN] = _sides(table, config) if config.split_column in table else None
    return result


def joined(tables: Sequence[pd.DataFrame], root: Path, config: RowOptions) -> pd.DataFrame:
    """The samples of one table or two, with the counts of all; a recording of no side has that of its person.

    Args:
        tables: Of the files of the options, in their order.
        root: The data root.
        config: Options.

    Raises:
        DataError: A sample is in both.
    """
    if len(tables) > 1 and (both := sorted(set(tables[0]["sample_id"]) & set(tables[1]["sample_id"]))):
        raise DataError(
            f"{len(both)} samples are in {config.file} too\n{first_ten(both)}",
            where=root / config.unlabelled_file,
            expected="every sample in one of the two tables",
            todo="take the labelled ones out of the table of recordings without a label",
        )
    result = pd.concat(tables, ignore_index=True)
    if SPLIT_COLUMN in result:
        sides = result.dropna(subset=SPLIT_COLUMN).groupby("subject")[SPLIT_COLUMN].first()
        result[SPLIT_COLUMN] = result[SPLIT_COLUMN].fillna(result["subject"].map(sides)).fillna(SIDES[0])
    result.attrs[NOTES] = dict(sum((Counter(table.attrs.get(NOTES, {})) for table in tables), Counter()))
    return result


def columns_there(path: Path, names: Sequence[str]) -> list[str]:
    """Those of some optional columns that a table has; one that differs in capital letters is asked for, and reported
    by who reads it.
    """
    known = {name.casefold() for name in column_names(path)}
    return [name for name in names if name.casefold() in known]


def bad_rows(problems: list[str], where: Path) -> DataError:
    """The error for rows that are no samples; rows are counted from 1, below the header."""
    return DataError(
        f"{len(problems)} rows are not samples\n{first_ten(problems)}",
        where=where,
        todo="mend or remove these rows (counted from 1, below the header)",
    )


def _index_for_samples(path: Path, config: RowOptions) -> str | None:
    """The index that stands for the column of samples; None where that column is there, or is spelt otherwise."""
    known = column_names(path)
    if config.sample_column in known or did_you_mean(config.sample_column, known):
        return None
    index = index_of(path)
    return None if index in config.outcome_columns + config.id_columns else index


def _sides(table: pd.DataFrame, config: RowOptions) -> pd.Series:
    """Side of the official split of each row, NaN where the cell says none."""
    return table[config.split_column].astype(str).str.strip().str.casefold().map(_SIDES)


def _as_integers(labels: pd.Series) -> pd.Series:
    # So that class 10 comes after class 2, and indices are known as such.
    if pd.api.types.is_numeric_dtype(labels):
        return labels
    integers = labels.dropna().astype(str).str.fullmatch(r"-?(0|[1-9]\d*)(\.0+)?")
    return pd.to_numeric(labels) if integers.all() else labels


def _sorted_names(labels: pd.Series) -> tuple[str, ...]:
    return tuple(_name(value) for value in sorted(labels.dropna().unique()))


def _name(value: object) -> str:
    # A column of whole numbers with a missing cell comes as float.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
