"""The packets of a video: their time stamps, key frames and places in the file, without decoding anything.

A reader that is asked for a moment has to know which packets it must decode for it. Containers tell this well or
badly: an AVI counts its frames in the order of decoding, an MPEG programme stream stamps some of them, an edit list of
an mp4 leaves packets out, a cut made without decoding begins with packets that nothing can be made of.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.media._containers import only_picture, open_container
from mtpkd_cli.media._pictures_in_packets import PacketLooker
from mtpkd_cli.media._video_request import Unreadable

# No recording pauses for a day, or shows less than a picture a minute: stamps that say so are broken.
MOST_GAP_S, _USUAL_GAP_S = 86_400.0, 60.0
# Key frames are in the order of their stamps, but for rounding.
_BACK_S = 1.0
# As far as this may counted frames be from their stamps.
_COUNTED_OFF_S = 0.5
# Demuxers that find a place by bytes alone: a time leads them to any packet, or past it.
_BY_BYTES = ("mpegts", "mpeg")
# AVI stores no times of presentation; FFmpeg states wrong ones for these.
_UNTIMED_IN_AVI = ("h264", "hevc", "av1")


@dataclass(frozen=True, eq=False)
class Packets:
    """The packets of the picture stream in the order of decoding.

    Args:
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the codec.
        stamps_s: (N,) float64, when each is presented, in the file's own time; NaN = not stated.
        key: (N,) bool, where decoding can begin, as the container says.
        shown: (N,) bool; false = an edit list leaves it out.
        clean: Whether, as far as their first bytes say, a key packet needs nothing before it and each packet gives one
            picture.
        pictures: Number of picture streams in the file.
    """

    container: str
    codec: str
    stamps_s: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    clean: bool
    pictures: int = 1

    @property
    def closed(self) -> bool:
        """Whether what is decoded before a key packet is presented before it, and what is decoded after, after it."""
        latest = np.concatenate([[-np.inf], np.maximum.accumulate(self.stamps_s)[:-1]])
        earliest = np.minimum.accumulate(self.stamps_s[::-1])[::-1]
        own = self.stamps_s[self.key]
        return bool(self.key[0] and (latest[self.key] < own).all() and (earliest[self.key] == own).all())


@dataclass(frozen=True, eq=False)
class Listing:
    """Packets and where they lie.

    Args:
        packets: The packets.
        counted: Whether their stamps are no times of presentation: only the decoder knows their order.
        decoding_s: (N,) float64, when each is decoded; NaN = not stated.
        rate_hz: Frames per second that the file names; 0 = it names none.
        seek_to: (N,) int64, what the demuxer is asked for to come to each packet: bytes, or units of the stream's time.
        by_bytes: Which of them.
        sizes: (N,) int64, bytes.
        numbers: What is seen of a packet -> its number; those that cannot be told apart are left out.
    """

    packets: Packets
    counted: bool
    decoding_s: np.ndarray
    rate_hz: float
    seek_to: np.ndarray
    by_bytes: bool
    sizes: np.ndarray
    numbers: dict[tuple[int, ...], int]

    def number_of(self, packet: Any) -> int | None:
        """The number of a packet that the demuxer gave after a search; None where it is not told apart."""
        return self.numbers.get(_mark(packet, self.by_bytes))


def list_packets(path: Path) -> Listing:
    """Lists the packets of a video; the last few files are remembered.

    Raises:
        Unreadable: There is no picture in it, or its time stamps cannot be true.
        av.FFmpegError, ValueError, RuntimeError: As PyAV does.
    """
    state = path.stat()
    return _listing(path.absolute(), (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=4)
def _listing(path: Path, _state: tuple[int, int]) -> Listing:
    with open_container(path) as container:
        stream = only_picture(container)
        if stream is None:
            raise Unreadable("no video stream")
        if stream.codec_context is None:
            raise Unreadable("a codec that FFmpeg does not know")
        return _demux(container, stream)


def _demux(container: Any, stream: Any) -> Listing:
    form, codec = container.format.name, stream.codec_context.codec.canonical_name
    looker, by_bytes = PacketLooker(codec, bytes(stream.codec_context.extradata or b"")), form in _BY_BYTES
    rows, marks = [], []
    for packet in container.demux(stream):
        if packet.size:
            looker.see(packet)
            marks.append(_mark(packet, by_bytes))
            rows.append((packet.pts, packet.dts, packet.is_keyframe, packet.is_discard, packet.pos, packet.size))
    if not rows:
        raise Unreadable("no frames")
    pts, dts, key, left_out, places, sizes = zip(*rows, strict=True)
    unit, rate = float(stream.time_base or 1), float(stream.average_rate or stream.base_rate or 0)
    stamps_s, decoding_s = _seconds(pts, unit), _seconds(dts, unit)
    if form == "mpeg" and looker.places is not None:
        stamps_s = _count(looker.places, stamps_s, rate)
        counted = False
    else:
        counted = bool(np.isnan(stamps_s).any()) or form == "mpeg" or (form == "avi" and _untimed(codec, pts, dts))
    shown = ~np.array(left_out, bool)
    packets = Packets(form, codec, stamps_s, np.array(key, bool), shown, looker.clean, len(container.streams.video))
    if 0 < rate < 1 / _USUAL_GAP_S:
        raise Unreadable(f"its time stamps cannot be true: they state a frame every {1 / rate:.3g} s")
    _check(packets, np.where(np.isnan(stamps_s), decoding_s, stamps_s))
    where = (
        _byte_before(places) if by_bytes else _filled([p if d is None else d for p, d in zip(pts, dts, strict=True)])
    )
    often = Counter(marks)
    numbers = {mark: i for i, mark in enumerate(marks) if mark is not None and often[mark] == 1}
    return Listing(packets, counted, decoding_s, rate, where, by_bytes, np.array(sizes, np.int64), numbers)


def _mark(packet: Any, by_bytes: bool) -> Any:
    """What tells a packet from all others; after a jump to a byte its times are no longer what they were."""
    if packet.pos is None:
        return None
    return (packet.pos, packet.size) if by_bytes else (packet.pos, packet.size, packet.dts)


def _seconds(units: tuple[int | None, ...], unit_s: float) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in units], np.float64) * unit_s


def _filled(units: list[int | None]) -> np.ndarray:
    """Where each packet is sought by time: at its own, or, where it has none, at the last one before that has."""
    filled, last = [], 0
    for unit in units:
        last = last if unit is None else unit
        filled.append(last)
    return np.array(filled, np.int64)


def _byte_before(places: tuple[int | None, ...]) -> np.ndarray:
    """Where each packet is sought by bytes: a place early, as the first one after a jump may be half a picture."""
    before, earlier, last = [], 0, 0
    for place in places:
        if place is not None:
            earlier, last = last, place
        before.append(earlier)
    return np.array(before, np.int64)


def _untimed(codec: str, pts: tuple[int | None, ...], dts: tuple[int | None, ...]) -> bool:
    return codec in _UNTIMED_IN_AVI or pts != dts


def _count(places: np.ndarray, stamps_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Times of frames of one duration, whose places are known and of which the container stamps some."""
    known = np.flatnonzero(~np.isnan(stamps_s))
    if not len(known) or not rate_hz > 0:
        raise Unreadable("it has no time stamps")
    times_s = stamps_s[known[0]] + (places - places[known[0]]) / rate_hz
    off = np.abs(times_s - stamps_s)[known]
    if off.max() > _COUNTED_OFF_S:
        at_s = times_s[known[off.argmax()]] - times_s.min()
        raise Unreadable(f"its time stamps jump: after {at_s:.2f} s they are off by {off.max():.3g} s")
    return times_s


def _check(packets: Packets, stamps_s: np.ndarray) -> None:
    """Refuses time stamps that cannot be true."""
    known = np.sort(stamps_s[~np.isnan(stamps_s)])
    gaps = np.diff(known, prepend=known[:1])
    if len(known) > 1 and (gaps.max() > MOST_GAP_S or np.median(gaps[1:]) > _USUAL_GAP_S):
        frame = int(gaps.argmax())
        raise Unreadable(
            f"its time stamps cannot be true: frame {frame + 1} of {len(stamps_s)} comes {gaps.max():.3g} s after the "
            "one before"
        )
    keys = stamps_s[packets.key & packets.shown & ~np.isnan(stamps_s)]
    if len(keys) > 1 and (back := np.diff(keys)).min() < -_BACK_S:
        at_s = keys[int(back.argmin())] - keys[0]
        raise Unreadable(
            f"its time stamps go back by {-back.min():.2f} s after {at_s:.2f} s, as in files that were joined"
        )
