"""Label files of Aff-Wild2: `<video>.txt`, a header and one line per frame.

VA_*/{Train_Set,Validation_Set}     header valence,arousal; -5 in either says that the frame does not count
EXPR_*/{Train_Set,Validation_Set}   header of eight names, one integer per frame; -1 says that it does not count
"""

import io
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mtpkd_cli.errors import DataError, first_ten
from mtpkd_cli.media.wide_tables import one_form

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
TARGETS = ("valence", "arousal")
# Folder -> side of the official split. The test set has no public labels, so the validation set is what is tested.
SIDE_OF_SET = {"Train_Set": "train", "Validation_Set": "test"}

_HEADERS = {"VA": TARGETS, "EXPR": EXPRESSIONS}
_IGNORED = {"VA": -5.0, "EXPR": -1.0}


@dataclass(frozen=True)
class VideoLabels:
    """The labels of one video; row i is frame i + 1.

    Args:
        video: Its name, with _left or _right where two people are labelled.
        side: "train" or "test".
        values: (F, 2) float valence and arousal, or (F, 1) float index in `EXPRESSIONS`; NaN = the frame does not
            count.
    """

    video: str
    side: str
    values: np.ndarray


def read_labels(folder: Path, challenge: str) -> list[VideoLabels]:
    """Reads the labels of all videos, sorted by video.

    Args:
        folder: Where VA_... and EXPR_... lie.
        challenge: "VA" or "EXPR".

    Raises:
        DataError: There is no such folder, or files are not as they should be; all of them are reported at once.
    """
    top = _top(folder, challenge)
    videos, problems = [], []
    for name, side in SIDE_OF_SET.items():
        # Copied from Windows, names may have other capital letters.
        files = sorted(path for path in (top / name).glob("*") if path.suffix.casefold() == ".txt")
        if not files:
            problems.append(f"{top / name}: no label file, expected <video>.txt")
        for path in files:
            try:
                stat = path.stat()
                values = _read(path, challenge, stat.st_mtime_ns, stat.st_size)
            except (ValueError, OSError) as err:
                problems.append(f"{top.name}/{name}/{path.name}: {err}")
            else:
                videos.append(VideoLabels(one_form(path.stem), side, values))
    twice = {video for video, count in Counter(entry.video for entry in videos).items() if count > 1}
    problems += [f"{video}: labelled in {' and in '.join(SIDE_OF_SET)}" for video in sorted(twice)]
    if problems:
        raise DataError(
            f"the labels cannot be used\n{first_ten(problems)}",
            where=top,
            expected=f"the header {','.join(_HEADERS[challenge])}, then one line per frame",
            todo="put the corpus's own files back",
        )
    return sorted(videos, key=lambda entry: entry.video)


def _top(folder: Path, challenge: str) -> Path:
    folders = sorted(path for path in folder.glob(f"{challenge}_*") if path.is_dir())
    if len(folders) != 1:
        raise DataError(
            f"{len(folders)} folders of labels are there ({', '.join(path.name for path in folders) or 'none'})",
            where=folder,
            expected=f"one folder {challenge}_..._Challenge with {' and '.join(SIDE_OF_SET)}",
            todo="point data.root to the corpus, or name the folder of the labels in data.options.annotations",
        )
    return folders[0]


@lru_cache(maxsize=2048)
def _read(path: Path, challenge: str, _modified_ns: int, _size: int) -> np.ndarray:
    """Values of one file; read once per process, since `status` asks for samples and for frames."""
    text = path.read_text(encoding="utf-8-sig").replace("\r\n", "\n").rstrip("\n")
    header, _, body = text.partition("\n")
    names = _HEADERS[challenge]
    if [name.strip().casefold() for name in header.split(",")] != [name.casefold() for name in names]:
        raise ValueError(f"the header is '{header[:80]}'")
    lines = body.split("\n") if body else []
    # A line is a frame: one that is skipped would move all frames after it.
    if blank := [i for i, line in enumerate(lines, start=2) if not line.strip()]:
        raise ValueError(f"line {blank[0]} is empty")
    if not lines:
        raise ValueError("there is no frame below the header")
    values = np.loadtxt(io.StringIO(body), delimiter=",", ndmin=2, comments=None)
    if values.shape[1] != (2 if challenge == "VA" else 1):
        raise ValueError(f"a line has {values.shape[1]} values")
    masked = (values == _IGNORED[challenge]).any(axis=1)
    right = np.abs(values) <= 1 if challenge == "VA" else np.isin(values, np.arange(len(EXPRESSIONS)))
    bad = np.flatnonzero(~masked & ~right.all(axis=1))
    if len(bad):
        raise ValueError(f"{len(bad)} lines are no labels, the first line {bad[0] + 2}: '{lines[bad[0]]}'")
    values[masked] = np.nan
    values.setflags(write=False)
    return values
