"""Which frames of a video are shown, when, and how to come to each of them by PyAV: exact, whatever the container.

Every packet is decoded under its number in place of its time stamp, so that each frame says which packet it came from;
what the container says of time only places it. Decoding begins at a key packet before the wanted frame; where a frame
that should come does not (the refresh of an intra-refresh stream is not complete, a demuxer came elsewhere), it begins
further back, at last from the start.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.media._containers import only_picture, open_container
from mtpkd_cli.media._decord_rule import inexact
from mtpkd_cli.media._mp4 import mp4_packets
from mtpkd_cli.media._packets import Listing, list_packets
from mtpkd_cli.media._video_request import Unreadable

# Their decoders give no frame before they know all that it needs; others trust the container's word for a key packet.
_RECOVERING = ("h264", "hevc")


@dataclass(frozen=True, eq=False)
class Film:
    """The frames of a video in the order in which they are shown.

    Args:
        path: The file.
        listing: Its packets.
        numbers: (T,) int64, the packet of each frame, beginning with the first that can be decoded.
        times_s: (T,) float64, not decreasing, seconds from the first.
        start_s: When the first is shown, in the file's own time; NaN = it does not say.
        rate_hz: Mean frames per second.
        lost: Frames before the first, which cannot be decoded: the file begins between key frames.
    """

    path: Path
    listing: Listing
    numbers: np.ndarray
    times_s: np.ndarray
    start_s: float
    rate_hz: float
    lost: int

    def entry(self, frame: int, further: int) -> int:
        """The packet to begin at for a frame: the key packet before it, or `further` key packets back; 0 = start."""
        packets, number = self.listing.packets, self.numbers[frame]
        keys = np.flatnonzero(packets.key[: number + 1])
        if not self.listing.counted:
            keys = keys[packets.stamps_s[keys] <= packets.stamps_s[number]]
        return int(keys[-1 - further]) if further < len(keys) else 0


class Elsewhere(Exception):
    """The demuxer came to another place than it was asked for."""


def film_of(path: Path) -> Film:
    """Lists the frames of a video; the last few files are remembered.

    Raises:
        Unreadable: There is no frame in it that can be decoded, or its time stamps cannot be true.
        av.FFmpegError, ValueError, RuntimeError: As PyAV does.
    """
    state = path.stat()
    return _film(path.absolute(), (state.st_mtime_ns, state.st_size))


def first_frame_s(path: Path) -> float | None:
    """When a video shows its first frame, seconds in the file's own time; None where it cannot be read.

    This is the beginning from which pictures and sound of a file are counted.
    """
    import av

    try:
        table = mp4_packets(path)
        start_s = table.stamps_s.min() if table is not None and not inexact(table) else film_of(path).start_s
    except (Unreadable, av.FFmpegError, ValueError, RuntimeError):
        return None
    return float(start_s) if np.isfinite(start_s) else None


@lru_cache(maxsize=4)
def _film(path: Path, _state: tuple[int, int]) -> Film:
    listing = list_packets(path)
    if listing.counted:
        numbers = np.array([number for number, _ in pictures(path, listing, 0)], np.int64)
        if not len(numbers):
            raise Unreadable("no frame can be decoded")
        times_s, lost = _counted_times(listing, len(numbers)), 0
        stamp_s = listing.packets.stamps_s[numbers[0]]
        start_s = listing.decoding_s[0] if listing.packets.container == "avi" or np.isnan(stamp_s) else stamp_s
    else:
        numbers = np.flatnonzero(listing.packets.shown)
        stamps_s = listing.packets.stamps_s[numbers]
        order = np.argsort(stamps_s, kind="stable")
        numbers, stamps_s = numbers[order], stamps_s[order]
        first = next((n for n, frame in pictures(path, listing, 0) if not frame.is_corrupt), None)
        if first is None:
            raise Unreadable("no frame can be decoded")
        lost = int(np.flatnonzero(numbers == first)[0])
        numbers, times_s, start_s = numbers[lost:], stamps_s[lost:] - stamps_s[lost], stamps_s[lost]
    span_s = float(times_s[-1])
    rate = (len(times_s) - 1) / span_s if span_s > 0 else listing.rate_hz
    return Film(path, listing, numbers, times_s, float(start_s), rate, lost)


def _counted_times(listing: Listing, n_frames: int) -> np.ndarray:
    """Times of frames that the container only counts, in the order in which the decoder gives them."""
    stored_s = listing.decoding_s
    # An AVI leaves out the frames that were dropped, and counts them.
    if listing.packets.container == "avi" and np.isfinite(stored_s).all() and len(stored_s) >= n_frames:
        ordered = np.sort(stored_s)[:n_frames]
        return ordered - ordered[0]
    if not listing.rate_hz > 0:
        raise Unreadable("it states neither time stamps nor a frame rate")
    return np.arange(n_frames) / listing.rate_hz


def pictures(path: Path, listing: Listing, entry: int) -> Iterator[tuple[int, Any]]:
    """Decodes from a packet on; yields the number of each frame's packet and the frame, in the order of showing.

    Raises:
        Elsewhere: The packet was not reached.
        av.FFmpegError, ValueError, RuntimeError: As PyAV does; a packet that cannot be decoded gives no frame.
    """
    import av

    with open_container(path) as container:
        stream = only_picture(container)
        stream.codec_context.thread_count = 1
        codec, begun = stream.codec_context.codec.canonical_name, False
        for number, packet in _packets_from(container, stream, listing, entry):
            packet.pts = number
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if entry and not begun and not (frame.key_frame or codec in _RECOVERING):
                    raise Elsewhere
                begun = True
                yield frame.pts, frame
        for frame in stream.codec_context.decode(None):
            yield frame.pts, frame


def _packets_from(container: Any, stream: Any, listing: Listing, entry: int) -> Iterator[tuple[int, Any]]:
    if entry and listing.by_bytes:
        container.seek(int(listing.seek_to[entry]), unsupported_byte_offset=True)
    elif entry:
        container.seek(int(listing.seek_to[entry]), stream=stream, backward=True)
    number = None if entry else 0
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if number is None:
            number = listing.number_of(packet)
            if number is None:
                continue
            if number > entry:
                raise Elsewhere
        if number >= len(listing.sizes) or listing.sizes[number] != packet.size:
            raise Elsewhere
        if number >= entry:
            yield number, packet
        number += 1
    if number is None:
        raise Elsewhere
