"""Test samples encoded anew from damaged media, every kind and level once; kept in RUN/damaged as long as it holds.

A file there carries a key over the encoder, its options, the damage and the media of its samples: a second call reads
what is there, an interrupted one goes on with the next level.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts import digest_of
from mtpkd_cli.artifacts.feature_ledgers import readable, sum_of_notes, usual_names
from mtpkd_cli.artifacts.feature_parts import PartAbout, held_parts, write_part
from mtpkd_cli.config.study import ExtractSection, ModalitySection
from mtpkd_cli.encoders import Features, encode_damaged, prepare_encoder
from mtpkd_cli.media.damage import KINDS, VERSION, Damage
from mtpkd_cli.media.pool import Outcome, Task, run_isolated
from mtpkd_cli.media.state import check_there, media_state, seconds_or_none
from mtpkd_cli.registry import ENCODERS
from mtpkd_cli.stages import Job
from mtpkd_cli.stages.extract import media_of, resolved_encoder


@dataclass(frozen=True)
class Encoded:
    """One modality's samples at one level of one kind of damage.

    Args:
        kind: "" = undamaged.
        level: In the kind's unit; 0 where undamaged.
        path: The part file with their features.
        about: What that file says of itself: the samples that failed, and counts.
    """

    kind: str
    level: float
    path: Path
    about: PartAbout

    @property
    def failures(self) -> dict[str, str]:
        """sample_id -> why it has no features."""
        return {row[0]: row[4] for row in self.about.failures}


def sense_of(modality: ModalitySection) -> str:
    """The kind of media that can be damaged before the modality's encoder sees them; "" = features only."""
    known = modality.encoder in ENCODERS.names()
    return str(ENCODERS.constant(modality.encoder, "READS", "")) if known else ""


def missing_media(root: Path | None, table: pd.DataFrame) -> str:
    """Why the media of samples (as `media_of` lists them) cannot be damaged: they are not there; "" = they are."""
    if root is None or not root.is_dir():
        return f"the corpus folder is not there (data.root: {root})"
    gone = [medium for medium in table["media"].unique() if not medium or not (root / medium).exists()]
    return f"{len(gone)} of {table['media'].nunique()} media files are not there, the first: {gone[0]}" if gone else ""


def encode_levels(
    folder: Path, name: str, modality: ModalitySection, samples: pd.DataFrame, extract: ExtractSection, job: Job
) -> list[Encoded]:
    """Encodes samples undamaged and at every kind and level that their medium can suffer.

    Args:
        samples: Rows of the samples table whose media are there.
        extract: Limits of time and memory; `job.extraction.workers` goes before its workers.

    Returns:
        The undamaged ones first, then kind by kind, from mild to severe.

    Raises:
        StorageError: A medium has vanished meanwhile.
    """
    assert job.extraction.root is not None
    table = media_of(samples, name, modality.media or name)
    encoder, sense = resolved_encoder(name, modality), sense_of(modality)
    state = media_state(job.extraction.root, table)
    levels = [("", 0.0), *((kind, level) for kind, about in KINDS[sense].items() for level in about.levels)]
    files = [folder / (f"{kind}-{level:g}.parquet" if kind else "undamaged.parquet") for kind, level in levels]
    keys = [digest_of([VERSION, encoder, sense, kind, level, state]) for kind, level in levels]
    held = held_parts(files, keys)
    todo = [i for i, about in enumerate(held) if about is None or job.overwrite]
    advance = job.reporter.progress(f"corrupt {name}", len(todo) * len(table))
    tasks = chain.from_iterable(_tasks(job.extraction.root, table, encoder, sense, *levels[i]) for i in todo)
    workers = extract.workers if job.extraction.workers is None else job.extraction.workers
    if todo:
        prepare_encoder(encoder["name"], encoder["options"], job.reporter.note)
    # One pool for all levels: a worker loads its libraries once.
    with closing(run_isolated(encode_damaged, tasks, workers=workers, **extract.limits)) as outcomes:
        for i in todo:
            _write_level(files[i], keys[i], job.extraction.root, table, outcomes, advance)
    for left_over in set(folder.glob("*.parquet")) - set(files):  # of levels that are tried no more
        left_over.unlink(missing_ok=True)
    abouts = held_parts(files, keys)
    return [Encoded(*level, path, about) for level, path, about in zip(levels, files, abouts, strict=True) if about]


def _tasks(
    root: Path, table: pd.DataFrame, encoder: dict[str, Any], sense: str, kind: str, level: float
) -> Iterator[Task]:
    for row in table.to_dict("records"):
        damage = Damage(sense, kind, level, row["sample_id"]) if kind else None
        times = seconds_or_none(row["start_s"]), seconds_or_none(row["end_s"])
        yield Task(row["sample_id"], (damage, encoder["name"], encoder["options"], root / row["media"], *times))


def _write_level(
    path: Path, key: str, root: Path, table: pd.DataFrame, outcomes: Iterator[Outcome], advance: Callable[[], None]
) -> None:
    """Takes a level's outcomes, which come in the order of the tasks, and writes its file."""
    read: dict[str, Features] = {}
    failures: list[tuple[Any, ...]] = []
    for sample, medium in zip(table["sample_id"], table["media"], strict=True):
        outcome = next(outcomes)
        advance()
        if outcome.error is None:
            read[sample] = outcome.value[0]
            continue
        check_there(root / medium)
        error = readable(outcome.error.replace(f"{root}/", ""))
        failures.append((sample, medium, "encode", outcome.error_kind, error, round(outcome.seconds or 0.0, 2)))
    names = usual_names(features.names for features in read.values())
    for sample in [sample for sample, features in read.items() if features.names != names]:
        del read[sample]
        failures.append((sample, "", "encode", "other features", "it gave features of other names", 0.0))
    sequences = {sample: (features.times_s, features.values) for sample, features in read.items()}
    notes = sum_of_notes(features.notes for features in read.values())
    write_part(path, sequences, PartAbout(key, names, tuple(failures), notes))
