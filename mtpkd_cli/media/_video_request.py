"""What a video reader is asked for and gives, and the one rule that chooses the frames.

Every reader lists the time stamps of the whole stream first, chooses the wanted frames from that list and decodes
forward through them once. The same request therefore names the same frames whoever reads them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Containers round time stamps, Matroska to the millisecond; decord keeps them in float32.
TOLERANCE_S = 1e-3


class Unreadable(Exception):
    """This reader cannot give the frames; the message is its reason, in one line."""


@dataclass(frozen=True)
class Request:
    """Which frames to read.

    Args:
        path: An existing file or folder of images.
        start_s: First second wanted, from the first frame.
        end_s: End of the part wanted, exclusive; infinity = to the last frame.
        rate_hz: Frames wanted per second; None = all.
        max_side: Longest side of the frames in pixels, smaller frames are not enlarged; None = as stored.
        chunk: Frames decoded at a time.
        skip: Frames at the beginning of the request that the caller has already.
        image_rate_hz: Images per second in a folder of images; a video file names its own rate.
    """

    path: Path
    start_s: float
    end_s: float
    rate_hz: float | None
    max_side: int | None
    chunk: int
    skip: int = 0
    image_rate_hz: float = 25.0


@dataclass(frozen=True)
class Stream:
    """Frames and what is known about their stream.

    Args:
        frames: (T, H, W, 3) uint8 RGB, T = 0 where the part holds no frame.
        times_s: (T,) float64, from the first frame of the file.
        native_rate_hz: Mean frame rate of the whole file.
        length_s: Time of the last frame of the file plus one frame.
        missing: Frames of the part, up to these, that the file lists and that cannot be decoded.
    """

    frames: np.ndarray
    times_s: np.ndarray
    native_rate_hz: float
    length_s: float
    missing: int = 0


def choose(times_s: np.ndarray, request: Request) -> np.ndarray:
    """Returns the indices of the wanted frames: the first one at or after each tick of the wanted rate.

    Args:
        times_s: (N,) increasing time stamps of all frames.
        request: The wanted part and rate.

    Returns:
        (T,) increasing indices; no frame twice, so a slow video gives fewer frames than the rate asks for.
    """
    begin, stop = np.searchsorted(times_s, np.array([request.start_s, request.end_s]) - TOLERANCE_S)
    if request.rate_hz is None or begin >= stop:
        return np.arange(begin, max(begin, stop))[request.skip :]
    # The last tick at or before each frame: a frame is the first one after a tick where this is another than before.
    ticks = np.floor((times_s[begin:stop] - request.start_s + TOLERANCE_S) * request.rate_hz)
    return begin + np.flatnonzero(np.diff(ticks, prepend=-1.0) > 0)[request.skip :]


def fit(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Returns width and height scaled down so that neither is above `max_side` pixels."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def length_s(times_s: np.ndarray, rate_hz: float) -> float:
    """Returns the time of the last frame plus one frame, seconds."""
    return float(times_s[-1] + (1.0 / rate_hz if rate_hz > 0 else 0.0))


def one_line(err: Exception) -> str:
    """Returns the reason of a reader's error as one line."""
    # decord puts the time and the line of its source before the reason, once per thread.
    lines = re.sub(r"\[\d\d:\d\d:\d\d\] \S+: ", "", str(err)).strip().splitlines()
    return lines[0] if lines else type(err).__name__
