"""Writing beside the final name and renaming into place, so that no reader ever sees half a file.

What is being written is called `.NAME.OWNER`, and OWNER names machine, process and its start: two nodes that write into
one shared folder never meet, and what a killed process has left is known as such and taken away by the next writer.
"""

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtpkd_cli.artifacts.process import Process, this_process
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.storage import writing

# Whether a process of another machine still lives cannot be asked; what it has not touched for a day is given up.
FOREIGN_LEFTOVER_S = 86_400.0
_LEFTOVER = re.compile(r"\..+\.(?P<host>[\w-]+)@(?P<pid>\d+)-(?P<start>\d+)(\.old)?")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically; makes its folder where there is none. Raises StorageError where the disk refuses."""
    beside = path.with_name(f".{path.name}.{this_process()}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Writes UTF-8 text atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Writes JSON atomically, indented for people; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(path: Path, table: pd.DataFrame | pa.Table) -> None:
    """Writes a Parquet file atomically."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_bytes(path, sink.getvalue().to_pybytes())


def read_parquet(path: Path, **options: Any) -> pa.Table:
    """Reads a Parquet file of the run folder.

    Raises:
        ArtifactError: The file is gone or is not Parquet; the message says so.
    """
    try:
        return pq.read_table(path, **options)
    except (OSError, ValueError, pa.ArrowException) as err:
        raise ArtifactError(
            f"an artifact cannot be read: {err}", where=path, todo="run the stage that made it again, with --overwrite"
        ) from err


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to fill; it takes the place of `folder` only when the block ends without an error.

    Raises:
        StorageError: The disk refuses, or what was being filled has vanished meanwhile.
    """
    beside = folder.with_name(f".{folder.name}.{this_process()}")
    before = folder.with_name(f"{beside.name}.old")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder.parent, folder.name)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        # Held open, so that its number is not given to another folder.
        made = os.open(beside, os.O_RDONLY)
    try:
        yield beside
        with writing(folder):
            if not os.path.samestat(beside.stat(), os.fstat(made)):  # made anew by a later write: not all is in it
                raise FileNotFoundError(errno.ENOENT, "taken away while it was being filled", beside)
            if folder.exists():
                folder.rename(before)
            beside.rename(folder)
    finally:
        os.close(made)
        # An interrupt may fall between the two renames.
        if before.exists() and not folder.exists():
            before.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def remove_leftovers(folder: Path, name: str = "") -> list[str]:
    """Takes away what processes that are no more had begun to write into a folder.

    Args:
        name: Only what was to become this file or folder; "" = whatever it was to become.

    Returns:
        The names that were removed. What a living process writes, or a process of another machine that was busy within
        the last day, is left alone.
    """
    removed = []
    for path in list(folder.glob(f".{escape(name)}.*@*" if name else ".*@*")):
        match = _LEFTOVER.fullmatch(path.name)
        if match is None or _lives(path, Process(match["host"], int(match["pid"]), match["start"])):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed.append(path.name)
    return removed


def _lives(path: Path, owner: Process) -> bool:
    if owner.lives is not None:
        return owner.lives
    try:
        return time.time() - path.stat().st_mtime < FOREIGN_LEFTOVER_S
    except OSError:
        return False
