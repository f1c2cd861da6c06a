"""What is told of the parts of a modality together: who failed and why, who read the others, counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts.atomic import write_parquet
from mtpkd_cli.artifacts.feature_parts import FAILURE_COLUMNS, PartAbout

READER_COLUMNS = ("sample_id", "reader")


def write_ledgers(folder: Path, abouts: list[PartAbout]) -> None:
    """Writes failures.parquet, one row per sample that could not be read, and readers.parquet, who read the others."""
    failures = pd.DataFrame([row for about in abouts for row in about.failures], columns=list(FAILURE_COLUMNS))
    failures = failures.astype(dict.fromkeys(FAILURE_COLUMNS[:-1], "string") | {FAILURE_COLUMNS[-1]: float})
    write_parquet(folder / "failures.parquet", failures)
    readers = [row for about in abouts for row in about.readers.items()]
    write_parquet(folder / "readers.parquet", pd.DataFrame(readers, columns=list(READER_COLUMNS), dtype="string"))


def allowed_failures(limit: str, total: int) -> float:
    """Returns how many of `total` samples may fail: "3" is a count, "1%" a share."""
    return float(limit.removesuffix("%")) / 100 * total if limit.endswith("%") else float(limit)


def counts_of(abouts: list[PartAbout], total: int) -> dict[str, Any]:
    """Counts for the manifest: samples read and failed of `total`, how many each library read, and all notes."""
    failed = sum(len(about.failures) for about in abouts)
    readers = Counter(reader for about in abouts for reader in about.readers.values() if reader)
    notes = sum_of_notes(about.notes or {} for about in abouts)
    return {"samples": total - failed, "failed": failed, "readers": dict(sorted(readers.items())), "notes": notes}


def usual_names(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The names of features that most samples of a part have, the first of equals; () where there is no sample."""
    counted = Counter(names)
    return max(counted, key=counted.__getitem__) if counted else ()


def sum_of_notes(notes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sums counts by their names."""
    total: dict[str, float] = {}
    for counted in notes:
        for note, count in counted.items():
            total[note] = total.get(note, 0) + count
    return total
