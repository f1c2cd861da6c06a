"""File names in the cells of a table: which file below the data root each means, and what is wrong with it."""

import os
import re
from collections import Counter
from functools import cached_property
from pathlib import Path, PurePosixPath

from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media.wide_tables import one_form
from mtpkd_cli.storage import reading

# A single letter, a colon and a slash are a drive; any other colon is part of a name, as in 10:15:00.mp4.
_DRIVE = re.compile(r"[A-Za-z]:[/\\]")


class MediaFolder:
    """The files below a data root, by the names that tables give them.

    Args:
        root: The data root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, _Entries] = {}

    def there(self, cell: str) -> bool:
        """Whether there is such a file or folder."""
        try:
            return (self.root / cell).exists()
        except (OSError, ValueError):  # a name too long for the system, or with a zero in it
            return False

    def as_stored(self, cell: str) -> str:
        """The name of the file that a cell means, which may be in another form of Unicode; itself if there is none."""
        return cell if self.there(cell) else self._path(cell, "by_form")

    def other_case(self, cell: str) -> str:
        """A file whose name differs in capital letters alone, "" where there is none."""
        path = self._path(cell, "by_case")
        return "" if path == cell else path

    def _path(self, cell: str, kind: str) -> str:
        """Walks down from the root, at each step to what is called alike; the cell itself where a step is missing."""
        if PurePosixPath(cell).is_absolute() or ".." in PurePosixPath(cell).parts:
            return cell
        parts: list[str] = []
        for part in PurePosixPath(cell).parts:
            stored = self._entries("/".join(parts)).named(part, kind)
            if stored is None:
                return cell
            parts.append(stored)
        return "/".join(parts)

    def _entries(self, folder: str) -> "_Entries":
        if folder not in self._folders:
            self._folders[folder] = _Entries(self.root / folder)
        return self._folders[folder]


class _Entries:
    """The names in one folder, listed once."""

    def __init__(self, folder: Path) -> None:
        try:
            self.names = set(os.listdir(folder))
        except (OSError, ValueError):
            self.names = set()

    @cached_property
    def by_form(self) -> dict[str, str]:
        """Name in one form of Unicode -> as it is stored."""
        return {one_form(name): name for name in sorted(self.names)}

    @cached_property
    def by_case(self) -> dict[str, str]:
        """Name without capital letters -> as it is stored."""
        return {one_form(name).casefold(): name for name in sorted(self.names)}

    def named(self, name: str, kind: str) -> str | None:
        """The entry of this name, or of one that is alike."""
        if name in self.names:
            return name
        key = one_form(name)
        return self.by_form.get(key) if kind == "by_form" else self.by_case.get(key.casefold())


def stored_names(
    folder: MediaFolder, column: str, cells: list[str], allow_outside: bool, notes: Counter[str]
) -> tuple[list[str], list[str]]:
    """The files that the cells of one column mean, and what is wrong with cells, "row I, ..." each.

    Args:
        folder: Of the media.
        column: Its name.
        cells: As written; "" = no file.
        allow_outside: Take files that lie outside the data root.
        notes: Counts of names that are stored in another form.
    """
    # Many rows may be of one file.
    stored = {cell: folder.as_stored(cell) for cell in set(cells) if cell and not _unfit(cell, allow_outside)}
    reasons = {cell: _unfit(cell, allow_outside) for cell in set(cells) - stored.keys() if cell}
    for cell, name in stored.items():
        if name == cell and not folder.there(cell) and (other := folder.other_case(cell)):
            reasons[cell] = f"is not there, but '{other}' is: capital letters count, in the suffix too"
    problems = [f"row {i}, column '{column}': '{c}' {reasons[c]}" for i, c in enumerate(cells, start=1) if c in reasons]
    other_form = sum(stored.get(cell, cell) != cell for cell in cells)
    notes[f"file names in '{column}' in another form of Unicode than the files"] += other_form
    return [stored.get(cell, cell) for cell in cells], problems


def check_media(folder: MediaFolder, media: dict[str, list[str]], table: Path) -> None:
    """Checks that of every medium there is at least one file.

    Raises:
        DataError: Of one there is none: then the root or the column is meant otherwise.
    """
    problems = []
    for name, cells in media.items():
        named = [cell for cell in cells if cell]
        if not named:
            problems.append(f"column '{name}' is empty")
        elif not any(folder.there(cell) for cell in named):
            with reading(folder.root, "the data root", expected="a folder", todo="correct data.root"):
                there = [p.name for p in folder.root.iterdir()]
            first = PurePosixPath(named[0]).parts[0]
            problems.append(
                f"column '{name}': none of {len(named)} files is there, e.g. {named[0]}{did_you_mean(first, there)}"
            )
    if problems:
        raise DataError(
            f"there are no media\n{first_ten(problems)}",
            where=table,
            expected=f"files relative to {folder.root}",
            todo="correct data.root or these columns, or leave the medium out of data.options.media",
        )


def _unfit(cell: str, allow_outside: bool) -> str:
    """Why a cell is no name of a file below the root, "" where it is one."""
    if "\\" in cell:
        return "has backslashes: write forward slashes"
    if "\0" in cell:
        return "holds a zero byte"
    if allow_outside:
        return ""
    if PurePosixPath(cell).is_absolute() or _DRIVE.match(cell):
        return "is not relative to the data root (option allow_outside = true takes it)"
    depth = 0
    for part in PurePosixPath(cell).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return "leaves the data root (option allow_outside = true takes it)"
    return ""
