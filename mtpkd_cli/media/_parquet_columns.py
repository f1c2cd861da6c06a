"""Columns of a Parquet table as pandas, polars, R or Spark wrote it: as text, or as numbers, whatever its types are."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.errors import DataError
from mtpkd_cli.storage import reading

_UNNAMED = "__index_level_"
_WAY = {
    "expected": "a whole Parquet table",
    "todo": "write the table anew, or copy the file again",
}


class ParquetColumns:
    """The columns of one file, an index of pandas among them.

    Args:
        path: The file.

    Raises:
        DataError: It is no Parquet file, or a damaged one.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        with reading(path, "the table", **_WAY):
            self._schema = pq.read_schema(path)
            stored = [str(name) for name in self._schema.names]
            indices = self._indices()
        self._range = next((one for one in indices if isinstance(one, dict) and one.get("name") is not None), None)
        kept = [str(one) for one in indices if not isinstance(one, dict)]
        self._stored = {name: "" if name.startswith(_UNNAMED) and name in kept else name.strip() for name in stored}
        self.names = [self._stored[name] for name in stored]
        if self._range is not None:
            self.names.append(str(self._range["name"]))
        named = [self._stored[name] for name in kept if name in self._stored]
        named += [str(self._range["name"])] if self._range is not None else []
        self.index = named[0] if len(named) == 1 else None

    def read(self, wanted: Sequence[str], words: Sequence[str]) -> dict[str, pd.Series]:
        """Reads some columns, each of which is there once.

        Args:
            wanted: Their names.
            words: Those that are read as text, (N,) object of str or None; the others are numbers, (N,), NaN where
                missing, or else whatever they are.

        Raises:
            DataError: The file is damaged, or a column of words holds lists or the like.
        """
        import pyarrow.parquet as pq

        inside = {name: stored for stored, name in self._stored.items() if name in wanted}
        with reading(self.path, "the table", **_WAY):
            # Footer and pages are read apart: names of columns may hold dots, which select parts of nested ones.
            file = pq.ParquetFile(self.path)
            table = file.read(columns=list(inside.values()) or None, use_threads=False)
        cells = {}
        for name in wanted:
            if name not in inside:
                cells[name] = pd.Series(self._numbered(file.metadata.num_rows))
                continue
            column = table.column(table.column_names.index(inside[name]))
            with reading(self.path, f"column '{name}'", **_WAY):
                cells[name] = self._text(column, name) if name in words else _plain(column)
        return cells

    def _indices(self) -> list[Any]:
        """The index as pandas tells of it: names of columns, or the start and step of one that is not stored."""
        metadata = (self._schema.metadata or {}).get(b"pandas")
        indices = json.loads(metadata).get("index_columns", []) if metadata else []
        return indices if isinstance(indices, list) else []

    def _numbered(self, rows: int) -> np.ndarray:
        assert self._range is not None
        start, step = int(self._range["start"]), int(self._range["step"])
        return start + step * np.arange(rows)

    def _text(self, column: Any, name: str) -> pd.Series:
        import pyarrow as pa

        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_nested(kind):
            raise DataError(
                f"column '{name}' holds {kind}",
                where=self.path,
                expected="one name or label in every cell",
                todo="name another column under [data], or write one value per cell",
            )
        return pd.Series(plain_cells(column.to_pylist()), dtype=object)


def plain_cells(cells: Any) -> list[str | None]:
    """Cells of any type as text: whole numbers without a point, None for what is missing."""
    return [_word(cell) for cell in cells]


def _word(cell: object) -> str | None:
    if cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, bytes):
        return cell.decode("utf-8")
    if isinstance(cell, float | Decimal) and np.isfinite(float(cell)) and cell == int(cell):
        return str(int(cell))
    return str(cell)


def _plain(column: Any) -> pd.Series:
    """A column of numbers as it is, ints with missing cells as float64; any other as pandas has it."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_null(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return pd.Series(column.cast(pa.float64()).to_numpy())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        whole = column.cast(pa.int8()) if pa.types.is_boolean(kind) else column
        # Not every int64 is a float64, and a measurement needs no more than the nearest.
        return (
            pd.Series(whole.cast(pa.float64(), safe=False).to_numpy())
            if column.null_count
            else pd.Series(whole.to_numpy())
        )
    return column.to_pandas().reset_index(drop=True)
