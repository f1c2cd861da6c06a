"""Frames of a part of a video, read by decord, or by PyAV where decord cannot."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._decord import read_decord
from mtpkd_cli.media._pyav import read_pyav
from mtpkd_cli.media._video_request import Request, Unreadable

_READERS = {"decord": read_decord, "pyav": read_pyav}


@dataclass(frozen=True)
class VideoFrames:
    """Frames in time order.

    Args:
        frames: (T, H, W, 3) uint8 RGB, upright.
        times_s: (T,) float64, seconds from the start of the wanted part.
        native_rate_hz: Mean frame rate that the file names.
        length_s: Length of the whole video.
        reader: Who decoded them, "decord" or "pyav".
    """

    frames: np.ndarray
    times_s: np.ndarray
    native_rate_hz: float
    length_s: float
    reader: str


def iter_frames(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    rate_hz: float | None = None,
    max_side: int | None = None,
    chunk: int = 64,
    reader: Literal["auto", "decord", "pyav"] = "auto",
) -> Iterator[VideoFrames]:
    """Yields the frames of a part of a video, a few at a time, so that its length does not matter for memory.

    The first frame at or after each tick of `rate_hz` is taken, none twice: a video slower than that gives all its
    frames. Where decord stops at a frame it cannot decode, PyAV goes on from there.

    Args:
        path: The video file.
        start_s: Start in seconds from the first frame; None = 0.
        end_s: End in the same time, exclusive; None = to the last frame.
        rate_hz: Frames per second; None = every frame.
        max_side: Longest side in pixels, sampled down while decoding; None = as stored.
        chunk: Most frames at a time, >= 1.
        reader: "auto" tries decord, then PyAV.

    Yields:
        At least one `VideoFrames` with at least one frame.

    Raises:
        DataError: The file is missing, empty or not readable by either library, or the part holds no frame.
    """
    _check_file(path)
    request = Request(path, start_s or 0.0, math.inf if end_s is None else end_s, rate_hz, max_side, chunk)
    reasons, n_read = [], 0
    for name in _READERS if reader == "auto" else [reader]:
        try:
            for part in _READERS[name](replace(request, skip=n_read)):
                if not len(part.frames):
                    raise _no_frame(request, part.length_s)
                n_read += len(part.frames)
                times_s = part.times_s - request.start_s
                yield VideoFrames(part.frames, times_s, part.native_rate_hz, part.length_s, name)
            return
        except Unreadable as err:
            reasons.append(f"{name}: {err}")
    raise DataError(
        f"the video cannot be read ({'; '.join(reasons)})",
        where=path,
        expected="a complete video file that decord or PyAV can decode",
        todo="play the file; copy it again or re-encode it, or leave its samples out",
    )


def read_frames(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    rate_hz: float | None = None,
    max_side: int | None = None,
    reader: Literal["auto", "decord", "pyav"] = "auto",
) -> VideoFrames:
    """Returns all frames of a part of a video at once; arguments and errors as `iter_frames`."""
    parts = list(iter_frames(path, start_s=start_s, end_s=end_s, rate_hz=rate_hz, max_side=max_side, reader=reader))
    frames, times_s = (np.concatenate([getattr(part, name) for part in parts]) for name in ("frames", "times_s"))
    return replace(parts[-1], frames=frames, times_s=times_s)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError("there is no such video file", where=path, todo="check the data folder and the samples table")
    if path.stat().st_size == 0:
        raise DataError("the video file is empty (0 bytes)", where=path, todo="copy it again")


def _no_frame(request: Request, length_s: float) -> DataError:
    return DataError(
        f"the part from {request.start_s:g} s to {request.end_s:g} s holds no frame",
        where=request.path,
        expected=f"a part within the video, which lasts {length_s:.3f} s",
        todo="correct start_s and end_s of the sample",
    )
