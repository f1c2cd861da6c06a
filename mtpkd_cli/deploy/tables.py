"""Predictions on disk: Parquet, CSV or JSON lines, by the suffix of the file."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts import write_parquet, write_text
from mtpkd_cli.errors import StudyError

SUFFIXES = (".parquet", ".csv", ".jsonl")


def check_output(path: Path) -> None:
    """Raises StudyError where a file of that suffix cannot be written; called before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        expected = f"a name that ends in {', '.join(SUFFIXES)}"
        raise StudyError(f"received {path.name}", where="--output", expected=expected)


def write_table(path: Path, windows: pd.DataFrame, recordings: pd.DataFrame) -> None:
    """Writes windows and recordings into one file; the column `level` tells them apart."""
    table = pd.concat([windows.assign(level="window"), recordings.assign(level="recording")], ignore_index=True)
    table = table[["level", *(name for name in table.columns if name != "level")]]
    table = table.astype({name: "Int64" for name in ("window", "windows", "of")})
    if path.suffix.lower() == ".parquet":
        write_parquet(path, table)
    elif path.suffix.lower() == ".csv":
        write_text(path, table.to_csv(index=False))
    else:
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in plain_rows(table)))


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; a cell that is empty is left out."""
    columns = [str(name) for name in table.columns]
    rows = zip(*(table[name].tolist() for name in columns), strict=True)
    return [{name: cell for name, cell in zip(columns, row, strict=True) if not pd.isna(cell)} for row in rows]
