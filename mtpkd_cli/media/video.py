"""Frames of a part of a video, read by decord where it is exact, else by PyAV; a folder of images serves as well."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._decord import read_decord
from mtpkd_cli.media._images import read_images
from mtpkd_cli.media._pyav import read_pyav
from mtpkd_cli.media._video_request import Request, Unreadable
from mtpkd_cli.media.damage import change_of
from mtpkd_cli.media.reader_names import note_reader

_READERS = {"decord": read_decord, "pyav": read_pyav}


@dataclass(frozen=True)
class VideoFrames:
    """Frames in time order.

    Args:
        frames: (T, H, W, 3) uint8 RGB, upright; not to be written to.
        times_s: (T,) float64, seconds from the start of the wanted part.
        native_rate_hz: Mean frame rate of the whole video.
        length_s: Length of the whole video.
        reader: Who decoded them, "decord", "pyav" or "images".
        missing: Frames of the wanted part, up to these, that the file lists and that cannot be decoded.
    """

    frames: np.ndarray
    times_s: np.ndarray
    native_rate_hz: float
    length_s: float
    reader: str
    missing: int = 0


def iter_frames(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    rate_hz: float | None = None,
    max_side: int | None = None,
    chunk: int = 64,
    reader: Literal["auto", "decord", "pyav"] = "auto",
    image_rate_hz: float = 25.0,
) -> Iterator[VideoFrames]:
    """Yields the frames of a part of a video, a few at a time, so that its length does not matter for memory.

    The first frame at or after each tick of `rate_hz` is taken, none twice: a video slower than that gives all its
    frames. Where decord stops at a frame it cannot decode, PyAV goes on from there.

    Args:
        path: The video file, or a folder of numbered images.
        start_s: Start in seconds from the first frame, or from image number 1; None = 0.
        end_s: End in the same time, exclusive; None = to the last frame.
        rate_hz: Frames per second; None = every frame.
        max_side: Longest side in pixels, sampled down while decoding; None = as stored.
        chunk: Most frames at a time, >= 1.
        reader: "auto" is decord where it is exact, else PyAV.
        image_rate_hz: Images per second where the path is a folder.

    Yields:
        At least one `VideoFrames` with at least one frame.

    Raises:
        DataError: The file is missing, empty or not readable by either library, an image is damaged or of another size
            than the others, or the part holds no frame.
    """
    _check_file(path)
    stop_s = math.inf if end_s is None else end_s
    request = Request(path, start_s or 0.0, stop_s, rate_hz, max_side, chunk, image_rate_hz=image_rate_hz)
    change = change_of("pictures")
    for part in _read(request, reader):
        if change is None:
            yield part
            continue
        frames, there = change(part.frames)
        if there.any():
            yield replace(part, frames=frames[there], times_s=part.times_s[there])


def _read(request: Request, reader: str) -> Iterator[VideoFrames]:
    path, folder = request.path, request.path.is_dir()
    reasons, n_read = [], 0
    readers = {"images": read_images} if folder else _READERS
    for name in readers if folder or reader == "auto" else [reader]:
        try:
            for part in readers[name](replace(request, skip=n_read)):
                if not len(part.frames):
                    raise _no_frame(request, part.length_s)
                n_read += len(part.frames)
                note_reader(name)
                times_s = part.times_s - request.start_s
                yield VideoFrames(part.frames, times_s, part.native_rate_hz, part.length_s, name, part.missing)
            return
        except Unreadable as err:
            reasons.append(f"{name}: {err}")
    raise DataError(
        f"the video cannot be read ({'; '.join(reasons)})",
        where=path,
        expected="numbered images of one size" if folder else "a complete video file that decord or PyAV can decode",
        todo="look at it; copy it again or re-encode it, or leave its samples out by data.exclude",
    )


def read_frames(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    rate_hz: float | None = None,
    max_side: int | None = None,
    reader: Literal["auto", "decord", "pyav"] = "auto",
    image_rate_hz: float = 25.0,
) -> VideoFrames:
    """Returns all frames of a part of a video at once; `iter_frames` tells of the arguments and errors."""
    chunks = iter_frames(
        path,
        start_s=start_s,
        end_s=end_s,
        rate_hz=rate_hz,
        max_side=max_side,
        reader=reader,
        image_rate_hz=image_rate_hz,
    )
    parts = list(chunks)
    frames, times_s = (np.concatenate([getattr(part, name) for part in parts]) for name in ("frames", "times_s"))
    return replace(parts[-1], frames=frames, times_s=times_s, missing=sum(part.missing for part in parts))


def _check_file(path: Path) -> None:
    if path.is_dir():
        return
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
