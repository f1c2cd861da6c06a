"""Recordings of several media, one file each: from MEDIUM=FILE words, or from a list with one column per medium."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mtpkd_cli.deploy.windows import Media
from mtpkd_cli.errors import StudyError, did_you_mean, first_ten

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
    """Reads a CSV file with one recording per row and one column per medium; an empty cell = it lacks that medium.

    Files are relative to the list. Columns start_s_<medium> say at which second of that file the recording begins.

    Raises:
        StudyError: The list cannot be read, has no column of a medium, or names a file that is not there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as err:
        raise StudyError(f"the list cannot be read: {err}", where=path, expected="CSV in UTF-8") from err
    try:
        delimiter = csv.Sniffer().sniff(text.partition("\n")[0], ",;\t").delimiter
    except csv.Error:
        delimiter = ","
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True))
    columns = {str(name).strip(): name for name in (rows[0] if rows else {})}
    if lacking := [medium for medium in media if medium not in columns]:
        raise StudyError(
            f"the list has no column {' or '.join(lacking)}{did_you_mean(lacking[0], columns)}"
            if rows
            else "it is empty",
            where=path,
            expected=f"columns {', '.join(media)}, and perhaps {_START}{media[0]}",
        )
    recordings = []
    for number, row in enumerate(rows, 1):
        cells = {medium: (row[columns[medium]] or "").strip() for medium in media}
        files = {medium: path.parent / cell for medium, cell in cells.items() if cell}
        if not files:
            raise StudyError(f"row {number} names no file", where=path, expected=f"one of {', '.join(media)}")
        starts = {medium: _seconds(row, columns, medium, number, path) for medium in files}
        recordings.append(Media(files, {medium: start for medium, start in starts.items() if start}))
    return _checked(recordings, path)


def _seconds(row: dict[str, str], columns: dict[str, str], medium: str, number: int, path: Path) -> float:
    cell = (row[columns[_START + medium]] or "").strip() if _START + medium in columns else ""
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
