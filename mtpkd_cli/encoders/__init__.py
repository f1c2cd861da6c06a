"""Encoders: one file each, a media segment -> (T, D) features and their times.

Legend: T time steps, D features. An encoder file has

    VERSION   int; raised when the same input would give other numbers, so that caches of older versions are stale
    Config    its options, a `mtpkd_cli.config.Options`; units in the names
    encode    (Segment, Config) -> Features

Encoder files are imported to read their options, so they import librosa, decord, av, cv2, neurokit2 and torch inside
their functions only.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Segment:
    """The part of a media file that one sample covers.

    Args:
        path: The media file.
        start_s: Start in the file's own time, seconds from its first frame or row; None = its beginning.
        end_s: End in the same time; None = its end.
    """

    path: Path
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Features:
    """What an encoder says about a segment.

    Args:
        values: (T, D) float32, finite, T >= 1.
        times_s: (T,) float64, centres of the steps in seconds from the segment's start, strictly increasing.
        names: D names of the columns.
        notes: Counts worth telling the user, e.g. {"steps_without_face": 3}; summed over samples and shown.
    """

    values: np.ndarray
    times_s: np.ndarray
    names: tuple[str, ...]
    notes: dict[str, float] = field(default_factory=dict)
