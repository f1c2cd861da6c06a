"""Already extracted features: one wide table (Parquet or CSV), `<modality>__<feature>` columns, one row per sample.

Gives the samples table, and `feature_table` in place of an encoder: one step per sample. A sample that has no value of
a modality at all lacks that modality; single missing cells stay NaN for training to impute and count.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli.datasets._sample_rows import (
    RowOptions,
    bad_rows,
    class_names,
    label_indices,
    read_rows,
    row_problems,
    sample_rows,
)
from mtpkd_cli.datasets._wide_table import column_names, numbers, read_columns
from mtpkd_cli.errors import DataError, did_you_mean

_SEPARATOR = "__"


class Config(RowOptions):
    """Options of the reader of extracted features."""


def classes(root: Path, config: Config) -> tuple[str, ...]:
    """Names of the classes in index order, () in regression.

    Raises:
        DataError: The table or its label column cannot be read; it is not opened where the options list the classes.
    """
    return class_names(root, config)


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
    table = read_rows(path, config, numeric=[name for names in modalities.values() for name in names])
    problems = row_problems(table, config)
    if not config.targets:
        labels, unknown = label_indices(table[config.label_column], config.classes)
        problems += unknown
    if problems:
        raise bad_rows(problems, path)
    result = sample_rows(table, config)
    result["start_s"] = result["end_s"] = np.nan
    if config.targets:
        for name, values in zip(config.targets, numbers(table[config.targets], path).T, strict=True):
            result[f"target_{name}"] = values
    else:
        result["label"] = labels
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
    table = read_columns(path, [config.sample_column, *columns], text=[config.sample_column])
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
