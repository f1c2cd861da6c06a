"""Where the face is without a search: from a table of boxes beside the video, or in pictures that are face crops."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._face_boxes import smooth
from mtpkd_cli.media.faces import FaceTrack
from mtpkd_cli.media.wide_tables import column_names, numbers_and_problems, read_columns

COLUMNS = ("time_s", "x", "y", "width", "height")
# A frame this far from the nearest box has none.
_REACH_S = 1.0


class CroppedFaces:
    """The centre square of every frame."""

    def track(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> FaceTrack:
        """The track of T frames (H, W, ...); all count as detected."""
        height, width = frames[0].shape[:2]
        n, side = len(times_s), float(min(height, width))
        centres_px, followed = np.tile([width / 2, height / 2], (n, 1)), np.arange(n) > 0
        return FaceTrack(centres_px, np.full(n, side), side, np.ones(n, bool), followed)


class GivenFaces:
    """Boxes of a table, interpolated between its rows.

    Args:
        path: CSV or Parquet with the columns time_s (seconds from the video's first frame), x and y (left and top),
            width and height, in pixels of the stored video.
        start_s: Where the times of the frames begin, in the table's time.
        times_smoothed: How often each box is averaged with its neighbours (weights 1 2 1).

    Raises:
        DataError: The table is missing, or lacks a column, or a row is no box.
    """

    def __init__(self, path: Path, start_s: float, times_smoothed: int) -> None:
        table = _read(path)
        left, top, width, height = (table[name].to_numpy(float) for name in COLUMNS[1:])
        self._times_s = table["time_s"].to_numpy(float) - start_s
        boxes = np.column_stack([left + width / 2, top + height / 2, np.maximum(width, height)])
        self._boxes = smooth(boxes, times_smoothed)

    def track(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> FaceTrack:
        """The track of T frames, which must have the stored size; before and after the table its ends are kept."""
        del frames
        boxes = np.stack([np.interp(times_s, self._times_s, self._boxes[:, k]) for k in range(3)], axis=1)
        distance_s = np.abs(times_s[:, None] - self._times_s[None, :]).min(axis=1)
        side, followed = float(np.median(boxes[:, 2])), np.arange(len(boxes)) > 0
        return FaceTrack(boxes[:, :2], boxes[:, 2], side, distance_s <= _REACH_S, followed)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError("there is no table of face boxes for this video", where=path, todo="see the option boxes")
    known = column_names(path)
    if missing := [name for name in COLUMNS if name not in known]:
        raise DataError(f"the table of face boxes lacks {', '.join(missing)}", where=path, expected=", ".join(COLUMNS))
    table = read_columns(path, COLUMNS, may_be_empty=True)
    values, _ = numbers_and_problems(table)
    numbers = pd.DataFrame(values, columns=list(COLUMNS)).dropna().sort_values("time_s")
    kept = numbers[(numbers["width"] > 0) & (numbers["height"] > 0)]
    if kept.empty or len(kept) < len(table) / 2:
        raise DataError(
            f"{len(table) - len(kept)} of {len(table)} rows are no face box",
            where=path,
            expected="numbers, width and height above 0, in most rows",
        )
    return kept
