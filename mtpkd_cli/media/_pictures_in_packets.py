"""What the first bytes of a packet say of its picture: whether it can begin, whether it is shown, and in which order.

Source: ISO/IEC 14496-10, 7.3.1 (NAL units), RFC 6386, 9.1 (VP8 frame tag), the VP9 bitstream specification, 6.2
(uncompressed header) and annex B (superframes), ISO/IEC 13818-2, 6.2.3 (picture header).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

_IDR, _SLICES = 5, range(1, 6)
_START_CODE, _PICTURE, _GROUP = b"\0\0\1", b"\0\0\1\0", b"\0\0\1\xb8"
# Parameter sets and encoders' remarks come before the first slice; a long remark of x264 has 700 bytes.
_HEAD_BYTES = 1 << 16


class PacketLooker:
    """Looks at the packets of a stream one after the other.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: The codec's own header, as the container holds it.
    """

    def __init__(self, codec: str, extradata: bytes) -> None:
        self.codec = codec
        self.clean = True
        self._length_size = length_size(extradata)
        self._orders: list[tuple[int, int]] = []

    def see(self, packet: Any) -> None:
        """Takes the next packet in the order of decoding, with its content."""
        if self.codec == "h264" and packet.is_keyframe:
            self.clean &= begins_anew(bytes(memoryview(packet)[:_HEAD_BYTES]), self._length_size)
        elif self.codec == "vp8":
            self.clean &= bool(memoryview(packet)[0] & 0x10)
        elif self.codec == "vp9":
            self.clean &= _shown_in_vp9(memoryview(packet)) == 1
        elif self.codec in ("mpeg1video", "mpeg2video"):
            self._order(bytes(memoryview(packet)[:_HEAD_BYTES]), bool(packet.is_keyframe))

    def _order(self, head: bytes, key: bool) -> None:
        start = head.find(_PICTURE)
        if start < 0 or start + 6 > len(head):
            self.clean = False
            return
        group, last = self._orders[-1] if self._orders else (0, -1)
        order = int.from_bytes(head[start + 4 : start + 6], "big") >> 6
        self._orders.append((group + (0 <= head.find(_GROUP) < start or (key and order < last)), order))

    @property
    def places(self) -> np.ndarray | None:
        """(N,) int64, which frame of the film each packet is, missing ones counted; None where they do not say."""
        if not self._orders or not self.clean:
            return None
        groups, orders = np.array(self._orders).T
        lengths = np.zeros(groups[-1] + 1, np.int64)
        np.maximum.at(lengths, groups, orders + 1)
        return (np.cumsum(lengths) - lengths)[groups] + orders


def length_size(extradata: bytes) -> int:
    """Bytes of the length before each NAL unit, of an `avcC` header; 0 = start codes separate them."""
    return (extradata[4] & 3) + 1 if len(extradata) > 4 and extradata[0] == 1 else 0


def begins_anew(head: bytes, length_size: int) -> bool:
    """Whether the first slice of an H.264 packet is of an IDR picture, after which nothing before is needed.

    A key packet of another kind (a recovery point, an open group) needs packets before it, or shows late.
    """
    kinds = _lengths(head, length_size) if length_size else _start_codes(head)
    return next((kind == _IDR for kind in kinds if kind in _SLICES), False)


def _lengths(head: bytes, size: int) -> Iterator[int]:
    place = 0
    while place + size < len(head):
        yield head[place + size] & 0x1F
        place += size + int.from_bytes(head[place : place + size], "big")


def _start_codes(head: bytes) -> Iterator[int]:
    place = head.find(_START_CODE)
    while 0 <= place < len(head) - 3:
        yield head[place + 3] & 0x1F
        place = head.find(_START_CODE, place + 3)


def _shown_in_vp9(data: memoryview) -> int:
    """How many frames of a packet are shown."""
    frames, last = [data], data[-1]
    count, size = (last & 7) + 1, ((last >> 3) & 3) + 1
    index = 2 + count * size
    if last & 0xE0 == 0xC0 and len(data) > index and data[-index] == last:
        sizes = [int.from_bytes(data[len(data) - index + 1 + i * size :][:size], "little") for i in range(count)]
        frames = [data[start:] for start in (0, *np.cumsum(sizes[:-1]).tolist())]
    return sum(_vp9_shows(frame[0]) for frame in frames if len(frame))


def _vp9_shows(first: int) -> bool:
    # Two bits of marker, two of the profile (profile 3 has one more), show_existing_frame, frame_type, show_frame.
    if first & 0x30 == 0x30:
        first = (first << 1) & 0xFF
    return bool(first & 0x08 or first & 0x02)
