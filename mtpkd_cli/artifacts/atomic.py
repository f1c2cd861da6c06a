"""Writing beside the final name and renaming into place, so that no reader ever sees half a file.

What is being written is called `.NAME.OWNER`, and OWNER names machine, process and its start: two nodes that write into
one shared folder never meet, and what a killed process has left is known as such and taken away by the next writer.
"""

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtpkd_cli.errors import ArtifactError

# Whether a process of another machine still lives cannot be asked; what it has not touched for a day is given up.
FOREIGN_LEFTOVER_S = 86_400.0
_LEFTOVER = re.compile(r"\..+\.(?P<host>[\w-]+)@(?P<pid>\d+)-(?P<start>\d+)(\.old)?")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically; makes its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    beside = path.with_name(f".{path.name}.{_owner()}")
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
    except (OSError, pa.ArrowInvalid) as err:
        raise ArtifactError(
            f"an artifact cannot be read: {err}", where=path, todo="run the stage that made it again, with --overwrite"
        ) from err


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to fill; it takes the place of `folder` only when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder.parent, folder.name)
    beside = folder.with_name(f".{folder.name}.{_owner()}")
    before = folder.with_name(f"{beside.name}.old")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        if folder.exists():
            folder.rename(before)
        beside.rename(folder)
    finally:
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
        found = _LEFTOVER.fullmatch(path.name)
        if found is None or _lives(path, found["host"], int(found["pid"]), found["start"]):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed.append(path.name)
    return removed


def _lives(path: Path, host: str, pid: int, start: str) -> bool:
    if host != _host():
        try:
            return time.time() - path.stat().st_mtime < FOREIGN_LEFTOVER_S
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # The number may have been given to another process since.
    return _start_of(pid) == start


def _owner() -> str:
    return f"{_host()}@{os.getpid()}-{_start_of(os.getpid())}"


@cache
def _host() -> str:
    """This machine, and within it the space that process numbers belong to: containers have numbers of their own."""
    try:
        space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    except OSError:
        space = "0"
    return f"{re.sub(r'[^A-Za-z0-9-]', '_', socket.gethostname())}_{space}"


def _start_of(pid: int) -> str:
    """When a process began, in ticks since the machine started; "0" where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    # The command's name, in brackets, may hold spaces; 22nd field of proc(5), the 20th after the brackets.
    return stat.rpartition(")")[2].split()[19]
