"""Any corpus as a table: CSV or Parquet, one row per sample, one column of file names per medium.

    sample_id,subject,label,video,physio,start_s,end_s
    p01-rest,p01,calm,clips/p01.mp4,signals/p01.csv,0,5.5
    p01-task,p01,stress,clips/p01.mp4,signals/p01.csv,60,65.5

A recording that nobody has labelled has an empty cell there, or stands in a second table. File names are relative to
the data root, with forward slashes; an empty cell says that the sample lacks the medium. A
file that is not there is reported when it is to be read, by extraction. Columns start_s and end_s (seconds within the
files) and recording are read where they exist. A link inside the root may lead out of it: whoever made it meant it.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from mtpkd_cli.datasets._array_steps import LONGEST_S
from mtpkd_cli.datasets._media_cells import MediaFolder, check_media, stored_names
from mtpkd_cli.datasets._sample_rows import (
    RowOptions,
    bad_rows,
    class_names,
    columns_there,
    joined,
    label_indices,
    read_rows,
    row_problems,
    sample_rows,
)
from mtpkd_cli.media.wide_tables import NOTES, column_names, numbers_and_problems


class Config(RowOptions):
    """Options of the reader of tables."""

    file: str = Field("samples.csv", min_length=1, description="The table, relative to the root; .csv or .parquet.")
    media: Annotated[list[str], Field(min_length=1)] = Field(
        description="Columns of file names; a modality names one of them in its key media."
    )
    recording_column: str | None = Field(
        "recording", description="Column of the recordings; where there is none every sample is a recording."
    )
    start_column: str = Field("start_s", min_length=1, description="Column of starts, seconds; empty cell = beginning.")
    end_column: str = Field("end_s", min_length=1, description="Column of ends, seconds; empty cell = the end.")
    allow_outside: bool = Field(False, description="Take files that lie outside the data root, by .. or whole paths.")

    @field_validator("media")
    @classmethod
    def _once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError(f"a column is listed twice: {', '.join(names)}")
        return names


def classes(root: Path, config: Config) -> tuple[str, ...]:
    """Names of the classes in index order, () in regression.

    Raises:
        DataError: The table or its label column cannot be read; it is not opened where the options list the classes.
    """
    return class_names(root, config)


def samples(root: Path, config: Config) -> pd.DataFrame:
    """Lists the rows of the table as samples, and those of the table of recordings without a label.

    Returns:
        The samples table (see `mtpkd_cli.datasets`) with one media_<column> per medium.

    Raises:
        DataError: A table or a column is missing; or rows are bad, all of them at once: a name or person is missing, a
            label or target is unknown or no number, a name stands twice, a segment ends before it starts, a file lies
            outside the root; or not one file of a medium is there.
    """
    root = Path(root)
    folder = MediaFolder(root)
    result = joined([_listed(folder, file, config) for file in config.files], root, config)
    notes = result.attrs[NOTES]
    result = result.sort_values("sample_id", ignore_index=True)
    result.attrs[NOTES] = notes
    return result


def _listed(folder: MediaFolder, file: str, config: Config) -> pd.DataFrame:
    """The rows of one table as samples."""
    path, labelled = folder.root / file, file == config.file
    config, times = _existing_columns(path, config)
    there = config.media if labelled else columns_there(path, config.media)
    table = read_rows(path, config, numeric=times, text=there, labelled=labelled)
    problems = row_problems(table, config)
    outcomes, bad_outcomes = _outcomes(table, config)
    starts_and_ends, bad_times = _segments(table, config)
    problems += bad_outcomes + bad_times
    notes, media = Counter(table.attrs[NOTES]), dict[str, list[str]]()
    for name in config.media:
        cells = table[name].fillna("").astype(str).tolist() if name in there else [""] * len(table)
        notes[f"rows of {file}, which has no column '{name}'"] += len(table) * (name not in there)
        media[name], bad_names = stored_names(folder, name, cells, config.allow_outside, notes)
        problems += bad_names
    if problems:
        raise bad_rows(sorted(problems, key=_row_number), path)
    check_media(folder, media if labelled else {name: cells for name, cells in media.items() if any(cells)}, path)
    result = pd.concat([sample_rows(table, config), starts_and_ends, outcomes], axis=1)
    for name, cells in media.items():
        result[f"media_{name}"] = cells
    result.attrs[NOTES] = {note: count for note, count in notes.items() if count}
    return result


def _existing_columns(path: Path, config: Config) -> tuple[Config, list[str]]:
    """The options without a recording column where the table has none, and the columns of times that it has.

    What the user named must exist; only a default may be absent.
    """
    known, named = column_names(path), config.model_fields_set
    # 'Start_s' is meant to be read, so its absence as 'start_s' is reported by who reads the columns.
    alike = {name.strip().casefold() for name in known}
    times = [
        getattr(config, field)
        for field in ("start_column", "end_column")
        if field in named or getattr(config, field) in alike
    ]
    if "recording_column" not in named and config.recording_column not in alike:
        config = config.model_copy(update={"recording_column": None})
    return config, times


def _outcomes(table: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, list[str]]:
    """Columns label or target_<name>, and what is wrong with their cells."""
    if not config.targets:
        labels, problems = label_indices(table[config.label_column], config.classes)
        return pd.DataFrame({"label": labels}), problems
    values, problems = numbers_and_problems(table[config.targets])
    return pd.DataFrame(values, columns=[f"target_{name}" for name in config.targets]), problems


def _segments(table: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, list[str]]:
    """Columns start_s and end_s, NaN where the table has none, and what is wrong with them."""
    columns = {"start_s": config.start_column, "end_s": config.end_column}
    values = pd.DataFrame(np.nan, index=table.index, columns=list(columns))
    problems: list[str] = []
    for name, column in columns.items():
        if column in table:
            cells = table[[column]]
            if cells[column].dtype.kind == "m":
                cells = cells / np.timedelta64(1, "s")
            numbers, bad_cells = numbers_and_problems(cells)
            values[name], problems = numbers[:, 0], problems + bad_cells
            for i in np.flatnonzero(np.abs(numbers[:, 0]) > LONGEST_S):
                problems.append(
                    f"row {i + 1}, column '{column}': {numbers[i, 0]:.6g} s is more than 30 days: nanoseconds, "
                    "milliseconds or a date? expected seconds from the file's beginning"
                )
    starts, ends = values["start_s"].fillna(0.0), values["end_s"]
    for i in np.flatnonzero((starts < 0) | (ends <= starts)):
        end = "the end" if np.isnan(ends[i]) else f"{ends[i]:g} s"
        problems.append(f"row {i + 1}: a segment from {starts[i]:g} s to {end}")
    return values, problems


def _row_number(problem: str) -> int:
    return int(problem.removeprefix("row ").split(":")[0].split(",")[0])
