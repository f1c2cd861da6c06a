"""Extraction: every sample's media of one modality -> features, in part files that survive any interruption.

A part file carries a key over the encoder, its options and the media of its samples; a part whose key still holds is
kept, so extraction continues where it was stopped and only what changed is read again.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.artifacts import digest_of, read_parquet, write_parquet
from mtpkd_cli.artifacts.feature_parts import FAILURE_COLUMNS, PartAbout, part_about, part_files, part_table
from mtpkd_cli.config import parse_options
from mtpkd_cli.config.study import ExtractSection, ModalitySection
from mtpkd_cli.datasets import MEDIA_PREFIX
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.errors import DataError, StudyError, TooManyFailures, first_ten
from mtpkd_cli.media.pool import Outcome, Task, run_isolated
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
) -> Counts:
    """Extracts one modality into part files and failures.parquet.

    Args:
        samples: The samples table.
        name: The modality.
        medium: Kind of medium in the samples table.
        encoder: Name, version and options, as `resolved_encoder` gives them.

    Raises:
        TooManyFailures: More samples failed than allowed; what was read stays and is not read again.
    """
    table = media_of(read_parquet(samples).to_pandas(), name, medium)
    if job.root is None or not job.root.is_dir():
        raise DataError("the corpus folder is not there", where=f"data.root: {job.root}", todo="mend data.root")
    for path in part_files(out) if job.overwrite else []:
        path.unlink()
    pieces = [table.iloc[i : i + extract.part_samples] for i in range(0, len(table), extract.part_samples)]
    files = [out / f"part-{number:05d}.parquet" for number in range(len(pieces))]
    keys = [digest_of([encoder, media_state(job.root, piece)]) for piece in pieces]
    todo = [i for i, (path, key) in enumerate(zip(files, keys, strict=True)) if not _holds(path, key, job.retry_failed)]
    advance = job.reporter.progress(f"extract {name}", sum(len(pieces[i]) for i in todo))
    tasks = chain.from_iterable(_tasks(job.root, pieces[i], encoder) for i in todo)
    workers = extract.workers if job.workers is None else job.workers
    # One pool for all parts: a worker loads its libraries once, not once per part.
    with closing(run_isolated(encode_sample, tasks, workers=workers, timeout_s=extract.timeout_s)) as outcomes:
        for i in todo:
            _write_part(files[i], pieces[i], keys[i], job.root, outcomes, advance)
    for left_over in set(part_files(out)) - set(files):
        left_over.unlink()
    return _seal(out, files, len(table), name, job.max_failures or extract.max_failures)


def resolved_encoder(name: str, modality: ModalitySection) -> dict[str, Any]:
    """Returns name, version and all options, defaults filled in, of a modality's encoder."""
    module = ENCODERS.load(modality.encoder)
    config = parse_options(module.Config, modality.options, where=f"study.toml [modalities.{name}.options]")
    return {"name": modality.encoder, "version": module.VERSION, "options": config.model_dump(mode="json")}


def media_of(samples: pd.DataFrame, name: str, medium: str) -> pd.DataFrame:
    """Returns sample_id, start_s, end_s and the media path of one modality; raises StudyError on an unknown medium."""
    column = MEDIA_PREFIX + medium
    if column not in samples:
        known = [c.removeprefix(MEDIA_PREFIX) for c in samples.columns if c.startswith(MEDIA_PREFIX)]
        raise StudyError(
            f"the corpus has no medium '{medium}'", where=f"modalities.{name}.media", expected=", ".join(known)
        )
    return samples.rename(columns={column: "media"})[["sample_id", "start_s", "end_s", "media"]]


def encode_sample(
    encoder: str, options: dict[str, Any], path: Path, start_s: float | None, end_s: float | None
) -> Features:
    """Encodes one sample; runs in a worker process."""
    module = ENCODERS.load(encoder)
    features: Features = module.encode(Segment(path, start_s, end_s), module.Config(**options))
    if not np.isfinite(features.values).all():
        raise DataError(f"encoder '{encoder}' gave values that are not finite", where=path)
    return features


def allowed_failures(limit: str, total: int) -> float:
    """Returns how many of `total` samples may fail: "3" is a count, "1%" a share."""
    return float(limit.removesuffix("%")) / 100 * total if limit.endswith("%") else float(limit)


def _holds(path: Path, key: str, retry_failed: bool) -> bool:
    about = part_about(path)
    return about is not None and about.key == key and not (retry_failed and about.failures)


def _tasks(root: Path, piece: pd.DataFrame, encoder: dict[str, Any]) -> Iterator[Task]:
    for row in piece[piece["media"] != ""].to_dict("records"):
        times = _time(row["start_s"]), _time(row["end_s"])
        yield Task(row["sample_id"], (encoder["name"], encoder["options"], root / row["media"], *times))


def _write_part(
    path: Path, piece: pd.DataFrame, key: str, root: Path, outcomes: Iterator[Outcome], advance: Callable[[], None]
) -> None:
    """Takes this part's outcomes, which come in the order of the tasks, and writes the part."""
    media = dict(zip(piece["sample_id"], piece["media"], strict=True))
    failures: list[tuple[Any, ...]] = []
    read: dict[str, Features] = {}
    for sample, medium in media.items():
        advance()
        if not medium:
            failures.append((sample, "", "missing", "the corpus lists no file", 0.0))
            continue
        outcome = next(outcomes)
        if outcome.error is None:
            read[sample] = outcome.value
        else:
            # Paths are told relative to the corpus: an artifact holds no path of the machine that made it.
            error = outcome.error.replace(f"{root}/", "")
            failures.append((sample, medium, outcome.error_kind, error, round(outcome.seconds or 0.0, 2)))
    sequences = {sample: (features.times_s, features.values) for sample, features in read.items()}
    names = next((features.names for features in read.values()), ())
    about = PartAbout(key, names, tuple(failures), _sum(features.notes for features in read.values()))
    write_parquet(path, part_table(sequences, about))


def media_state(root: Path, piece: pd.DataFrame) -> list[list[Any]]:
    """What a part's features depend on: samples, times and sizes (bytes, a folder's entries, -1 = not there)."""
    paths = [root / media if media else None for media in piece["media"]]
    sizes = [-1 if path is None else _size(path) for path in paths]
    rows = zip(piece["sample_id"], piece["media"], sizes, piece["start_s"], piece["end_s"], strict=True)
    return [[sample, media, size, _time(start), _time(end)] for sample, media, size, start, end in rows]


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(1 for _ in path.iterdir())
    return path.stat().st_size if path.is_file() else -1


def _seal(out: Path, files: list[Path], total: int, name: str, limit: str) -> Counts:
    abouts = [about for about in map(part_about, files) if about is not None]
    failures = [row for about in abouts for row in about.failures]
    table = pd.DataFrame(failures, columns=list(FAILURE_COLUMNS)).astype({"seconds": float})
    write_parquet(out / "failures.parquet", table)
    if len(failures) > allowed_failures(limit, total):
        raise TooManyFailures(
            f"{name}: {len(failures)} of {total} samples could not be read, {limit} allowed:\n"
            + first_ten([f"{row[0]}: {str(row[3]).splitlines()[0]}" for row in failures]),
            where=out / "failures.parquet",
            todo="mend the files, or allow it: --max-failures N or P%; what was read is kept",
        )
    return {"samples": total - len(failures), "failed": len(failures), "notes": _sum(a.notes or {} for a in abouts)}


def _sum(notes: Any) -> dict[str, float]:
    total: dict[str, float] = {}
    for counted in notes:
        for note, count in counted.items():
            total[note] = total.get(note, 0) + count
    return total


def _time(seconds: float) -> float | None:
    return None if pd.isna(seconds) else float(seconds)
