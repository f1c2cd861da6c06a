"""Reads video with decord."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.media._decord_rule import exact_stamps
from mtpkd_cli.media._mp4 import mp4_side
from mtpkd_cli.media._pyav import stated_side
from mtpkd_cli.media._video_request import Request, Stream, Unreadable, choose, fit, length_s, one_line

# decord keeps its time stamps in float32.
_ROUNDING_S, _FLOAT32 = 2e-3, 1e-6


def read_decord(request: Request) -> Iterator[Stream]:
    """Reads with decord where it is exact.

    Raises:
        Unreadable: decord is not installed, would not be exact, or cannot decode a wanted frame.
    """
    try:
        from decord._ffi.base import DECORDError, DECORDLimitReachedError
    except ImportError as err:
        raise Unreadable("not installed") from err
    state = request.path.stat()
    try:
        stamps = exact_stamps(request.path)
        reader = _open_decord(request.path.absolute(), (state.st_mtime_ns, state.st_size), request.max_side)
        times = stamps - stamps[0]
        _compare(reader, times)
        rate = (len(times) - 1) / float(times[-1]) if len(times) > 1 else float(reader.get_avg_fps())
        wanted = choose(times, request)
        for first in range(0, max(1, len(wanted)), request.chunk):
            part = wanted[first : first + request.chunk]
            frames = _without_copy(reader.get_batch(part.tolist())) if len(part) else np.empty((0, 0, 0, 3), np.uint8)
            yield Stream(frames, times[part], rate, length_s(times, rate))
    except (DECORDError, DECORDLimitReachedError, RuntimeError, ValueError, IndexError, OSError) as err:
        _open_decord.cache_clear()
        raise Unreadable(one_line(err)) from err


def _compare(reader: Any, times_s: np.ndarray) -> None:
    """Takes decord's list of the frames beside that of the file, which is the one that is believed."""
    if len(reader) != len(times_s):
        raise Unreadable(f"it lists {len(reader)} frames of {len(times_s)}")
    listed = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
    if not np.abs(listed - listed[0] - times_s).max() < _ROUNDING_S + _FLOAT32 * listed[-1]:
        raise Unreadable("its time stamps are not those of the file")


@lru_cache(maxsize=1)
def _open_decord(path: Path, _state: tuple[int, int], max_side: int | None) -> Any:
    # Opening lists every packet of the file. The samples of a long recording follow one another, so the last reader
    # is kept; the file's time and size are in the key so that a replaced file is opened anew.
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    # A frame that cannot be decoded must be an error, not a copy of its neighbour.
    options = {"ctx": decord.cpu(0), "num_threads": 1, "fault_tol": 1e-9}
    with _no_stderr():
        reader = decord.VideoReader(str(path), **options)
    if len(reader) == 0:
        raise RuntimeError("no frames")
    # decord knows no size before it has decoded a frame, which it then decodes again; the file's header states it.
    if max_side is not None and not 0 < (mp4_side(path) or stated_side(path)) <= max_side:
        height, width = reader[0].shape[:2]
        if max(height, width) > max_side:
            width, height = fit(width, height, max_side)
            reader = decord.VideoReader(str(path), width=width, height=height, **options)
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
