"""What is known of the parts of a modality together: who failed and why, who read the others, how much was measured."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts.atomic import write_parquet
from mtpkd_cli.artifacts.feature_parts import FAILURE_COLUMNS, Failure, PartAbout
from mtpkd_cli.artifacts.quality import DOUBTFUL_BELOW, mean_share, reasons_in_words
from mtpkd_cli.errors import TooManyFailures, first_ten

READER_COLUMNS = ("sample_id", "reader")
LARGEST = "largest_"
"""How notes begin that are no counts: the largest of all samples is shown."""
QUALITY_COLUMNS = ("sample_id", "quality", "lacks")


def write_ledgers(folder: Path, abouts: list[PartAbout]) -> None:
    """Writes the ledgers, one row per sample each.

    failures.parquet: what could not be read, or was refused; readers.parquet: who read the others; quality.parquet: how
    much of each was measured that could be read, and what was not.
    """
    failures = pd.DataFrame([row for about in abouts for row in about.failures], columns=list(FAILURE_COLUMNS))
    failures = failures.astype(dict.fromkeys(FAILURE_COLUMNS[:-1], "string") | {FAILURE_COLUMNS[-1]: float})
    write_parquet(folder / "failures.parquet", failures)
    readers = [row for about in abouts for row in about.readers.items()]
    write_parquet(folder / "readers.parquet", pd.DataFrame(readers, columns=list(READER_COLUMNS), dtype="string"))
    measured = [(sample, *quality) for about in abouts for sample, quality in about.qualities.items()]
    table = pd.DataFrame(measured, columns=list(QUALITY_COLUMNS))
    write_parquet(
        folder / "quality.parquet", table.astype({"sample_id": "string", "quality": float, "lacks": "string"})
    )


def check_failures(
    name: str, abouts: list[PartAbout], total: int, limit: str, unmeasured_limit: str, where: Path
) -> None:
    """Raises TooManyFailures where more of a modality's samples could not be read, or were refused, than is allowed."""
    failures = [failure for about in abouts for failure in about.unread]
    refused = [failure for about in abouts for failure in about.failures if failure.unmeasured]
    if len(refused) > allowed_failures(unmeasured_limit, total):
        raise TooManyFailures(
            f"{name}: nothing was measured in {len(refused)} of {total} samples, {unmeasured_limit} allowed:\n"
            + _first_ten_of(refused),
            where=where,
            todo="look at the sensor and the encoder's options; or go on without them: "
            "--set extract.max_unmeasured=N or P%; or with them as they are: --set extract.unmeasured=keep",
        )
    if len(failures) > allowed_failures(limit, total):
        raise TooManyFailures(
            f"{name}: {len(failures)} of {total} samples could not be read, {limit} allowed:\n"
            + _first_ten_of(failures),
            where=where,
            todo="mend the files, leave those samples out by data.exclude, or allow it: --max-failures N or P%; "
            "what was read is kept",
        )


def _first_ten_of(failures: Sequence[Failure]) -> str:
    return first_ten([f"{failure.sample_id}: {failure.error.splitlines()[0]}" for failure in failures])


def allowed_failures(limit: str, total: int) -> float:
    """Returns how many of `total` samples may fail: "3" is a count, "1%" a share."""
    return float(limit.removesuffix("%")) / 100 * total if limit.endswith("%") else float(limit)


def counts_of(abouts: list[PartAbout], total: int) -> dict[str, Any]:
    """Counts for the manifest.

    samples, failed and unmeasured (refused) add up to `total`; doubtful of the samples were measured in less than half
    of their time; quality is the mean of all that could be read. Then how many each library read, and all notes.
    """
    failed = sum(len(about.unread) for about in abouts)
    unmeasured = sum(failure.unmeasured for about in abouts for failure in about.failures)
    qualities = [quality for about in abouts for quality in about.qualities.values()]
    mean = mean_share(qualities)
    readers = Counter(reader for about in abouts for reader in about.readers.values() if reader)
    notes = sum_of_notes(about.notes or {} for about in abouts)
    return {
        "samples": total - failed - unmeasured,
        "failed": failed,
        "unmeasured": unmeasured,
        "doubtful": sum(quality.doubtful for quality in qualities),
        "quality": None if mean is None else round(mean, 4),
        "readers": dict(sorted(readers.items())),
        "notes": notes,
    }


def unmeasured_in_words(abouts: list[PartAbout], total: int) -> list[str]:
    """Lines about samples in which nothing was measured, and about those measured in less than half of their time."""
    qualities = [quality for about in abouts for quality in about.qualities.values()]
    refused, doubtful = [q for q in qualities if q.refused], [q for q in qualities if q.doubtful]
    left_out = any(failure.unmeasured for about in abouts for failure in about.failures)
    lines = []
    if refused:
        fate = "left out (failures.parquet)" if left_out else "kept, as extract.unmeasured says"
        lines.append(f"nothing was measured in {len(refused)} of {total} samples, {fate}: {reasons_in_words(refused)}")
    if doubtful:
        few = f"less than {DOUBTFUL_BELOW:.0%} was measured of {len(doubtful)} of {total} samples (quality.parquet)"
        lines.append(f"{few}: {reasons_in_words(doubtful)}")
    return lines


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
