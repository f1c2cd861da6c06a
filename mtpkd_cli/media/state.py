"""What a file of the corpus is known by, so that features are read anew where it has changed."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.errors import StorageError


def media_state(root: Path, samples: pd.DataFrame) -> list[list[Any]]:
    """What features depend on: samples, times and sizes (bytes, a folder's entries, -1 = not there).

    Times of modification are left out on purpose: copying a corpus changes them, and must not make features stale.
    """
    # Many windows are of one file.
    size = {media: _size(root / media) if media else -1 for media in samples["media"].unique()}
    sizes = samples["media"].map(size)
    rows = zip(samples["sample_id"], samples["media"], sizes, samples["start_s"], samples["end_s"], strict=True)
    return [
        [sample, media, size, seconds_or_none(start), seconds_or_none(end)] for sample, media, size, start, end in rows
    ]


def files_state(paths: list[Path]) -> list[list[Any]]:
    """What features depend on besides the media, such as weights: size and SHA-256 of each file, -1 = not there."""
    return [_content(path, path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else [-1] for path in paths]


@lru_cache(maxsize=32)
def _content(path: Path, size: int, _modified: int) -> list[Any]:
    with path.open("rb") as file:
        return [size, hashlib.file_digest(file, "sha256").hexdigest()]


def check_there(medium: Path) -> None:
    """Raises StorageError where a medium that was there before has vanished."""
    if not medium.exists():
        raise StorageError(
            "a medium has vanished while features were read",
            where=medium,
            expected="the corpus as it was when this run began",
            todo="have its disk mounted, then run the same command again; parts that are written are kept",
        )


def seconds_or_none(seconds: float) -> float | None:
    """A cell of a table as the start or end of a segment; None where it is empty."""
    return None if pd.isna(seconds) else float(seconds)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(1 for _ in path.iterdir())
    return path.stat().st_size if path.is_file() else -1
