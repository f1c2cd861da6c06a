"""Reads video with decord."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.media._mp4 import mp4_side
from mtpkd_cli.media._pyav import stated_side
from mtpkd_cli.media._video_request import Request, Stream, Unreadable, choose, fit, length_s, one_line


def read_decord(request: Request) -> Iterator[Stream]:
    """Reads with decord.

    Raises:
        Unreadable: decord is not installed or cannot decode a wanted frame.
    """
    try:
        from decord._ffi.base import DECORDError
    except ImportError as err:
        raise Unreadable("not installed") from err
    state = request.path.stat()
    try:
        reader = _open_decord(str(request.path), (state.st_mtime_ns, state.st_size), request.max_side)
        times = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        times -= times[0]
        # H.264 in AVI, for one: decord then gives 0 for every frame.
        if not np.all(np.diff(times) > 0):
            raise Unreadable("the time stamps do not increase")
        rate = float(reader.get_avg_fps())
        wanted = choose(times, request)
        for first in range(0, max(1, len(wanted)), request.chunk):
            part = wanted[first : first + request.chunk]
            frames = _without_copy(reader.get_batch(part.tolist())) if len(part) else np.empty((0, 0, 0, 3), np.uint8)
            yield Stream(frames, times[part], rate, length_s(times, rate))
    except (DECORDError, RuntimeError, IndexError) as err:
        _open_decord.cache_clear()
        raise Unreadable(one_line(err)) from err


@lru_cache(maxsize=1)
def _open_decord(path: str, _state: tuple[int, int], max_side: int | None) -> Any:
    # Opening lists every packet of the file. The samples of a long recording follow one another, so the last reader
    # is kept; the file's time and size are in the key so that a replaced file is opened anew.
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # A frame that cannot be decoded must be an error, not a copy of its neighbour.
    options = {"ctx": decord.cpu(0), "num_threads": 1, "fault_tol": 1e-9}
    with _no_stderr():
        reader = decord.VideoReader(path, **options)
    if len(reader) == 0:
        raise RuntimeError("no frames")
    # decord knows no size before it has decoded a frame, which it then decodes again; the file's header states it.
    if max_side is not None and not 0 < (mp4_side(Path(path)) or stated_side(path)) <= max_side:
        height, width = reader[0].shape[:2]
        if max(height, width) > max_side:
            width, height = fit(width, height, max_side)
            reader = decord.VideoReader(path, width=width, height=height, **options)
    return reader


@dataclass(frozen=True)
class _Loan:
    """What decord holds, as NumPy's `from_dlpack` wants it."""

    array: Any

    def __dlpack__(self, **_wishes: Any) -> Any:
        return self.array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the processor's memory


def _without_copy(array: Any) -> np.ndarray:
    # decord's `asnumpy` copies, which for frames of 640 x 480 costs a twentieth of decoding them.
    frames: np.ndarray = np.from_dlpack(_Loan(array))
    return frames


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    # decord writes "ERROR opening" straight to the file descriptor, whatever its log level; the reason of a failure
    # reaches the user through the error message.
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
