"""Rows of a table as samples: options that name their columns, what is wrong with them, class indices of labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from mtpkd_cli.config import Options
from mtpkd_cli.datasets import SIDES, SPLIT_COLUMN
from mtpkd_cli.datasets._wide_table import read_columns
from mtpkd_cli.errors import DataError, did_you_mean, first_ten

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
    label_column: str = Field("label", description="Column of the classes' names or indices.")
    classes: list[str] = Field([], description="Names in index order; empty = the values of the label column, sorted.")
    targets: list[str] = Field([], description="Columns to predict in regression; empty = classification.")

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


def class_names(root: Path, config: RowOptions) -> tuple[str, ...]:
    """Names of the classes in index order, () in regression.

    Args:
        root: Where the table is; opened only where the options do not list the classes.
        config: Options.

    Raises:
        DataError: The table or its label column cannot be read.
    """
    if config.targets or config.classes:
        return tuple(config.classes)
    name = config.label_column
    return _sorted_names(_as_integers(read_columns(Path(root) / config.file, [name], text=[name])[name]))


def read_rows(path: Path, config: RowOptions, numeric: Sequence[str] = (), text: Sequence[str] = ()) -> pd.DataFrame:
    """Reads the columns of names and outcomes and some more; names and labels are taken as written.

    Raises:
        DataError: See `read_columns`.
    """
    sides = [config.split_column] if config.split_column else []
    as_written = [*config.id_columns, *sides, *([] if config.targets else [config.label_column]), *text]
    columns = [*config.id_columns, *sides, *config.outcome_columns, *numeric, *text]
    table = read_columns(path, columns, text=as_written)
    if not config.targets:
        table[config.label_column] = _as_integers(table[config.label_column])
    return table


def row_problems(table: pd.DataFrame, config: RowOptions) -> list[str]:
    """What is wrong with the rows' names and outcomes: a missing cell, a name that stands twice."""
    problems = []
    for name in [*config.id_columns, *config.outcome_columns]:
        problems += [f"row {i + 1}: no '{name}'" for i in np.flatnonzero(table[name].isna())]
    if config.split_column:
        sides = table[config.split_column].fillna("")
        problems += [
            f"row {i + 1}: '{config.split_column}' is '{sides[i]}', expected train, validation or test"
            for i in np.flatnonzero(_sides(table, config).isna())
        ]
    names = table[config.sample_column]
    return problems + [
        f"row {i + 1}: '{names[i]}' stands twice" for i in np.flatnonzero(names.duplicated() & names.notna())
    ]


def label_indices(labels: pd.Series, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Class indices (N,) int64 and what is wrong with the labels; integers that are no names count as indices.

    Args:
        labels: (N,); a missing label gives -1 and is no problem of this function.
        names: The classes in index order; empty = the values of the labels, sorted.
    """
    known = names or list(_sorted_names(labels))
    texts = labels.map(_name)
    if names and pd.api.types.is_numeric_dtype(labels) and not set(texts) & set(names):
        known = [str(i) for i in range(len(names))]
    indices = texts.map({name: i for i, name in enumerate(known)})
    expected = f", expected one of {', '.join(known)}"
    problems = [
        f"row {i + 1}: label '{texts[i]}'{did_you_mean(texts[i], known) or expected}"
        for i in np.flatnonzero(indices.isna() & labels.notna())
    ]
    return indices.fillna(-1).to_numpy(dtype=np.int64), problems


def sample_rows(table: pd.DataFrame, config: RowOptions) -> pd.DataFrame:
    """The samples table's columns sample_id, subject and recording, all str."""
    result = pd.DataFrame({"sample_id": table[config.sample_column].astype(str)})
    result["subject"] = table[config.subject_column].astype(str)
    result["recording"] = result["sample_id"]
    if config.recording_column:
        # Sessions are often named alike for everyone.
        result["recording"] = result["subject"] + "/" + table[config.recording_column].astype(str)
    if config.split_column:
        result[SPLIT_COLUMN] = _sides(table, config)
    return result


def bad_rows(problems: list[str], where: Path) -> DataError:
    """The error for rows that are no samples; rows are counted from 1, below the header."""
    return DataError(
        f"{len(problems)} rows are not samples\n{first_ten(problems)}",
        where=where,
        todo="mend or remove these rows (counted from 1, below the header)",
    )


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
