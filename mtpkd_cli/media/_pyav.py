"""Reads video with PyAV."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from mtpkd_cli.media._video_request import TOLERANCE_S, Request, Stream, Unreadable, choose, fit, length_s, one_line


def read_pyav(request: Request) -> Iterator[Stream]:
    """Reads with PyAV, turning frames as the file's rotation flag says, which decord does by itself.

    Raises:
        Unreadable: PyAV is not installed or cannot decode a wanted frame.
    """
    try:
        import av
    except ImportError as err:
        raise Unreadable("not installed") from err
    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(request.path)) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise Unreadable("no video stream")
            if stream.codec_context is None:
                raise Unreadable("a codec that FFmpeg does not know")
            stream.codec_context.thread_count = 1
            stamps = _stamps(container, stream)
            times = (stamps - stamps[0]) * float(stream.time_base or 1)
            rate = float(stream.average_rate or 0) or (len(times) - 1) / max(times[-1], TOLERANCE_S)
            wanted = choose(times, request)
            frames = _decode(container, stream, stamps, wanted, request.max_side) if len(wanted) else iter(())
            for first in range(0, max(1, len(wanted)), request.chunk):
                part = list(islice(frames, request.chunk))
                stacked = np.stack(part) if part else np.empty((0, 0, 0, 3), np.uint8)
                yield Stream(stacked, times[wanted[first : first + request.chunk]], rate, length_s(times, rate))
    except (av.FFmpegError, ValueError, RuntimeError) as err:
        raise Unreadable(one_line(err)) from err


def stated_side(path: str) -> int:
    """The longest side in pixels that a video's header states; 0 where it states none."""
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(path) as container:
            stream = container.streams.best("video")
            context: Any = None if stream is None else stream.codec_context
            return 0 if context is None else max(context.width, context.height)
    except (av.FFmpegError, ValueError, RuntimeError):
        return 0


def _stamps(container: Any, stream: Any) -> np.ndarray:
    packets = [p.dts if p.pts is None else p.pts for p in container.demux(stream) if p.size and not p.is_discard]
    stamps = np.unique(np.array([stamp for stamp in packets if stamp is not None], np.int64))
    if not len(stamps):
        raise Unreadable("no frames")
    return stamps


def _decode(
    container: Any, stream: Any, stamps: np.ndarray, wanted: np.ndarray, max_side: int | None
) -> Iterator[np.ndarray]:
    missing = set(stamps[wanted].tolist())
    size: tuple[int, int] | None = None
    for stamp, frame in _stamped(container, stream, stamps, wanted):
        if stamp in missing:
            missing.discard(stamp)
            size = size or fit(frame.width, frame.height, max_side)
            small = frame.reformat(*size, format="rgb24", interpolation="BILINEAR").to_ndarray()
            yield np.rot90(small, round(frame.rotation / 90))
        if not missing:
            return
    raise Unreadable(f"{len(missing)} of {len(wanted)} frames that the file lists could not be decoded")


def _stamped(container: Any, stream: Any, stamps: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[int, Any]]:
    # AVI stores no presentation times: its frames are counted from the first.
    counted = container.format.name == "avi"
    container.seek(int(stamps[0 if counted else wanted[0]]), stream=stream, backward=True)
    for order, frame in enumerate(container.decode(stream)):
        yield int(stamps[min(order, len(stamps) - 1)]) if counted else frame.pts, frame
