"""Duplicates: files of equal content under different names, recognised by size first, then by hash."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from mtpkd_cli.checks import CheckResult

_BLOCK = 1 << 20


def look_for_duplicates(
    root: Path, paths: Iterable[str], advance: Callable[[], None]
) -> tuple[CheckResult, list[list[str]]]:
    """Groups media of equal content.

    Args:
        root: The corpus folder.
        paths: Media relative to it, files or folders of images; those that are not there are passed over.
        advance: Called once per path.

    Returns:
        The result of the check, and the groups of two and more.
    """
    by_size: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for path in paths:
        advance()
        if size := _size(root / path):
            by_size[size].append(path)
    groups: dict[bytes, list[str]] = defaultdict(list)
    hashed = [path for alike in by_size.values() if len(alike) > 1 for path in alike]
    for path in hashed:
        groups[_digest(root / path)].append(path)
    copies = sorted(sorted(group) for group in groups.values() if len(group) > 1)
    notes = [f"{' = '.join(group[:3])}{f' and {len(group) - 3} more' if len(group) > 3 else ''}" for group in copies]
    total = sum(map(len, by_size.values()))
    summary = f"{total} media, {len(hashed)} hashed, {len(copies)} groups of equal content"
    return CheckResult("duplicates", summary, [], notes, {"media": total, "groups": copies}), copies


def _files(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]


def _size(path: Path) -> tuple[int, ...]:
    """Sizes in bytes of a file, or of all files of a folder; () = not there or empty, as the check of media says."""
    try:
        sizes = tuple(file.stat().st_size for file in _files(path))
    except OSError:
        return ()
    return sizes if any(sizes) else ()


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    return digest.digest()
