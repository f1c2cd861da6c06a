"""Whether frames that are sought are those that a decode from the start gives at the same times."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._film import Film, film_of, pictures
from mtpkd_cli.media._video_request import Unreadable, one_line
from mtpkd_cli.media.video import read_frames

# As much of a file as is decoded from the start, seconds; where in that frames are sought.
MOST_S, _PLACES = 8.0, (0.2, 0.45, 0.7, 0.95)
# Two libraries turn a picture into colours a little differently: mean difference in levels of 255.
_SAME_LEVELS = 0.5
_BLOCKS = 16


@dataclass(frozen=True)
class SoughtFrames:
    """What seeking gave.

    Args:
        frames: How many frames were sought.
        reader: Who read them.
        off_s: The largest difference between the time of the picture and that of the frame, seconds; 0 = all are right.
    """

    frames: int
    reader: str
    off_s: float


def seek_frames(path: Path) -> SoughtFrames:
    """Seeks a few frames and looks for them in a decode from the start.

    Raises:
        DataError: The file cannot be read.
    """
    import av

    try:
        return _compare(path, film_of(path))
    except (Unreadable, av.FFmpegError, ValueError, RuntimeError) as err:
        raise DataError(f"frames cannot be sought: {one_line(err)}", where=path) from err


def _compare(path: Path, film: Film) -> SoughtFrames:
    part_s = min(MOST_S, float(film.times_s[-1]))
    time_of = dict(zip(film.numbers.tolist(), film.times_s.tolist(), strict=True))
    times_s, looks = [], []
    for number, frame in pictures(path, film.listing, 0):
        if number in time_of:
            times_s.append(time_of[number])
            looks.append(_look(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))))
            if times_s[-1] > part_s:
                break
    stamps_s, grid = np.array(times_s), np.array(looks)
    off_s, reader = 0.0, ""
    for place in _PLACES:
        at = int(place * (len(stamps_s) - 1))
        sought = read_frames(path, start_s=float(stamps_s[at]), end_s=float(stamps_s[at]) + 0.5, rate_hz=2.0)
        away = np.abs(grid - _look(sought.frames[0])).mean(axis=1)
        time_s, best = float(stamps_s[at] + sought.times_s[0]), int(away.argmin())
        if away[np.abs(stamps_s - time_s).argmin()] > away[best] + _SAME_LEVELS:
            off_s = max(off_s, float(stamps_s[best] - time_s), key=abs)
        reader = sought.reader
    return SoughtFrames(len(_PLACES), reader, off_s)


def _look(frame: np.ndarray) -> np.ndarray:
    """The mean colours of a frame's blocks, (768,) float32 or fewer."""
    rows, columns = (np.unique(np.linspace(0, size, _BLOCKS + 1).astype(int)) for size in frame.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(frame.astype(np.float32), rows[:-1], axis=0), columns[:-1], axis=1)
    return (sums / (np.diff(rows)[:, None] * np.diff(columns))[..., None]).ravel()
