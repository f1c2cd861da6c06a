"""Media on the command line -> recordings: files, folders, patterns, and a list on standard input."""

from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from mtpkd_cli.errors import StudyError, first_ten

VIDEO = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".mts")
SOUND = (".wav", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".mp3", ".m4a", ".aac", ".wma")
TABLES = (".csv", ".tsv", ".txt", ".parquet")
IMAGES = (".jpg", ".jpeg", ".png", ".bmp")
FROM_STDIN = "-"


def find_recordings(given: list[str], listed: Iterable[str], options: dict[str, Any]) -> list[Path]:
    """Returns the media in the order in which they were given, none twice.

    Args:
        given: Files, folders (searched to the bottom), patterns, or "-" for the list.
        listed: Lines of standard input, one file, folder or pattern each; only read where "-" was given.
        options: Of the encoder that reads them; they decide which kind of file of a folder is meant.

    Raises:
        StudyError: A path is not there, or a folder or pattern holds no such file.
    """
    suffixes = _suffixes(options)
    names = [name for word in given for name in ((line.strip() for line in listed) if word == FROM_STDIN else [word])]
    recordings: dict[Path, None] = {}
    missing = []
    for name in filter(None, names):
        paths = _expanded(name, suffixes, "image_rate_hz" in options)
        if not paths:
            missing.append(f"{name}: {_why(Path(name), suffixes)}")
        recordings |= dict.fromkeys(paths)
    if missing:
        raise StudyError(f"{len(missing)} of the media are not there:\n{first_ten(missing)}", where="MEDIA")
    if not recordings:
        raise StudyError("there is nothing to predict on", where="MEDIA", expected="a file, folder, pattern, or list")
    return list(recordings)


def _suffixes(options: dict[str, Any]) -> tuple[str, ...]:
    if "column" in options:
        return TABLES
    return VIDEO if "image_rate_hz" in options else VIDEO + SOUND


def _expanded(name: str, suffixes: tuple[str, ...], images: bool) -> list[Path]:
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        media = [file for file in inside if file.suffix.lower() in suffixes]
        folders = dict.fromkeys(file.parent for file in inside if file.suffix.lower() in IMAGES)
        return media or (list(folders) if images else [])
    if has_magic(name):
        return [each for match in sorted(glob(name, recursive=True)) for each in _expanded(match, suffixes, images)]
    return []


def _why(path: Path, suffixes: tuple[str, ...]) -> str:
    if path.is_dir():
        return f"the folder holds no file of these kinds: {' '.join(suffixes)}"
    return "nothing matches" if has_magic(str(path)) else "there is no such file or folder"
