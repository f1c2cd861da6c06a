"""Test samples encoded anew from damaged media, every kind and level once; kept in RUN/damaged as long as it holds.

A file there carries a key over the encoder, its options, the damage and the media of its samples: a second call reads
what is there, an interrupted one goes on with the next level.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pandas as pd

from mtpkd_cli.artifacts import digest_of
from mtpkd_cli.artifacts.feature_parts import PartAbout, held_parts
from mtpkd_cli.config.study import ExtractSection, ModalitySection
from mtpkd_cli.datasets import media_of
from mtpkd_cli.encoders.running import encode_samples, resolved_encoder, samples_of, write_encoded
from mtpkd_cli.media.damage import KINDS, VERSION, Damage
from mtpkd_cli.media.state import media_state
from mtpkd_cli.registry import ENCODERS
from mtpkd_cli.stages import Job


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
        return {failure.sample_id: failure.error for failure in self.about.failures}


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
        extract: Limits of time and memory; `job.workers` goes before its workers.

    Returns:
        The undamaged ones first, then kind by kind, from mild to severe.

    Raises:
        StorageError: A medium has vanished meanwhile.
    """
    assert job.root is not None
    extract = extract.with_workers(job.workers)
    table = media_of(samples, name, modality.media or name)
    encoder, sense = resolved_encoder(name, modality), sense_of(modality)
    state = media_state(job.root, table)
    levels = [("", 0.0), *((kind, level) for kind, about in KINDS[sense].items() for level in about.levels)]
    files = [folder / (f"{kind}-{level:g}.parquet" if kind else "undamaged.parquet") for kind, level in levels]
    keys = [digest_of([VERSION, encoder, sense, kind, level, state]) for kind, level in levels]
    held = held_parts(files, keys)
    todo = [i for i, about in enumerate(held) if about is None or job.overwrite]
    whole = [replace(sample, was_there=True) for sample in samples_of(table)]
    damaged = [
        replace(sample, damage=Damage(sense, *levels[i], sample.sample_id) if levels[i][0] else None)
        for i in todo
        for sample in whole
    ]
    # One loop, and so one pool, for all levels: a worker loads its libraries once.
    encoding = encode_samples(
        damaged,
        encoder["name"],
        encoder["options"],
        root=job.root,
        workers=extract.workers,
        limits=extract.limits,
        must_detect=True,  # which a prediction demands too
        advance=job.reporter.progress(f"corrupt {name}", len(damaged)),
        say=job.reporter.note,
    )
    with closing(encoding):
        for i in todo:
            write_encoded(files[i], keys[i], list(islice(encoding, len(table))), readers=False)
    for left_over in set(folder.glob("*.parquet")) - set(files):  # of levels that are tried no more
        left_over.unlink(missing_ok=True)
    abouts = held_parts(files, keys)
    return [Encoded(*level, path, about) for level, path, about in zip(levels, files, abouts, strict=True) if about]
