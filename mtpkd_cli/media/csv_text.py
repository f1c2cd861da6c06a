"""The text of a CSV table, in the spellings that programs and countries have for one.

Read are UTF-8 with and without its mark, UTF-16, and Windows-1252, which Excel and the programs of older recorders
write; cells apart by comma, semicolon, tab or |; a first line `sep=;`; names of rows without a header, as R writes
them. What is none of these is refused, since text that is decoded wrongly is text all the same.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from mtpkd_cli.errors import DataError, first_ten

SEPARATORS = ",\t;|"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_OTHER_KINDS = (
    (b"PAR1", "a Parquet table: let its name end in .parquet"),
    (b"PK\x03\x04", "an Excel workbook, or an archive: save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook: save the table as CSV"),
    (b"\x1f\x8b", "packed by gzip: unpack it"),
)


@dataclass(frozen=True)
class CsvText:
    """A CSV table as text.

    Args:
        body: The rows below the header, lines ended by "\\n".
        names: The header's cells without blanks at their ends; "" where there is none, as above names of rows.
        separator: What stands between cells.
        encoding: By Python's name of it.
        short_rows: Rows with fewer cells than the header; they lack the last ones.
    """

    body: str
    names: tuple[str, ...]
    separator: str
    encoding: str
    short_rows: int


def read_csv_text(path: Path) -> CsvText:
    """Reads a whole CSV file.

    Raises:
        DataError: It is empty, no text, of another kind, cut in the middle of a row, or a row has more cells than the
            header.
    """
    content = path.read_bytes()
    for mark, kind in _OTHER_KINDS:
        if content.startswith(mark):
            raise DataError(f"the table cannot be read: this is {kind}", where=path, expected="a CSV table")
    text, encoding = decoded(content, path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    if not lines:
        raise DataError("the table cannot be read: it is empty", where=path, expected="a header row and rows below it")
    named = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(), re.IGNORECASE)
    separator = named[1] if named else separator_of(lines[0])
    lines = lines[1:] if named else lines
    header, body = _parted("\n".join(lines), separator)
    names = [trimmed(name) for name in header]
    names, short = _fitting(names, body, separator, path)
    return CsvText(body, tuple(names), separator, encoding, short)


def decoded(content: bytes, path: Path) -> tuple[str, str]:
    """Text and the encoding that it was in; `path` is where an error says that it lies.

    Raises:
        DataError: The bytes are no text, or are cut or damaged.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if not encoding and b"\0" in content[:4096]:
        # Latin letters in UTF-16 without a mark: every other byte is 0.
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    tried = [encoding] if encoding else ["utf-8", "cp1252"]
    for name in tried:
        try:
            text = content.decode(name)
        except UnicodeDecodeError as err:
            # Whoever writes UTF-8 elsewhere in the file writes it here: a wrong byte is damage, no other encoding.
            if name == "utf-8" and not any(ord(letter) > 127 for letter in content.decode("utf-8", "ignore")):
                continue
            raise _no_text(f"{err.reason} at byte {err.start}", name, path) from err
        if "\0" in text:
            raise _no_text(f"a zero at character {text.index(chr(0))}", name, path)
        return text, name.removesuffix("-sig")
    raise AssertionError("the last encoding raises")


def separator_of(header: str) -> str:
    """What stands between the cells of a header row: what occurs most outside quotes, a comma where nothing does."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(SEPARATORS, key=bare.count)


def trimmed(cell: str) -> str:
    """A cell without blanks and invisible marks at its ends."""
    return cell.strip().strip("\ufeff\u200b").strip()


def _parted(text: str, separator: str) -> tuple[list[str], str]:
    """The cells of the header, which may stand on several lines within quotes, and the text below it."""
    head, _, body = text.partition("\n")
    while head.count('"') % 2 and body:
        line, _, body = body.partition("\n")
        head = f"{head}\n{line}"
    return next(csv.reader(io.StringIO(head), delimiter=separator), []), body


def _fitting(names: list[str], body: str, separator: str, path: Path) -> tuple[list[str], int]:
    """The names, one per cell of the rows, and how many rows lack cells at their end.

    Raises:
        DataError: A row has more cells than the header, or the last one is cut.
    """
    # A row within quotes may hold separators and ends of lines: rows are then counted by who parses them.
    lines = [line for line in body.split("\n") if line.strip()]
    counts = [line.count(separator) + 1 for line in lines if '"' not in line]
    width = len(names)
    if counts and min(counts) == width + 1:
        ends = all(line.endswith(separator) for line in lines if '"' not in line)
        names = [*names, ""] if ends else ["", *names]
        width += 1
    long = [f"line {i} below the header: {n} cells" for i, n in enumerate(counts, start=1) if n > width]
    if long and '"' not in body:
        raise DataError(
            f"{len(long)} rows have more cells than the header, which has {width}\n{first_ten(long)}",
            where=path,
            expected=f"{width} cells in every row, apart by {separator!r}",
            todo="put cells that hold the separator (a decimal comma, say) into quotes, or save the table anew",
        )
    if counts and lines and '"' not in lines[-1] and counts[-1] < width and not body.endswith("\n"):
        raise DataError(
            f"the last row is cut: it has {counts[-1]} of {width} cells, and no end of its line",
            where=path,
            expected="a whole table",
            todo="copy the file again",
        )
    return names, sum(n < width for n in counts)


def _no_text(reason: str, encoding: str, path: Path) -> DataError:
    return DataError(
        f"the table cannot be read: it is no {encoding.upper()} text, {reason}",
        where=path,
        expected="a CSV table with a header row, in UTF-8, UTF-16 or Windows-1252",
        todo="save the table as UTF-8, or copy the file again where it may be damaged",
    )
