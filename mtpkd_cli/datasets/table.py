"""Any corpus as a table: CSV or Parquet, one row per sample, one column of file names per medium.

    sample_id,subject,label,video,physio,start_s,end_s
    p01-rest,p01,calm,clips/p01.mp4,signals/p01.csv,0,5.5
    p01-task,p01,stress,clips/p01.mp4,signals/p01.csv,60,65.5

File names are relative to the data root, with forward slashes; an empty cell says that the sample lacks the medium. A
file that is not there is reported when it is to be read, by extraction. Columns start_s and end_s (seconds within the
files) and recording are read where they exist. A link inside the root may lead out of it: whoever made it meant it.
"""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from mtpkd_cli.datasets._sample_rows import (
    RowOptions,
    bad_rows,
    class_names,
    label_indices,
    read_rows,
    row_problems,
    sample_rows,
)
from mtpkd_cli.datasets._wide_table import column_names, numbers_and_problems
from mtpkd_cli.errors import DataError, did_you_mean, first_ten


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
    """Lists the rows of the table as samples.

    Returns:
        The samples table (see `mtpkd_cli.datasets`) with one media_<column> per medium.

    Raises:
        DataError: The table or a column is missing; or rows are bad, all of them at once: a name, person, label or
            target is missing, unknown or no number, a name stands twice, a segment ends before it starts, a file lies
            outside the root; or not one file of a medium is there.
    """
    root = Path(root)
    path = root / config.file
    config, times = _existing_columns(path, config)
    table = read_rows(path, config, numeric=times, text=config.media)
    problems = row_problems(table, config)
    outcomes, bad_outcomes = _outcomes(table, config)
    starts_and_ends, bad_times = _segments(table, config)
    problems += bad_outcomes + bad_times
    media = {name: table[name].fillna("").astype(str).tolist() for name in config.media}
    for name, cells in media.items():
        reasons = ((i, _unfit(cell, config.allow_outside)) for i, cell in enumerate(cells) if cell)
        problems += [f"row {i + 1}, column '{name}': '{cells[i]}' {reason}" for i, reason in reasons if reason]
    if problems:
        raise bad_rows(sorted(problems, key=_row_number), path)
    _check_files(root, media, path)
    result = pd.concat([sample_rows(table, config), starts_and_ends, outcomes], axis=1)
    for name, cells in media.items():
        result[f"media_{name}"] = cells
    return result.sort_values("sample_id", ignore_index=True)


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
            numbers, bad_cells = numbers_and_problems(table[[column]])
            values[name], problems = numbers[:, 0], problems + bad_cells
    starts, ends = values["start_s"].fillna(0.0), values["end_s"]
    for i in np.flatnonzero((starts < 0) | (ends <= starts)):
        end = "the end" if np.isnan(ends[i]) else f"{ends[i]:g} s"
        problems.append(f"row {i + 1}: a segment from {starts[i]:g} s to {end}")
    return values, problems


def _unfit(cell: str, allow_outside: bool) -> str:
    """Why a cell is no name of a file below the root, "" where it is one."""
    if "\\" in cell:
        return "has backslashes: write forward slashes"
    if allow_outside:
        return ""
    if PurePosixPath(cell).is_absolute() or PureWindowsPath(cell).drive:
        return "is not relative to the data root (option allow_outside = true takes it)"
    depth = 0
    for part in PurePosixPath(cell).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return "leaves the data root (option allow_outside = true takes it)"
    return ""


def _check_files(root: Path, media: dict[str, list[str]], path: Path) -> None:
    problems = []
    for name, cells in media.items():
        named = [cell for cell in cells if cell]
        if not named:
            problems.append(f"column '{name}' is empty")
        elif not any((root / cell).exists() for cell in named):
            there = [p.name for p in root.iterdir()]
            first = PurePosixPath(named[0]).parts[0]
            problems.append(
                f"column '{name}': none of {len(named)} files is there, e.g. {named[0]}{did_you_mean(first, there)}"
            )
    if problems:
        raise DataError(
            f"there are no media\n{first_ten(problems)}",
            where=path,
            expected=f"files relative to {root}",
            todo="correct data.root or these columns, or leave the medium out of data.options.media",
        )


def _row_number(problem: str) -> int:
    return int(problem.removeprefix("row ").split(":")[0].split(",")[0])
