"""Extraction: every sample's media of one modality -> features, in part files that survive any interruption.

A part file carries a key over the encoder, its options and the media of its samples; a part whose key still holds is
kept, so extraction continues where it was stopped and only what changed is read again.
"""

from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import digest_of, quality, read_parquet, remove_leftovers
from mtpkd_cli.artifacts.feature_ledgers import check_failures, counts_of, unmeasured_in_words, write_ledgers
from mtpkd_cli.artifacts.feature_parts import PartAbout, held_parts, part_files
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.datasets import media_of, pieces_of
from mtpkd_cli.encoders.running import encode_samples, samples_of, write_encoded
from mtpkd_cli.errors import ArtifactError, DataError, first_ten
from mtpkd_cli.media.state import media_state
from mtpkd_cli.stages import Counts, Job


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    name: str,
    medium: str,
    encoder: dict[str, Any],
    extract: ExtractSection,
) -> Counts | None:
    """Extracts one modality, or a shard of it, into part files; writes the ledgers once all parts are there.

    Args:
        samples: The samples table.
        name: The modality.
        medium: Kind of medium in the samples table.
        encoder: Name, version and options, as `resolved_encoder` gives them.

    Returns:
        What to say of the modality; None where parts are left to other shards. Each shard looks once it has written its
        own parts, so the last one finds all, and where two find all they write the same.

    Raises:
        ArtifactError: `job.extraction.merge`, and a part is missing.
        TooManyFailures: More samples failed than allowed; what was read stays and is not read again.
    """
    asked = job.extraction
    extract = extract.with_workers(asked.workers)
    listed = read_parquet(samples).to_pandas()
    table = media_of(listed, name, medium)
    if asked.root is None or not asked.root.is_dir():
        raise DataError("the corpus folder is not there", where=f"data.root: {asked.root}", todo="mend data.root")
    for path in part_files(out) if job.overwrite else []:
        path.unlink()
    places = {number: piece.index for number, piece in pieces_of(listed, extract.part_samples).items()}
    pieces = [table.loc[rows] for rows in places.values()]
    files = [out / f"part-{number:05d}.parquet" for number in places]
    states = [media_state(asked.root, piece) for piece in pieces]
    keys = [digest_of([encoder, state, quality.VERSION, extract.unmeasured]) for state in states]
    held = held_parts(files, keys)
    left = [i for i, about in enumerate(held) if about is None or (asked.retry_failed and about.unread)]
    todo = [i for i in left if not asked.merge and (asked.shard is None or asked.shard.takes(i))]
    chosen = [
        replace(sample, was_there=size >= 0)
        for i in todo
        for sample, (_, _, size, *_) in zip(samples_of(pieces[i]), states[i], strict=True)
    ]
    # One loop, and so one pool, for all parts: a worker loads its libraries once, not once per part.
    encoding = encode_samples(
        chosen,
        encoder["name"],
        encoder["options"],
        root=asked.root,
        workers=extract.workers,
        limits=extract.limits,
        unmeasured=extract.unmeasured,
        advance=job.reporter.progress(f"extract {name}", len(chosen)),
        say=job.reporter.note,
    )
    with closing(encoding):
        for i in todo:
            write_encoded(files[i], keys[i], list(islice(encoding, len(pieces[i]))))
    extract = extract.model_copy(update={"max_failures": asked.max_failures or extract.max_failures})
    return _seal(out, files, held_parts(files, keys), len(table), name, extract, job)


def _seal(
    out: Path,
    files: list[Path],
    abouts: list[PartAbout | None],
    total: int,
    name: str,
    extract: ExtractSection,
    job: Job,
) -> Counts | None:
    """Writes the ledgers of a folder that is whole; None where other shards have not written all their parts."""
    whole = [about for about in abouts if about is not None]
    missing = [path.name for path, about in zip(files, abouts, strict=True) if about is None]
    if job.extraction.merge and missing:
        raise ArtifactError(
            f"{name}: {len(missing)} of {len(files)} parts are not there yet:\n{first_ten(missing)}",
            where=out,
            expected="every part file, made from the study and the corpus as they are now",
            todo="wait for the shards or run those again that ended early; mtpkd extract RUN makes what is left",
        )
    if len({about.names for about in whole if about.names}) > 1:
        raise DataError(
            f"{name}: the media give features of different names or numbers",
            where=out,
            expected="the same features from every sample",
            todo="look for files of another kind or rate among them, and leave those out by data.exclude",
        )
    if not missing:
        # Only of a whole folder: a shard must not replace the ledgers of one that has sealed it meanwhile.
        write_ledgers(out, whole)
        for left_over in set(part_files(out)) - set(files):
            left_over.unlink(missing_ok=True)
        remove_leftovers(out)
    for line in unmeasured_in_words(whole, total):
        job.reporter.note(f"extract {name}: {line}")
    limits = extract.max_failures, extract.max_unmeasured
    check_failures(name, whole, total, *limits, where=out if missing else out / "failures.parquet")
    if missing:
        job.reporter.note(
            f"extract {name}: {len(missing)} of {len(files)} parts are left to other shards; the last seals"
        )
        return None
    return counts_of(whole, total)
