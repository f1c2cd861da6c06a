"""Opening a media file with FFmpeg, through PyAV, so that its name is a file's name whatever it looks like."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def whole_path(path: Path) -> str:
    """The absolute path: FFmpeg takes "10:15.mp4" for the protocol "10", and "/data/10:15.mp4" for a file."""
    return str(path.absolute())


@contextlib.contextmanager
def open_container(path: Path, options: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Opens a file as PyAV's input container, with options of its demuxer.

    Raises:
        av.FFmpegError, ValueError, RuntimeError: As PyAV does.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    # Titles and comments are not read; one in another encoding must not make the file unreadable.
    with av.open(whole_path(path), options=dict(options or {}), metadata_errors="ignore") as container:
        yield container


def moving_picture(container: Any) -> Any:
    """The stream of pictures, which the cover of a record is not; None where there is none."""
    from av.stream import Disposition

    stream = only_picture(container)
    return None if stream is None or stream.disposition & Disposition.attached_pic else stream


def only_picture(container: Any) -> Any:
    """The stream of pictures that FFmpeg would play; None where there is none."""
    return container.streams.best("video")
