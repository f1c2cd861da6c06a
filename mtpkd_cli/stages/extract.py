"""Extraction: every sample's media of one modality -> features, in part files that survive any interruption.

A part file carries a key over the encoder, its options and the media of its samples; a part whose key still holds is
kept, so extraction continues where it was stopped and only what changed is read again.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts import digest_of, read_parquet, remove_leftovers
from mtpkd_cli.artifacts.feature_ledgers import (
    check_failures,
    counts_of,
    readable,
    sum_of_notes,
    usual_names,
    write_ledgers,
)
from mtpkd_cli.artifacts.feature_parts import PartAbout, held_parts, part_files, write_part
from mtpkd_cli.config import parse_options
from mtpkd_cli.config.study import ExtractSection, ModalitySection
from mtpkd_cli.datasets import MEDIA_PREFIX
from mtpkd_cli.encoders import Features, encode_sample, prepare_encoder
from mtpkd_cli.errors import ArtifactError, DataError, StudyError, first_ten
from mtpkd_cli.media.pool import Outcome, Task, run_isolated
from mtpkd_cli.media.state import check_there, files_state, media_state, seconds_or_none
from mtpkd_cli.registry import ENCODERS
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
    table = media_of(read_parquet(samples).to_pandas(), name, medium)
    if job.extraction.root is None or not job.extraction.root.is_dir():
        raise DataError("the corpus folder is not there", where=f"data.root: {job.extraction.root}", todo="mend data.root")
    for path in part_files(out) if job.overwrite else []:
        path.unlink()
    pieces = [table.iloc[i : i + extract.part_samples] for i in range(0, len(table), extract.part_samples)]
    files = [out / f"part-{number:05d}.parquet" for number in range(len(pieces))]
    states = [media_state(job.extraction.root, piece) for piece in pieces]
    keys = [digest_of([encoder, state]) for state in states]
    held = held_parts(files, keys)
    left = [i for i, about in enumerate(held) if about is None or (job.extraction.retry_failed and about.failures)]
    todo = [i for i in left if not job.extraction.merge and (job.extraction.shard is None or job.extraction.shard.takes(i))]
    advance = job.reporter.progress(f"extract {name}", sum(len(pieces[i]) for i in todo))
    tasks = chain.from_iterable(_tasks(job.extraction.root, pieces[i], encoder) for i in todo)
    workers = extract.workers if job.extraction.workers is None else job.extraction.workers
    if todo:
        prepare_encoder(encoder["name"], encoder["options"], job.reporter.note)
    # One pool for all parts: a worker loads its libraries once, not once per part.
    with closing(run_isolated(encode_sample, tasks, workers=workers, **extract.limits)) as outcomes:
        for i in todo:
            there = {medium for _, medium, size, *_ in states[i] if size >= 0}
            _write_part(files[i], pieces[i], keys[i], job.extraction.root, there, outcomes, advance)
    limit = job.extraction.max_failures or extract.max_failures
    return _seal(out, files, held_parts(files, keys), len(table), name, limit, job)


def resolved_encoder(name: str, modality: ModalitySection) -> dict[str, Any]:
    """Returns name, version, all options, defaults filled in, and the state of the files that an encoder reads."""
    module = ENCODERS.load(modality.encoder)
    config = parse_options(module.Config, modality.options, where=f"study.toml [modalities.{name}.options]")
    resolved = {"name": modality.encoder, "version": module.VERSION, "options": config.model_dump(mode="json")}
    return resolved | ({"files": files_state(module.files(config))} if hasattr(module, "files") else {})


def media_of(samples: pd.DataFrame, name: str, medium: str) -> pd.DataFrame:
    """Returns sample_id, start_s, end_s (by the medium's own clock) and media; raises StudyError on a wrong medium."""
    column = MEDIA_PREFIX + medium
    if column not in samples:
        known = [c.removeprefix(MEDIA_PREFIX) for c in samples.columns if c.startswith(MEDIA_PREFIX)]
        raise StudyError(
            f"the corpus has no medium '{medium}'", where=f"modalities.{name}.media", expected=", ".join(known)
        )
    own = {f"{time}_{medium}": time for time in ("start_s", "end_s") if f"{time}_{medium}" in samples}
    table = samples.drop(columns=list(own.values())).rename(columns={column: "media", **own})
    return table[["sample_id", "start_s", "end_s", "media"]]


def _tasks(root: Path, piece: pd.DataFrame, encoder: dict[str, Any]) -> Iterator[Task]:
    for row in piece[piece["media"] != ""].to_dict("records"):
        times = seconds_or_none(row["start_s"]), seconds_or_none(row["end_s"])
        yield Task(row["sample_id"], (encoder["name"], encoder["options"], root / row["media"], *times))


def _write_part(
    path: Path,
    piece: pd.DataFrame,
    key: str,
    root: Path,
    there: set[str],
    outcomes: Iterator[Outcome],
    advance: Callable[[], None],
) -> None:
    """Takes this part's outcomes, which come in the order of the tasks, and writes the part.

    Raises:
        StorageError: One of the media that were `there` has vanished: no failure of its sample, and not kept as one.
    """
    media = dict(zip(piece["sample_id"], piece["media"], strict=True))
    failures: list[tuple[Any, ...]] = []
    read: dict[str, Features] = {}
    readers: dict[str, str] = {}
    for sample, medium in media.items():
        advance()
        if not medium:
            failures.append((sample, "", "list", "missing", "the corpus lists no file", 0.0))
            continue
        outcome = next(outcomes)
        if outcome.error is None:
            read[sample], readers[sample] = outcome.value
        else:
            # Paths are told relative to the corpus: an artifact holds no path of the machine that made it.
            error = readable(outcome.error.replace(f"{root}/", ""))
            seconds = round(outcome.seconds or 0.0, 2)
            failures.append((sample, medium, _stage(outcome), outcome.error_kind, error, seconds))
            if medium in there:
                check_there(root / medium)
    names = usual_names(features.names for features in read.values())
    for sample in [sample for sample, features in read.items() if features.names != names]:
        error = (
            f"it gave {len(read.pop(sample).names)} features, of other names than the {len(names)} of its neighbours"
        )
        failures.append((sample, media[sample], "encode", "other features", error, 0.0))
        del readers[sample]
    sequences = {sample: (features.times_s, features.values) for sample, features in read.items()}
    notes = sum_of_notes(features.notes for features in read.values())
    write_part(path, sequences, PartAbout(key, names, tuple(failures), notes, readers))


def _stage(outcome: Outcome) -> str:
    """Where a sample failed: "read" its medium, "encode" it, or "worker": the process ended before it could say."""
    if outcome.error_kind != "raised":
        return "worker"
    return "read" if outcome.module.startswith("mtpkd_cli.media.") else "encode"


def _seal(
    out: Path, files: list[Path], abouts: list[PartAbout | None], total: int, name: str, limit: str, job: Job
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
            todo="look for files of another kind or rate among them, and leave those out",
        )
    if not missing:
        # Only of a whole folder: a shard must not replace the ledgers of one that has sealed it meanwhile.
        write_ledgers(out, whole)
        for left_over in set(part_files(out)) - set(files):
            left_over.unlink(missing_ok=True)
        remove_leftovers(out)
    check_failures(name, whole, total, limit, where=out if missing else out / "failures.parquet")
    if missing:
        job.reporter.note(
            f"extract {name}: {len(missing)} of {len(files)} parts are left to other shards; the last seals"
        )
        return None
    return counts_of(whole, total)
