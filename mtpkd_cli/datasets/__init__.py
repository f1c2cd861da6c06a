"""Datasets: one file per corpus, a folder on disk -> the samples table.

A dataset file has

    Config    its options, a `mtpkd_cli.config.Options`
    samples   (root: Path, Config) -> pandas.DataFrame, one row per sample, sorted by sample_id, with columns
              sample_id  str, unique
              subject    str, who it is: splits keep a subject on one side
              recording  str, the continuous recording that the sample was cut from
              start_s    float, start within the media file; NaN = the whole file
              end_s      float, end within the media file; NaN = the whole file
              label      int class index (classification), or one float column `target_<name>` per target (regression);
                         -1, or NaN in every target, where nobody has labelled the sample: see `is_labelled`
              media_<kind>  str, path relative to root with forward slashes, "" where this sample has none
              and, where the corpus has them,
              split        str, "train", "validation" or "test": the official side, for data.split = "official"
              first_frame, last_frame     int, the labelled frames of the recording that it covers, counted from 1
              start_s_<kind>, end_s_<kind>  start and end for one kind of media that is timed by another clock
    classes   (root: Path, Config) -> tuple[str, ...], class names in index order, by labelled samples; () in regression
    frames    optional, (root: Path, Config) -> pandas.DataFrame, one row per labelled frame, sorted: recording, frame
              (int, from 1), valid (bool), and label or target_<name> as above, -1 or NaN where not valid

What was mended or is doubtful in a table is counted in `attrs["notes"]` of the samples table: what it was -> how often.
Where `data.exclude` leaves samples out, the column listed_at (int) is the place in the table before that. Where some
samples have no label it is the place among those that have one, and after these among the others.

A dataset only reads tables and lists folders; it opens no media file.
"""

from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.errors import StudyError

SAMPLE_COLUMNS = ("sample_id", "subject", "recording", "start_s", "end_s")
MEDIA_PREFIX = "media_"
TARGET_PREFIX = "target_"
SPLIT_COLUMN = "split"
LISTED_COLUMN = "listed_at"
SIDES = ("train", "validation", "test")


def is_labelled(samples: pd.DataFrame) -> np.ndarray:
    """Which samples have a label, or at least one of the targets: (N,) bool. The one reader of that fact.

    Args:
        samples: A samples table, with label or target_<name> columns.
    """
    if "label" in samples:
        return (samples["label"] >= 0).to_numpy(dtype=bool)
    return samples[[c for c in samples.columns if c.startswith(TARGET_PREFIX)]].notna().any(axis=1).to_numpy(dtype=bool)


def listing_of(samples: pd.DataFrame) -> list[list[Any]]:
    """What features are read from, plain: sample, and of every kind of medium its file, start and end; no labels.

    Args:
        samples: A samples table.
    """
    names = [column for column in samples.columns if column.startswith((MEDIA_PREFIX, "start_s", "end_s"))]
    columns = [samples[name].astype(object).where(samples[name].notna(), None).tolist() for name in names]
    rows = zip(samples["sample_id"].tolist(), *columns, strict=True)
    return [names, *(list(row) for row in rows)]


def pieces_of(samples: pd.DataFrame, size: int) -> dict[int, pd.DataFrame]:
    """Parts of the samples by their number, in order, none empty.

    Samples that a study excludes leave their places empty: the parts of all others hold what they held before.

    Args:
        samples: A samples table.
        size: Places of a part.
    """
    places = samples[LISTED_COLUMN] if LISTED_COLUMN in samples else pd.Series(range(len(samples)), samples.index)
    return {int(number): piece for number, piece in samples.groupby(places // size, sort=True)}


def media_of(samples: pd.DataFrame, name: str, medium: str) -> pd.DataFrame:
    """Returns sample_id, start_s, end_s (by the medium's clock) and media of one modality.

    Args:
        samples: A samples table.
        name: The modality.
        medium: The kind of media that it is read from.

    Raises:
        StudyError: The table has no such media.
    """
    column = MEDIA_PREFIX + medium
    if column not in samples:
        known = [c.removeprefix(MEDIA_PREFIX) for c in samples.columns if c.startswith(MEDIA_PREFIX)]
        raise StudyError(
            f"the corpus has no medium '{medium}'", where=f"modalities.{name}.media", expected=", ".join(known)
        )
    clock = {f"{time}_{medium}": time for time in ("start_s", "end_s") if f"{time}_{medium}" in samples}
    table = samples.drop(columns=list(clock.values())).rename(columns={column: "media", **clock})
    return table[["sample_id", "start_s", "end_s", "media"]]
