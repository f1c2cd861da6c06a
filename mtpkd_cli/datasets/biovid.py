"""BioVid Heat Pain: video and biosignals of 5.5 s windows at five levels of heat pain.

Reads the corpus as it is handed out: `starting_point/samples.csv` where it exists, else the listing of `video` and
`biosignals_filtered` (or `biosignals_raw`), with one folder per subject; or re-organised into folders of images, one
folder per class (see `_biovid_files.py`). Gives one sample per window, its class the position of its level in `levels`.
Part B, with facial EMG, has the same layout.

A window without a label has no level in its name (`071309_w_21-081`), whether the listing names it or not, or an empty
class in the listing.

References:
    Walter et al., "The BioVid Heat Pain Database", CYBCONF 2013. Werner et al., "Analysis of Facial Expressiveness
    During Experimentally Induced Heat Pain", ACIIW 2017 (the subjects whose faces hardly react).
"""

import io
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, field_validator

from mtpkd_cli.config import Options
from mtpkd_cli.datasets._biovid_files import LEVELS, NAME, find_files
from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media.csv_text import decoded
from mtpkd_cli.media.wide_tables import NOTES, reads_like_nothing
from mtpkd_cli.storage import reading

Level = Literal["BL1", "PA1", "PA2", "PA3", "PA4"]

_LISTING = "starting_point/samples.csv"
# Positions in the listing; its header's names differ between releases.
_SUBJECT, _CLASS, _LEVEL, _SAMPLE = 1, 2, 3, 5
_NO_CLASS = "windows without a class in the listing, though their names have a level"
# Much of the literature leaves these 20 subjects out, since their faces hardly react to the heat.
# fmt: off
_NON_REACTIVE = frozenset({
    "082315_w_60", "082414_m_64", "082909_m_47", "083009_w_42", "083013_w_47", "083109_m_60",
    "083114_w_55", "091914_m_46", "092009_m_54", "092014_m_56", "092509_w_51", "092714_m_64",
    "100514_w_51", "100914_m_39", "101114_w_37", "101209_w_61", "101809_m_59", "101916_m_40",
    "111313_m_64", "120614_w_61",
})
# fmt: on


class Config(Options):
    """Options of the BioVid reader."""

    levels: Annotated[list[Level], Field(min_length=2)] = Field(
        ["BL1", "PA4"], description="Levels of pain to tell apart, in class order."
    )
    biosignals: Literal["biosignals_filtered", "biosignals_raw"] = Field(
        "biosignals_filtered", description="Folder of the biosignals; re-organised corpora have one only, physio."
    )
    exclude_nonreactive: bool = Field(False, description="Leave out the 20 subjects whose faces hardly react.")
    subjects: list[str] = Field([], description="Only these subjects; empty = all.")

    @field_validator("levels", "subjects")
    @classmethod
    def _once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError(f"a name is listed twice: {', '.join(names)}")
        return names


def classes(_root: Path, config: Config) -> tuple[str, ...]:
    """Names of the classes in index order: the levels as listed."""
    return tuple(config.levels)


def samples(root: Path, config: Config) -> pd.DataFrame:
    """Lists the windows of the wanted levels and subjects, and those without a level.

    Args:
        root: The corpus folder, which holds `video` and the biosignals, or folders of classes and `physio`.
        config: Options.

    Returns:
        The samples table (see `mtpkd_cli.datasets`) with media_video and media_biosignals, "" where a window's file is
        absent, and label -1 where a window has no level.

    Raises:
        DataError: A folder is missing or holds none of the windows, a level or subject has no window, or the
            listing is not as it should be; all such problems at once.
    """
    root = Path(root)
    files = find_files(root, config.biosignals)
    problems = [problem for window_files in files.values() for problem in window_files.problems]
    if problems:
        raise _not_biovid(root, problems)
    listing = root / _LISTING
    levels = {name: _named(name)[1] for window_files in files.values() for name in window_files.paths}
    notes: Counter[str] = Counter()
    if listing.is_file():
        levels = {name: level for name, level in levels.items() if not level} | _read_listing(listing, notes)
    table = pd.DataFrame(
        [(name, _named(name)[0], level) for name, level in levels.items()], columns=["sample_id", "subject", "level"]
    )
    problems += _absent(table, config, listing if listing.is_file() else root)
    table = table[table["level"].isin([*config.levels, ""])]
    if config.subjects:
        table = table[table["subject"].isin(config.subjects)]
    if config.exclude_nonreactive:
        table = table[~table["subject"].isin(_NON_REACTIVE)]
    table = table.sort_values("sample_id", ignore_index=True)
    if not problems and table.empty:
        problems.append("no window is left; every subject asked for is one of the non-reactive ones")
    table["recording"] = table["sample_id"]
    table["start_s"] = table["end_s"] = float("nan")
    table["label"] = table["level"].map({level: i for i, level in enumerate(config.levels)} | {"": -1}).astype("int64")
    for kind, window_files in files.items():
        table[f"media_{kind}"] = [window_files.paths.get(name, "") for name in table["sample_id"]]
        if not table.empty and not table[f"media_{kind}"].any():
            problems.append(f"{kind}: none of the {len(table)} windows is here, expected {window_files.expected}")
    if problems:
        raise _not_biovid(root, problems)
    table.attrs[NOTES] = {note: count for note, count in notes.items() if count}
    return table.drop(columns="level")


def _named(sample: str) -> tuple[str, str]:
    """Subject and level, "" where there is none, by the name of a sample."""
    match = NAME.match(sample)
    return (match[1], match[2] or "") if match else ("", "")


def _read_listing(path: Path, notes: Counter[str]) -> dict[str, str]:
    """Name -> level of each sample in the list that the corpus brings, "" where its class is empty."""
    todo = "put the corpus's own file back, or remove it: without it the folders are listed"
    with reading(path, "the listing", expected="a tab separated table", todo=todo):
        text, _ = decoded(path.read_bytes(), path)
        table = pd.read_csv(io.StringIO(text), sep="\t", header=None, dtype=str, keep_default_na=False).fillna("")
    if table.shape[1] <= _SAMPLE:
        raise DataError(
            f"the listing has {table.shape[1]} columns",
            where=path,
            expected="tab separated: subject_id, subject_name, class_id, class_name, sample_id, sample_name",
            todo=todo,
        )
    problems, levels = [], dict[str, str]()
    for row, cells in enumerate(table.itertuples(index=False, name=None), start=1):
        subject, number, level_name, name = (str(cells[i]).strip() for i in (_SUBJECT, _CLASS, _LEVEL, _SAMPLE))
        named, level = _named(name)
        known = _level_of_class(number)
        if not named:
            if row > 1:
                problems.append(f"row {row}: sample name '{name}' is not like 071309_w_21-BL1-081")
        elif subject != named or known not in ("", level):
            problems.append(f"row {row}: subject '{subject}' and class {number} disagree with sample name '{name}'")
        elif not known and level_name in LEVELS:
            problems.append(f"row {row}: sample '{name}' has no class, though it is named {level_name}")
        elif name in levels:
            problems.append(f"row {row}: sample '{name}' is listed twice")
        else:
            levels[name] = known
            notes[_NO_CLASS] += bool(level) and not known
    if problems:
        raise DataError(f"the listing has {len(problems)} bad rows\n{first_ten(problems)}", where=path)
    return levels


def _level_of_class(number: str) -> str | None:
    """Level of a class as the listing writes it, "" of an empty cell, None of what is no class."""
    if not number or reads_like_nothing(number):
        return ""
    # One empty cell makes pandas write the others as 0.0 and 4.0.
    return {str(place): level for place, level in enumerate(LEVELS)}.get(number.removesuffix(".0"))


def _absent(table: pd.DataFrame, config: Config, where: Path) -> list[str]:
    """What was asked for and is not there."""
    subjects = set(table["subject"])
    problems = [
        f"subjects: '{s}' has no window{did_you_mean(s, subjects)}" for s in config.subjects if s not in subjects
    ]
    levels = set(table["level"]) - {""}
    present = ", ".join(sorted(levels)) or "none"
    problems += [f"{where}: level {v} has no window, found {present}" for v in config.levels if v not in levels]
    return problems


def _not_biovid(root: Path, problems: list[str]) -> DataError:
    return DataError(
        f"this is not a whole BioVid corpus\n{first_ten(problems)}",
        where=root,
        expected="video/<subject>/<sample>.mp4 and biosignals_filtered/<subject>/<sample>_bio.csv below the root, or "
        "<class>/<sample>/img_00001.jpg and physio/<class>/<sample>_bio.csv",
        todo="point data.root to the folder that holds 'video', or correct data.levels and data.subjects",
    )
