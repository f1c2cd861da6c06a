"""What is known of the parts of a modality together: who failed and why, who read the others, counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts.atomic import write_parquet
from mtpkd_cli.artifacts.feature_parts import FAILURE_COLUMNS, PartAbout
from mtpkd_cli.errors import TooManyFailures, first_ten

READER_COLUMNS = ("sample_id", "reader")
LARGEST = "largest_"
"""How notes begin that are no counts: the largest of all samples is shown."""


def write_ledgers(folder: Path, abouts: list[PartAbout]) -> None:
    """Writes failures.parquet, one row per sample that could not be read, and readers.parquet, who read the others."""
    failures = pd.DataFrame([row for about in abouts for row in about.failures], columns=list(FAILURE_COLUMNS))
    failures = failures.astype(dict.fromkeys(FAILURE_COLUMNS[:-1], "string") | {FAILURE_COLUMNS[-1]: float})
    write_parquet(folder / "failures.parquet", failures)
    readers = [row for about in abouts for row in about.readers.items()]
    write_parquet(folder / "readers.parquet", pd.DataFrame(readers, columns=list(READER_COLUMNS), dtype="string"))


def check_failures(name: str, abouts: list[PartAbout], total: int, limit: str, where: Path) -> None:
    """Raises TooManyFailures where more of a modality's samples failed than `limit` allows."""
    failures = [failure for about in abouts for failure in about.failures]
    if len(failures) > allowed_failures(limit, total):
        raise TooManyFailures(
            f"{name}: {len(failures)} of {total} samples could not be read, {limit} allowed:\n"
            + first_ten([f"{failure.sample_id}: {failure.error.splitlines()[0]}" for failure in failures]),
            where=where,
            todo="mend the files, leave those samples out by data.exclude, or allow it: --max-failures N or P%; "
            "what was read is kept",
        )


def allowed_failures(limit: str, total: int) -> float:
    """Returns how many of `total` samples may fail: "3" is a count, "1%" a share."""
    return float(limit.removesuffix("%")) / 100 * total if limit.endswith("%") else float(limit)


def counts_of(abouts: list[PartAbout], total: int) -> dict[str, Any]:
    """Counts for the manifest: samples read and failed of `total`, how many each library read, and all notes."""
    failed = sum(len(about.failures) for about in abouts)
    readers = Counter(reader for about in abouts for reader in about.readers.values() if reader)
    notes = sum_of_notes(about.notes or {} for about in abouts)
    return {"samples": total - failed, "failed": failed, "readers": dict(sorted(readers.items())), "notes": notes}


def readable(error: str) -> str:
    """An error that may quote a damaged file, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in error)


def sum_of_notes(notes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sums counts by their names; of a note whose name begins with "largest_" the largest stays."""
    total: dict[str, float] = {}
    for counted in notes:
        for note, count in counted.items():
            before = total.get(note, 0)
            total[note] = max(before, count) if note.startswith(LARGEST) else before + count
    return total
