"""Part files of extracted features: one row per time step, with what a reader needs in the schema's metadata.

Columns: sample_id, t_s (seconds from the sample's start), features (fixed-size list of D float32, or uint8 where an
encoder gives pixels). Metadata: the names of the features, a key over everything that the part depends on, the samples
that failed, who read the others, how much of each was measured, and counts for the user.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mtpkd_cli.artifacts.atomic import read_parquet, write_parquet
from mtpkd_cli.artifacts.quality import UNMEASURED, Quality
from mtpkd_cli.errors import ArtifactError, DataError

FailureStage = Literal["list", "read", "encode", "worker"]


class Failure(NamedTuple):
    """A sample that has no features; a row of failures.parquet.

    Args:
        sample_id: The sample.
        media: Its file, relative to the corpus; "" where the corpus lists none.
        stage: What failed first: the corpus "list"s no file, its file could not be "read", the encoder could not
            "encode" it, or the "worker" process ended before it could say.
        kind: "missing", "raised", "crashed", "timeout", "memory", "other features" or, where it could be read and
            holds nothing that was measured, "not measured".
        error: The message to show.
        seconds: How long it took to fail, by the clock.
    """

    sample_id: str
    media: str
    stage: FailureStage
    kind: str
    error: str
    seconds: float

    @property
    def unmeasured(self) -> bool:
        """Whether the sample could be read, and nothing was measured in it."""
        return self.kind == UNMEASURED


FAILURE_COLUMNS = Failure._fields


@dataclass(frozen=True)
class PartAbout:
    """What a part file says of itself.

    Args:
        key: Digest of the encoder, its options, and the media of the part's samples.
        names: D names of the features; () where no sample of the part could be read.
        failures: One per sample that could not be read.
        notes: Counts worth telling the user.
        readers: sample_id -> the library that read its medium, "" where an encoder does not say.
        qualities: sample_id -> how much of it was measured, of those that were refused too; none of ready features.
    """

    key: str
    names: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: Mapping[str, float] | None = None
    readers: Mapping[str, str] = field(default_factory=dict)
    qualities: Mapping[str, Quality] = field(default_factory=dict)

    @property
    def unread(self) -> tuple[Failure, ...]:
        """Failures of samples that could not be read or encoded; the others hold nothing that was measured."""
        return tuple(failure for failure in self.failures if not failure.unmeasured)

    @property
    def without_seconds(self) -> "PartAbout":
        """What the part says of itself, without how long failures took, which is another number every time."""
        return replace(self, failures=tuple(failure._replace(seconds=0.0) for failure in self.failures))


def part_table(sequences: Mapping[str, tuple[np.ndarray, np.ndarray]], about: PartAbout) -> pa.Table:
    """Builds a part file from sample_id -> (times (T,), values (T, D))."""
    times = np.concatenate([t for t, _ in sequences.values()]) if sequences else np.zeros(0)
    values = np.concatenate([v for _, v in sequences.values()]) if sequences else np.zeros((0, 1))
    ids = np.repeat(np.array(list(sequences), dtype=object), [len(t) for t, _ in sequences.values()])
    kept = values if values.dtype == np.uint8 else values.astype(np.float32)
    features = pa.FixedSizeListArray.from_arrays(pa.array(kept.ravel()), values.shape[1])
    table = pa.table({"sample_id": pa.array(ids, pa.string()), "t_s": times.astype(np.float64), "features": features})
    content = {
        "key": about.key,
        "names": about.names,
        "failures": about.failures,
        "notes": dict(about.notes or {}),
        "readers": dict(about.readers),
        "qualities": dict(about.qualities),
    }
    return table.replace_schema_metadata({b"mtpkd": json.dumps(content)})


def part_about(path: Path) -> PartAbout | None:
    """Reads what a part file says of itself; None where there is no whole part file of this kind."""
    try:
        content = json.loads((pq.read_schema(path).metadata or {})[b"mtpkd"])
    except (OSError, pa.ArrowInvalid, KeyError, ValueError):
        return None
    if "qualities" not in content or any(len(row) != len(FAILURE_COLUMNS) for row in content["failures"]):
        return None  # written by an earlier version
    failures = tuple(Failure(*row) for row in content["failures"])
    qualities = {sample: Quality(*row) for sample, row in content["qualities"].items()}
    return PartAbout(content["key"], tuple(content["names"]), failures, content["notes"], content["readers"], qualities)


def held_parts(files: list[Path], keys: list[str]) -> list[PartAbout | None]:
    """What each part file says of itself; None where it is not whole, or was made of something other than its key."""
    abouts = zip(map(part_about, files), keys, strict=True)
    return [about if about is not None and about.key == key else None for about, key in abouts]


def write_part(path: Path, sequences: Mapping[str, tuple[np.ndarray, np.ndarray]], about: PartAbout) -> None:
    """Writes a part file, unless the one that is there differs in the seconds of its failures alone.

    What reads the features is stale where a file has changed; that a broken video takes longer to fail is no change.
    """
    table, before = part_table(sequences, about), part_about(path)
    if before is not None and before.without_seconds == about.without_seconds:
        try:
            if pq.read_table(path).equals(table):
                return
        except (OSError, pa.ArrowInvalid):
            pass
    write_parquet(path, table)


def part_files(folder: Path) -> list[Path]:
    """The part files of a modality, in order."""
    return sorted(folder.glob("part-*.parquet"))


def read_parts(folder: Path, sample_ids: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads all features of a modality.

    Args:
        sample_ids: N samples; rows of the result are numbered by their place in this list.

    Returns:
        rows (S,) int64, the sample of each time step; steps (S,) int64, its number within the sample; values (S, D)
        float32, NaN where a cell is missing, or uint8.

    Raises:
        ArtifactError: There is no part, or a part cannot be read.
        DataError: Not one sample has features.
    """
    files = part_files(folder)
    if not files:
        raise ArtifactError("a modality has no part files", where=folder, todo="mtpkd extract RUN")
    return read_part_files(files, sample_ids, folder)


def read_part_files(
    files: list[Path], sample_ids: list[str], folder: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads given part files as `read_parts` does; `folder` is where an error says they lie."""
    tables = [table for table in map(read_parquet, files) if table.num_rows]
    if not tables:
        raise DataError("not one sample of a modality has features", where=folder, todo="see failures.parquet there")
    table = pa.concat_tables(tables, promote_options="none")
    rows = pd.Index(sample_ids).get_indexer(pd.Index(table.column("sample_id").to_pandas()))
    known = rows >= 0
    lists = table.column("features").combine_chunks()
    values = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, lists.type.list_size)
    rows = rows[known]
    # Steps of one sample stand together and in order; their number is their distance to the sample's first row.
    steps = pd.Series(rows).groupby(rows).cumcount().to_numpy()
    return rows, steps, values[known]
