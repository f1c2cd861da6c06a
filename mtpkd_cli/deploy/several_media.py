"""Recordings of several media, one file each: from MEDIUM=FILE words, or from a list with one column per medium."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpkd_cli.deploy.windows import Media
from mtpkd_cli.errors import DataError, StudyError, did_you_mean, first_ten
from mtpkd_cli.media.wide_tables import column_names, read_columns

_START = "start_s_"


def media_of_words(words: Sequence[str], media: Sequence[str]) -> list[Media]:
    """Reads MEDIUM=FILE words: the first file of every medium is of the first recording, and so on.

    Args:
        words: As they stand on the command line.
        media: What the student sees.

    Raises:
        StudyError: A word is not of that form, a medium is unknown or has another number of files, or one is not there.
    """
    files: dict[str, list[Path]] = {}
    for word in words:
        medium, equals, file = word.partition("=")
        if not equals or medium not in media:
            near = did_you_mean(medium, media) if equals else ""
            raise StudyError(f"received '{word}'{near}", where="--media", expected=_expected(media))
        files.setdefault(medium, []).append(Path(file))
    numbers = {medium: len(files.get(medium, [])) for medium in media}
    if len(set(numbers.values())) > 1:
        counted = ", ".join(f"{number} of {medium}" for medium, number in numbers.items())
        raise StudyError(
            f"there are {counted}",
            where="--media",
            expected="one file per medium and recording",
            todo="a recording that lacks a medium can be given by --list, with an empty cell",
        )
    recordings = [Media(dict(zip(files, paths, strict=True))) for paths in zip(*files.values(), strict=True)]
    return _checked(recordings, "--media")


def media_of_list(path: Path, media: Sequence[str]) -> list[Media]:
    """Reads a table (CSV or Parquet): a recording per row, a column per medium; an empty cell = it lacks that medium.

    Files are relative to the list. Columns start_s_<medium> say at which second of that file the recording begins.

    Raises:
        StudyError: The list cannot be read, has no column of a medium, or names a file that is not there.
    """
    try:
        names = column_names(path)
        if lacking := [medium for medium in media if medium not in names]:
            raise StudyError(
                f"the list has no column {' or '.join(lacking)}{did_you_mean(lacking[0], names)}",
                where=path,
                expected=f"columns {', '.join(media)}, and perhaps {_START}{media[0]}",
            )
        read = [*media, *(_START + medium for medium in media if _START + medium in names)]
        rows = read_columns(path, read, text=read).to_dict("records")
    except DataError as err:
        raise StudyError(f"the list cannot be read: {err.what}", where=path, expected=err.expected) from err
    recordings = []
    for number, row in enumerate(rows, 1):
        files = {medium: path.parent / row[medium] for medium in media if row[medium]}
        if not files:
            raise StudyError(f"row {number} names no file", where=path, expected=f"one of {', '.join(media)}")
        starts = {medium: _seconds(row, medium, number, path) for medium in files}
        recordings.append(Media(files, {medium: start for medium, start in starts.items() if start}))
    return _checked(recordings, path)


def _seconds(row: Mapping[Hashable, Any], medium: str, number: int, path: Path) -> float:
    cell = row.get(_START + medium) or ""
    try:
        seconds = float(cell.replace(",", ".") or 0)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise StudyError(f"row {number}: {_START}{medium} is '{cell}'", where=path, expected="seconds, 0 or more")
    return seconds


def _checked(recordings: list[Media], where: object) -> list[Media]:
    missing = [f"{medium}: {file}" for one in recordings for medium, file in one.files.items() if not file.exists()]
    if missing:
        raise StudyError(f"{len(missing)} of the media are not there:\n{first_ten(missing)}", where=where)
    names = [one.path for one in recordings]
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise StudyError(f"{twice[0]} is in two recordings", where=where, expected="each recording once")
    return recordings


def _expected(media: Sequence[str]) -> str:
    return " ".join(f"--media {medium}=FILE" for medium in media)
