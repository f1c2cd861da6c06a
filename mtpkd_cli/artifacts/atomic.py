"""Writing beside the final name and renaming into place, so that no reader ever sees half a file."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtpkd_cli.errors import ArtifactError


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically; makes its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
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
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    before = folder.with_name(f".{folder.name}.{os.getpid()}.old")
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
