"""Already extracted features: one wide table (Parquet or CSV), `<modality>__<feature>` columns, one row per sample.

Gives the samples table, and `feature_table` in place of an encoder: one step per sample. A sample that has no value of
a modality at all lacks that modality; single missing cells stay NaN for training to impute and count.
"""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from mtpkd_cli.config import Options
from mtpkd_cli.datasets._wide_table import column_names, numbers, read_columns
from mtpkd_cli.errors import DataError, did_you_mean, first_ten

_SEPARATOR = "__"


class Config(Options):
    """Options of the reader of extracted features."""

    file: str = Field(min_length=1, description="The table, relative to the data root; .parquet or .csv.")
    sample_column: str = Field("sample_id", description="Column of the samples' names, each once.")
    subject_column: str = Field("subject", description="Column of the persons; splits keep a person on one side.")
    recording_column: str | None = Field(None, description="Column of the recordings; none = every sample its own.")
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


def classes(root: Path, config: Config) -> tuple[str, ...]:
    """Names of the classes in index order, () in regression.

    Args:
        root: Where the table is; opened only where the options do not list the classes.
        config: Options.

    Raises:
        DataError: The table or its label column cannot be read.
    """
    if config.targets or config.classes:
        return tuple(config.classes)
    path = Path(root) / config.file
    return _sorted_names(read_columns(path, [config.label_column])[config.label_column])


def samples(root: Path, config: Config) -> pd.DataFrame:
    """Lists the rows of the table as samples.

    Returns:
        The samples table (see `mtpkd_cli.datasets`) with one media_<modality> column per prefix: the table's name, or
        "" where all the row's cells of that modality are missing.

    Raises:
        DataError: The file or a column is missing, a name, person or label is missing or unknown, a name stands twice,
            or a feature is not a finite number.
    """
    path = Path(root) / config.file
    modalities = modalities_of(path)
    ids = [config.sample_column, config.subject_column] + ([config.recording_column] if config.recording_column else [])
    outcomes = config.targets or [config.label_column]
    table = read_columns(path, [*ids, *outcomes, *(name for names in modalities.values() for name in names)])
    _check_rows(table, ids, outcomes, path)
    result = pd.DataFrame({"sample_id": table[config.sample_column].astype(str)})
    result["subject"] = table[config.subject_column].astype(str)
    result["recording"] = result["sample_id"]
    if config.recording_column:
        # Sessions are often named alike for everyone.
        result["recording"] = result["subject"] + "/" + table[config.recording_column].astype(str)
    result["start_s"] = result["end_s"] = np.nan
    if config.targets:
        for name, values in zip(config.targets, numbers(table[config.targets], path).T, strict=True):
            result[f"target_{name}"] = values
    else:
        result["label"] = _label_indices(table[config.label_column], config.classes, path)
    for modality, columns in modalities.items():
        missing = np.isnan(numbers(table[columns], path)).all(axis=1)
        result[f"media_{modality}"] = np.where(missing, "", config.file)
    return result.sort_values("sample_id", ignore_index=True)


def feature_table(root: Path, config: Config, modality: str) -> pd.DataFrame:
    """The features of one modality, one step per sample; the extraction takes this in place of an encoder.

    Args:
        root: The data root.
        config: Options.
        modality: A prefix of the table's columns.

    Returns:
        Columns sample_id, t_s (0: a row has no time of its own) and features ((D,) float32, NaN where a cell is
        missing), sorted by sample_id, without the samples that lack the modality; `attrs["names"]` holds the D names.

    Raises:
        DataError: There is no such modality, or a feature is not a finite number.
    """
    path = Path(root) / config.file
    modalities = modalities_of(path)
    if modality not in modalities:
        raise DataError(
            f"no column begins with '{modality}{_SEPARATOR}'{did_you_mean(modality, modalities)}",
            where=path,
            expected=f"one of {', '.join(modalities)}",
            todo="name the modality as the columns' prefix does",
        )
    columns = modalities[modality]
    table = read_columns(path, [config.sample_column, *columns])
    values = numbers(table[columns], path).astype(np.float32)
    present = ~np.isnan(values).all(axis=1)
    ids = table[config.sample_column].astype(str).to_numpy()[present]
    result = pd.DataFrame({"sample_id": ids, "t_s": 0.0, "features": list(values[present])})
    result = result.sort_values("sample_id", ignore_index=True)
    result.attrs["names"] = tuple(name.removeprefix(modality + _SEPARATOR) for name in columns)
    return result


def modalities_of(path: Path) -> dict[str, list[str]]:
    """Columns by prefix, both in the table's order."""
    found: dict[str, list[str]] = {}
    for name in column_names(path):
        prefix, separator, feature = name.partition(_SEPARATOR)
        if prefix and separator and feature:
            found.setdefault(prefix, []).append(name)
    if not found:
        expected = f"columns named <modality>{_SEPARATOR}<feature>, e.g. eda{_SEPARATOR}mean"
        raise DataError("the table has no feature columns", where=path, expected=expected, todo="rename the columns")
    return found


def _check_rows(table: pd.DataFrame, ids: list[str], outcomes: list[str], path: Path) -> None:
    problems = []
    for name in [*ids, *outcomes]:
        problems += [f"row {i + 1}: no '{name}'" for i in np.flatnonzero(table[name].isna())]
    names = table[ids[0]]
    problems += [f"row {i + 1}: '{names[i]}' stands twice" for i in np.flatnonzero(names.duplicated() & names.notna())]
    if problems:
        todo = "mend or remove these rows (counted from 1, below the header)"
        raise DataError(f"{len(problems)} rows are not samples\n{first_ten(problems)}", where=path, todo=todo)


def _label_indices(labels: pd.Series, names: list[str], path: Path) -> np.ndarray:
    """Class indices (N,); integers that are no names count as indices themselves."""
    known = names or list(_sorted_names(labels))
    texts = labels.map(_name)
    if names and pd.api.types.is_numeric_dtype(labels) and not set(texts) & set(names):
        known = [str(i) for i in range(len(names))]
    indices = texts.map({name: i for i, name in enumerate(known)})
    bad = np.flatnonzero(indices.isna())
    if bad.size:
        rows = [f"row {i + 1}: label '{texts[i]}'{did_you_mean(texts[i], known)}" for i in bad]
        expected = f"one of {', '.join(known)}"
        raise DataError(f"{bad.size} labels are unknown\n{first_ten(rows)}", where=path, expected=expected)
    return indices.to_numpy(dtype=np.int64)


def _sorted_names(labels: pd.Series) -> tuple[str, ...]:
    return tuple(_name(value) for value in sorted(labels.dropna().unique()))


def _name(value: object) -> str:
    # A column of whole numbers with a missing cell comes as float.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
