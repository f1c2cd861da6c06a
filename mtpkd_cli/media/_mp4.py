"""What the tables of an MP4 or QuickTime file say of its pictures, read from its header alone.

A library reads the whole file, or decodes a frame, to say the same: for a clip of some seconds the header costs a
thousandth of a second. Where it says something unusual (fragments, several edits, another codec than H.264) nothing is
answered, and who asks looks at the packets.

Source: ISO/IEC 14496-12 (boxes, sample tables, edit lists) and 14496-15 (`avc1`, `avcC`).
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mtpkd_cli.media._packets import Packets
from mtpkd_cli.media._pictures_in_packets import begins_anew, length_size

_BOX = struct.Struct(">I4s")
_ENTRY = re.compile(rb"(?:avc1|avc3|hvc1|hev1)\0{6}.{18}(.{4})", re.DOTALL)
_VIDEO, _MOST_BYTES = b"vide", 1 << 26
_ORDINARY = 0x10000  # the rate of an edit that neither stretches nor holds, 16.16 fixed point
# What is read of a key frame to see its first slice; parameter sets and an encoder's remark come before it.
_HEAD_BYTES = 2048


def mp4_side(path: Path) -> int:
    """The longest side in pixels of the only video track; 0 where the file is of another kind or tells it elsewhere.

    Raises:
        OSError: The file cannot be read.
    """
    header = _moov(path)
    entries = _ENTRY.findall(header)
    if len(entries) != 1 or header.count(_VIDEO) != 1:
        return 0
    return max(struct.unpack(">HH", entries[0]))


def mp4_packets(path: Path) -> Packets | None:
    """The packets of the only video track, where it is H.264 without anything unusual; None = not known.

    Raises:
        OSError: The file cannot be read.
    """
    header = memoryview(_moov(path))
    try:
        boxes = dict(_boxes(header))
        tracks = [track for kind, track in _boxes(header) if kind == b"trak" and _is_video(track)]
        if len(tracks) != 1 or b"mvex" in boxes:
            return None
        return _track(path, tracks[0], _clock(boxes[b"mvhd"]))
    except (KeyError, ValueError, IndexError, struct.error):
        return None


def _track(path: Path, track: memoryview, movie_hz: int) -> Packets | None:
    media = dict(_boxes(dict(_boxes(track))[b"mdia"]))
    tables = dict(_boxes(dict(_boxes(media[b"minf"]))[b"stbl"]))
    entries = list(_boxes(tables[b"stsd"][8:]))
    if len(entries) != 1 or entries[0][0] != b"avc1":
        return None
    nal_size = length_size(bytes(dict(_boxes(entries[0][1][78:]))[b"avcC"]))
    hz = _clock(media[b"mdhd"])
    shown = np.cumsum(_runs(tables[b"stts"])) - _runs(tables[b"stts"])
    sizes = _sizes(tables[b"stsz"])
    if b"ctts" in tables:
        shown = shown + _runs(tables[b"ctts"])
    key = np.zeros(len(sizes), bool)
    key[(_table(tables[b"stss"], ">u4") - 1) if b"stss" in tables else slice(None)] = True
    begin = _begin(track, shown, hz, movie_hz)
    if not len(sizes) == len(shown) > 0 or begin is None:
        return None
    offsets = _offsets(tables, sizes)
    clean = nal_size > 0 and _all_begin_anew(path, offsets[key], sizes[key], nal_size)
    return Packets("mov,mp4,m4a,3gp,3g2,mj2", "h264", (shown - begin) / hz, key, np.ones(len(sizes), bool), clean)


def _begin(track: memoryview, shown: np.ndarray, hz: int, movie_hz: int) -> int | None:
    """What an edit list takes off all times, which is what B-frames come late by; None = it does something else."""
    boxes = dict(_boxes(track))
    edits = bytes(dict(_boxes(boxes[b"edts"]))[b"elst"]) if b"edts" in boxes else b""
    if not edits:
        return 0
    layout = ">Qqi" if edits[0] == 1 else ">Iii"
    lasts, begin, rate = struct.unpack_from(layout, edits, 8)
    one = struct.unpack_from(">I", edits, 4)[0] == 1
    whole = 0 <= begin <= shown.min() and begin + lasts / movie_hz * hz > shown.max()
    return int(begin) if one and whole and rate == _ORDINARY else None


def _offsets(tables: dict[bytes, memoryview], sizes: np.ndarray) -> np.ndarray:
    """(N,) where each sample begins in the file."""
    chunks = _table(tables[b"stco"], ">u4") if b"stco" in tables else _table(tables[b"co64"], ">u8")
    runs = _table(tables[b"stsc"], ">u4", 3)
    firsts = np.append(runs[:, 0] - 1, len(chunks))
    chunk = np.repeat(np.arange(len(chunks)), np.repeat(runs[:, 1], np.diff(firsts)))[: len(sizes)]
    before = np.cumsum(sizes) - sizes
    return chunks[chunk] + before - before[np.searchsorted(chunk, chunk)]


def _all_begin_anew(path: Path, offsets: np.ndarray, sizes: np.ndarray, nal_size: int) -> bool:
    with path.open("rb") as file:
        for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True):
            file.seek(offset)
            head = file.read(min(size, _HEAD_BYTES))
            if not begins_anew(head, nal_size):
                return False
    return True


def _clock(header: memoryview) -> int:
    """Units per second of an `mvhd` or `mdhd` box."""
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0])


def _runs(box: memoryview) -> np.ndarray:
    """(N,) int64, the values of `stts` or `ctts`, which are stored as (how often, value)."""
    pairs = _table(box, ">u4", 2)
    if pairs[:, 0].sum() > _MOST_BYTES:
        raise ValueError("more samples than a file can have")
    return np.repeat(pairs[:, 1].astype(np.uint32).view(np.int32).astype(np.int64), pairs[:, 0])


def _sizes(box: memoryview) -> np.ndarray:
    one, count = struct.unpack_from(">II", box, 4)
    return np.full(count, one, np.int64) if one and count < _MOST_BYTES else _table(box[4:], ">u4")[:count]


def _table(box: memoryview, kind: str, columns: int = 1) -> np.ndarray:
    """Rows of a box with version, flags and a count before them, as int64."""
    count = struct.unpack_from(">I", box, 4)[0] * columns
    values = np.frombuffer(box, kind, count, 8).astype(np.int64)
    return values.reshape(-1, columns) if columns > 1 else values


def _is_video(track: memoryview) -> bool:
    media = dict(_boxes(dict(_boxes(track))[b"mdia"]))
    return bytes(media[b"hdlr"][8:12]) == _VIDEO


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes in a box's content: kind and content."""
    place = 0
    while place + _BOX.size <= len(data):
        size, kind = _BOX.unpack_from(data, place)
        head = _BOX.size
        if size == 1:
            size, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        if size < head:  # 0 = to the end, which no box within another is
            return
        yield kind, data[place + head : place + size]
        place += size


def _moov(path: Path) -> bytes:
    """The content of the file's `moov` box; empty where there is none."""
    with path.open("rb") as file:
        while len(head := file.read(_BOX.size)) == _BOX.size:
            size, kind = _BOX.unpack(head)
            if size == 1:  # a size of 64 bits follows
                size = int.from_bytes(file.read(8), "big") - 8
            if not kind.isalnum() or size < _BOX.size:
                break
            if kind == b"moov":
                return file.read(size - _BOX.size) if size < _MOST_BYTES else b""
            file.seek(size - _BOX.size, 1)
    return b""
