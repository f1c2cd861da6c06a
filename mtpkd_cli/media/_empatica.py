"""Files of the Empatica E4 (EDA.csv, BVP.csv, TEMP.csv, ACC.csv): two rows of facts, then values, and no header.

    1600000000.000000      start, Unix time in seconds
    4.000000               values per second
    2.013114               values from here on

ACC.csv says the same three times, side by side. A header that somebody wrote above these rows changes nothing.

References:
    Empatica, "E4 data: the format of the exported files", 2020.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpkd_cli.media._csv_tables import sniff

# Unix times of 2008 to 2100, and rates of the E4's sensors with room on both sides.
_START_S, _RATE_HZ = (1.2e9, 4.1e9), (0.25, 256.0)
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class E4Layout:
    """Where the values of such a file begin.

    Args:
        names: Names of the columns: the header, or the file's stem (with _x, _y, _z where there are three).
        rate_hz: Rate that it states.
        skipped: Rows before the first value.
        encoding: Of its text.
    """

    names: tuple[str, ...]
    rate_hz: float
    skipped: int
    encoding: str


def e4_layout(path: Path) -> E4Layout | None:
    """The layout of a file, None where it is no such file."""
    encoding, lines = sniff(path)
    rows = [[cell.strip() for cell in line.split(",")] for line in lines[:4]]
    for skipped in (2, 3):
        if len(rows) <= skipped or not (rate_hz := _stated_rate(rows[skipped - 2 : skipped])):
            continue
        n = len(rows[skipped - 1])
        if skipped == 3:
            names = tuple(rows[0])
        else:
            names = (path.stem,) if n == 1 else tuple(f"{path.stem}_{axis}" for axis in _AXES[:n])
        return E4Layout(names, rate_hz, skipped, encoding) if len(names) == n else None
    return None


def read_e4(path: Path, layout: E4Layout) -> Any:
    """The values as a `pyarrow.Table`; raises what pyarrow raises."""
    import pyarrow.csv

    options = pyarrow.csv.ReadOptions(
        use_threads=False, skip_rows=layout.skipped, column_names=layout.names, encoding=layout.encoding
    )
    return pyarrow.csv.read_csv(path, read_options=options)


def _stated_rate(rows: Sequence[Sequence[str]]) -> float:
    """The rate that two rows state, 0 where they are no start and rate."""
    try:
        starts, rates = ({float(cell) for cell in row} for row in rows)
    except ValueError:
        return 0.0
    if len(starts) != 1 or len(rates) != 1 or len(rows[0]) != len(rows[1]):
        return 0.0
    start, rate = starts.pop(), rates.pop()
    return rate if _START_S[0] <= start <= _START_S[1] and _RATE_HZ[0] <= rate <= _RATE_HZ[1] else 0.0
