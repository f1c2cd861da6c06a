"""CSV in its local spellings as a table: encoding, delimiter and decimal comma are recognised.

Text that is not UTF-8 is taken as Windows-1252, which LabChart, AcqKnowledge and Excel write: numbers are the same in
both, only letters of the header differ. UTF-16 is known by its mark or by its zero bytes.
"""

import codecs
import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtpkd_cli.errors import DataError

_SNIFFED_BYTES = 65536
_SEPARATOR_ROW = re.compile(r'\s*"?sep=.?"?\s*$', re.IGNORECASE)


def read_csv(path: Path) -> Any:
    """The table of a CSV file, a `pyarrow.Table`.

    Raises:
        DataError: The first row is no header.
        pyarrow.ArrowException, UnicodeError, OSError: It cannot be read.
    """
    import pyarrow.csv

    encoding, lines = sniff(path)
    # Excel and Shimmer's Consensys write a row that says which delimiter follows.
    skipped = int(bool(lines) and _SEPARATOR_ROW.match(lines[0]) is not None)
    lines = lines[skipped:]
    header = lines[0] if lines else ""
    delimiter = max("\t;,", key=header.count) if header.strip() else ","
    _check_header([name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])], path)
    # The last line may be cut by the block's end.
    decimal_comma = delimiter != "," and any(re.search(r"\d,\d", line) for line in lines[1:-1] or lines[1:])
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False, encoding=encoding, skip_rows=skipped),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(decimal_point="," if decimal_comma else "."),
    )


def sniff(path: Path) -> tuple[str, list[str]]:
    """The encoding of a file's text, by Python's name, and the lines of its first block."""
    with path.open("rb") as file:
        block = file.read(_SNIFFED_BYTES)
    encoding = _encoding(block)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(block)
    return encoding, text.lstrip("\ufeff").splitlines()


def _encoding(block: bytes) -> str:
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = [block[parity::2].count(0) / max(1, len(block[parity::2])) for parity in (0, 1)]
    if max(zeros) > 0.4:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    try:
        # Incremental: the block may end within a letter.
        codecs.getincrementaldecoder("utf-8")().decode(block)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _check_header(names: Sequence[str], path: Path) -> None:
    def is_number(text: str) -> bool:
        try:
            float(text.replace(",", "."))
        except ValueError:
            return False
        return True

    if not any(names) or all(is_number(name) for name in names):
        raise DataError(
            f"the first row is not a header: {', '.join(names[:6])}",
            where=path,
            expected="names of the columns in the first row",
            todo="write a header row into the file",
        )
