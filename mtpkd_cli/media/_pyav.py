"""Reads video with PyAV."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.media._containers import only_picture, open_container
from mtpkd_cli.media._film import Elsewhere, Film, film_of, pictures
from mtpkd_cli.media._video_request import Request, Stream, Unreadable, choose, fit, length_s, one_line

# Stamps are compared within one list; this is for the rounding of their differences.
_SAME_S = 1e-6


def read_pyav(request: Request) -> Iterator[Stream]:
    """Reads with PyAV, turning frames as the file's rotation flag says, which decord does by itself.

    Raises:
        Unreadable: PyAV is not installed or cannot decode a wanted frame.
    """
    try:
        import av
    except ImportError as err:
        raise Unreadable("not installed") from err
    try:
        film = film_of(request.path)
        wanted = choose(film.times_s, request)
        decoder = _Decoder(film, wanted, request)
        frames, length = decoder.frames(), length_s(film.times_s, film.rate_hz)
        for first in range(0, max(1, len(wanted)), request.chunk):
            part = list(islice(frames, request.chunk))
            if part or not first:
                stacked = np.stack([image for _, image in part]) if part else np.empty((0, 0, 0, 3), np.uint8)
                times_s = np.array([time_s for time_s, _ in part])
                yield Stream(stacked, times_s, film.rate_hz, length, decoder.take_missing())
    except (av.FFmpegError, ValueError, RuntimeError) as err:
        raise Unreadable(one_line(err)) from err


class _Decoder:
    """Decodes the wanted frames of a film, in order.

    A frame that is listed and cannot be decoded, from the very start, gives its place to the next one that can; it is
    counted. Where the file ends before a wanted frame it is not whole.
    """

    def __init__(self, film: Film, wanted: np.ndarray, request: Request) -> None:
        self._film, self._wanted, self._request = film, wanted, request
        # When each packet's frame is shown; infinity = before the first, or never.
        self._time_of = np.full(len(film.listing.sizes), -np.inf)
        self._time_of[film.numbers] = film.times_s
        self._place, self._missing = 0, film.lost if request.start_s <= 0 and not request.skip else 0

    def take_missing(self) -> int:
        """How many frames were missing since it was last asked."""
        missing, self._missing = self._missing, 0
        return missing

    def frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """Yields seconds from the first frame, and (H, W, 3) uint8."""
        further, entry = 0, -1
        size: tuple[int, int] | None = None
        while self._place < len(self._wanted) and entry:
            entry = self._film.entry(int(self._wanted[self._place]), further)
            for time_s, frame in self._from(entry):
                size = size or fit(frame.width, frame.height, self._request.max_side)
                small = frame.reformat(*size, format="rgb24", interpolation="BILINEAR").to_ndarray()
                yield time_s, np.rot90(small, round(frame.rotation / 90))
            further = 2 * further + 1
        if left := len(self._wanted) - self._place:
            raise Unreadable(f"{left} of {len(self._wanted)} frames that the file lists could not be decoded")

    def _from(self, entry: int) -> Iterator[tuple[float, Any]]:
        """Yields wanted frames until one that should come does not: then the place is that one's."""
        due_s = self._film.times_s[self._wanted]
        try:
            for number, frame in pictures(self._film.path, self._film.listing, entry):
                time_s = float(self._time_of[number])
                if time_s < due_s[self._place] - _SAME_S:
                    continue
                late = int(np.searchsorted(due_s, time_s - _SAME_S)) - self._place
                if entry and (late or frame.is_corrupt):
                    return
                self._missing += late
                self._place += late
                is_due = self._place < len(due_s) and bool(time_s >= due_s[self._place] - _SAME_S)
                if is_due or (late and time_s < self._request.end_s):
                    self._place += is_due
                    yield time_s, frame
                if self._place == len(due_s):
                    return
        except Elsewhere:
            return


def stated_side(path: Path) -> int:
    """The longest side in pixels that a video's header states; 0 where it states none."""
    import av

    try:
        with open_container(path) as container:
            stream = only_picture(container)
            context: Any = None if stream is None else stream.codec_context
            return 0 if context is None else max(context.width, context.height)
    except (av.FFmpegError, ValueError, RuntimeError):
        return 0
