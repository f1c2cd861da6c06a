"""Already extracted features: one wide table with `<modality>__<feature>` columns, or one .npz per modality.

A table (Parquet or CSV) names sample, subject and label, one row each, and a second one may hold recordings without a
label. Features are columns of them, one step per sample, or lie in .npz files beside (see `_arrays.py`), one step or
several. Gives the samples table, and `feature_table` in
place of an encoder. A sample that has no value of a modality at all lacks that modality; single missing cells stay NaN
for training to impute and count.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from mtpkd_cli.datasets._arrays import Arrays, read_arrays
from mtpkd_cli.datasets._sample_rows import (
    RowOptions,
    bad_rows,
    class_names,
    columns_there,
    joined,
    label_indices,
    read_named,
    read_rows,
    row_problems,
    sample_rows,
)
from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media.wide_tables import NOTES, column_names, numbers

FEATURE_OPTIONS = ("file", "arrays", "step_s", "sample_column", "unlabelled_file")
"""Options that say what features there are; the others are of people and of what is to be predicted."""
_SEPARATOR = "__"


class Config(RowOptions):
    """Options of the reader of extracted features."""

    arrays: dict[str, str] = Field({}, description="Modality -> .npz file, relative to the root.")
    step_s: float = Field(1.0, gt=0, description="Seconds from step to step in .npz files without times_s.")


def classes(root: Path, config: Config) -> tuple[str, ...]:
    """Names of the classes in index order, () in regression.

    Raises:
        DataError: The table or its label column cannot be read; it is not opened where the options list the classes.
    """
    return class_names(root, config)


def samples(root: Path, config: Config) -> pd.DataFrame:
    """Lists the rows of the table as samples, and those of the table of recordings without a label.

    Returns:
        The samples table (see `mtpkd_cli.datasets`) with one media_<modality> column per prefix and .npz file: the
        file's name, or "" where all the sample's values of that modality are missing.

    Raises:
        DataError: A file or a column is missing, a name or person is missing, a label is unknown, a name stands twice,
            or a feature is not a finite number.
    """
    root = Path(root)
    modalities = _columns(root / config.file, config)
    result = joined([_listed(root, file, config, modalities) for file in config.files], root, config)
    notes = Counter(result.attrs[NOTES])
    for modality, file in config.arrays.items():
        arrays = read_arrays(root / file)
        notes += Counter(arrays.notes) + _strangers(arrays, result["sample_id"], root / file)
        present = set(arrays.ids[arrays.steps.any(axis=1)])
        result[f"media_{modality}"] = [file if sample in present else "" for sample in result["sample_id"]]
    result = result.sort_values("sample_id", ignore_index=True)
    result.attrs[NOTES] = dict(notes)
    return result


def feature_table(root: Path, config: Config, modality: str) -> pd.DataFrame:
    """The features of one modality; the extraction takes this in place of an encoder.

    Args:
        root: The data root.
        config: Options.
        modality: A prefix of the table's columns, or a key of `arrays`.

    Returns:
        Columns sample_id, t_s (0 for a row of a table, which has no time) and features ((D,) float32, NaN
        where a cell is missing), sorted by sample_id and time, without the samples that lack the modality;
        `attrs["names"]` holds the D names.

    Raises:
        DataError: There is no such modality, or a feature is not a finite number.
    """
    root = Path(root)
    if modality in config.arrays:
        return _steps(root / config.arrays[modality], config)
    modalities = _columns(root / config.file, config)
    if modality not in modalities:
        known = [*modalities, *config.arrays]
        raise DataError(
            f"no column begins with '{modality}{_SEPARATOR}'{did_you_mean(modality, known)}",
            where=root / config.file,
            expected=f"one of {', '.join(known)}",
            todo="name the modality as the columns' prefix does",
        )
    columns, tables = modalities[modality], []
    for path in (root / file for file in config.files):
        if path == root / config.file or _has(path, columns):
            table = read_named(path, config, [config.sample_column], columns)
            values = _values(table[columns], path)
            present = ~np.isnan(values).all(axis=1)
            ids = table[config.sample_column].astype(str).to_numpy()[present]
            tables.append(pd.DataFrame({"sample_id": ids, "t_s": 0.0, "features": list(values[present])}))
    result = pd.concat(tables).sort_values("sample_id", ignore_index=True)
    result.attrs["names"] = tuple(name.removeprefix(modality + _SEPARATOR) for name in columns)
    return result


def _listed(root: Path, file: str, config: Config, modalities: dict[str, list[str]]) -> pd.DataFrame:
    """The rows of one table as samples, with media of the modalities that are columns of the first."""
    path, labelled = root / file, file == config.file
    there = modalities if labelled else {name: of for name, of in modalities.items() if _has(path, of)}
    table = read_rows(path, config, numeric=[name for of in there.values() for name in of], labelled=labelled)
    notes, problems = Counter(table.attrs[NOTES]), row_problems(table, config)
    if not config.targets:
        labels, unknown = label_indices(table[config.label_column], config.classes)
        problems += unknown
    if problems:
        raise bad_rows(problems, path)
    result = sample_rows(table, config)
    result["start_s"] = result["end_s"] = np.nan
    if config.targets:
        for name, target in zip(config.targets, numbers(table[config.targets], path).T, strict=True):
            result[f"target_{name}"] = target
    else:
        result["label"] = labels
    for modality, columns in modalities.items():
        missing = np.isnan(_values(table[columns], path)).all(axis=1) if modality in there else True
        result[f"media_{modality}"] = np.where(missing, np.full(len(table), "", object), file)
    if not labelled:
        unread = set(_feature_columns(path)) - {column for of in there.values() for column in of}
        notes[f"feature columns of {file} that {config.file} does not have, not read"] += len(unread)
        for modality in modalities.keys() - there.keys():
            notes[f"rows of {file}, which has no column of '{modality}'"] += len(table)
    result.attrs[NOTES] = {note: count for note, count in notes.items() if count}
    return result


def _has(path: Path, columns: list[str]) -> bool:
    """Whether a table has columns of a modality: one that has some of them, or misspelt ones, is to have all."""
    return bool(columns_there(path, columns))


def _columns(path: Path, config: Config) -> dict[str, list[str]]:
    """Feature columns by prefix; none are needed where there are arrays.

    Raises:
        DataError: The table cannot be read or has no features, or a modality is in the table and in an .npz file.
    """
    try:
        modalities = modalities_of(path)
    except DataError:
        if not config.arrays:
            raise
        column_names(path)  # a table that cannot be read is still reported
        return {}
    if both := [modality for modality in modalities if modality in config.arrays]:
        raise DataError(
            f"modality '{both[0]}' is in columns of the table and in {config.arrays[both[0]]}",
            where=path,
            todo="leave it out of data.options.arrays, or rename the columns",
        )
    return modalities


def _values(table: pd.DataFrame, path: Path) -> np.ndarray:
    """Features as (N, D) float32, NaN where a cell is missing; raises DataError where a cell is no such number."""
    values = numbers(table, path)
    largest = float(np.finfo(np.float32).max)
    if len(beyond := np.argwhere(np.abs(values) > largest)):
        problems = [f"row {i + 1}, column '{table.columns[j]}': {values[i, j]:g}" for i, j in beyond]
        raise DataError(
            f"{len(beyond)} features are too large for a model\n{first_ten(problems)}",
            where=path,
            expected=f"numbers up to {largest:.3g}; a missing value is an empty cell",
            todo="look at these cells: such numbers often stand for missing ones",
        )
    return values.astype(np.float32)


def _strangers(arrays: Arrays, samples: pd.Series, path: Path) -> Counter[str]:
    """Counts the ids of an .npz file that are no samples.

    Raises:
        DataError: Not one is a sample: then they are spelt otherwise.
    """
    unknown = sorted(set(arrays.ids) - set(samples))
    if len(unknown) == len(arrays.ids):
        raise DataError(
            f"not one of {len(unknown)} ids is the name of a sample: ids like '{unknown[0]}', samples like "
            f"'{samples.iloc[0]}'",
            where=path,
            expected="ids as the table names its samples",
            todo="write the ids as the table does; 7 and 007 are two names",
        )
    return Counter({f"ids in {path.name} that are no samples": len(unknown)} if unknown else {})


def _steps(path: Path, config: Config) -> pd.DataFrame:
    arrays = read_arrays(path)
    row, step = np.nonzero(arrays.steps)
    times = step * config.step_s if arrays.times_s is None else arrays.times_s[row, step]
    result = pd.DataFrame({"sample_id": arrays.ids[row], "t_s": times, "features": list(arrays.values[row, step])})
    result = result.sort_values(["sample_id", "t_s"], kind="stable", ignore_index=True)
    result.attrs["names"] = arrays.names
    return result


def _feature_columns(path: Path) -> list[str]:
    """Columns that are named <modality>__<feature>."""
    parts = {name: name.partition(_SEPARATOR) for name in column_names(path)}
    return [name for name, (prefix, separator, feature) in parts.items() if prefix and separator and feature]


def modalities_of(path: Path) -> dict[str, list[str]]:
    """Columns by prefix, both in the table's order."""
    columns: dict[str, list[str]] = {}
    for name in _feature_columns(path):
        columns.setdefault(name.partition(_SEPARATOR)[0], []).append(name)
    if not columns:
        expected = f"columns named <modality>{_SEPARATOR}<feature>, e.g. eda{_SEPARATOR}mean"
        raise DataError("the table has no feature columns", where=path, expected=expected, todo="rename the columns")
    return columns
