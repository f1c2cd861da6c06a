"""What the header of a WAV or CAF file states about its sound, beside what the file holds; a pipe leaves no truth.

Sources: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF); EBU Tech 3306
(RF64); Apple, "Core Audio Format Specification 1.0".
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_UNKNOWN = 0xFFFFFFFF
# Placeholders lie near 2^31 or 2^32 (0x7ffff000 of sox, 0x80000000 of arecord, 0xffffffff of FFmpeg), near sox's number
# for AIFF, or among the largest of 64 bits.
_PLACEHOLDERS, _NEAR, _LARGEST = (1 << 31, 1 << 32, 0x7F000000), 1 << 16, 1 << 63
# What follows the sound and is this small is padding.
_PADDING, _PIECE = 4096, 1 << 20
# Formats whose sound is a row of blocks, one value of every channel in each: integers, floats, and "extensible".
_PLAIN = (1, 3, 0xFFFE)


@dataclass(frozen=True)
class StatedSizes:
    """Bytes of sound in a file of chunks.

    Args:
        begin: Where the sound begins in the file.
        stated: What the header states.
        held: From the first byte of the sound to the end of the file.
        followed: Whether the file ends, or goes on with another chunk, where the header says that the sound ends.
        block: Bytes of one value of every channel; 0 = the sound is compressed, or the header does not say.
    """

    begin: int
    stated: int
    held: int
    followed: bool = True
    block: int = 0

    @property
    def unstated(self) -> bool:
        """The header holds no length, or an old one: the sound goes on to the end of the file."""
        if not self.held:
            return False
        placeholder = not self.stated or (self.stated > self.held and is_placeholder(self.stated))
        return placeholder or (self.stated < self.held and not self.followed)

    @property
    def cut_short(self) -> bool:
        """The file ends before its stated end."""
        return not self.unstated and self.stated > self.held + 1


def stated_sizes(path: Path) -> StatedSizes | None:
    """Returns the sizes; None where the file is neither WAV nor CAF or has no sound in it.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE":
            return _wav(file, path.stat().st_size)
        if head[:4] == b"caff":
            file.seek(8)
            return _caf(file, path.stat().st_size)
    return None


def is_placeholder(stated: int) -> bool:
    """Whether a size is one that programs write which do not know it yet."""
    return stated >= _LARGEST or min(abs(stated - size) for size in _PLACEHOLDERS) <= _NEAR


def _wav(file: BinaryIO, size: int) -> StatedSizes | None:
    whole, block = None, 0
    for name, stated, begin in _chunks(file, "<4sI", even=True):
        if name == b"ds64":
            whole = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"fmt ":
            kind, *_, align = struct.unpack("<HHIIH", file.read(14).ljust(14, b"\0"))
            block = align if kind in _PLAIN else 0
        elif name == b"data":
            length = whole if whole is not None and stated == _UNKNOWN else stated
            return StatedSizes(begin, length, size - begin, _followed(file, begin + length, size), block)
    return None


def _caf(file: BinaryIO, size: int) -> StatedSizes | None:
    # Its placeholder is -1.
    for name, stated, begin in _chunks(file, ">4sQ"):
        if name == b"data":
            return StatedSizes(begin, stated, size - begin)
    return None


def _chunks(file: BinaryIO, layout: str, *, even: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Yields name, stated size and beginning of the chunks from here on."""
    head, size = struct.Struct(layout), os.fstat(file.fileno()).st_size
    while len(chunk := file.read(head.size)) == head.size:
        name, stated = head.unpack(chunk)
        begin = file.tell()
        yield name, stated, begin
        if begin + stated > size:
            return
        file.seek(begin + stated + (stated % 2 if even else 0))


def _followed(file: BinaryIO, end: int, size: int) -> bool:
    end += end % 2
    if size - end <= _PADDING:
        return True
    file.seek(end)
    name, stated = struct.unpack("<4sI", file.read(8))
    if name.startswith((b"ID3", b"TAG")):
        return True
    if not any(name):  # padding, if nothing else follows: sound may go on with silence
        return not any(any(part) for part in iter(lambda: file.read(_PIECE), b""))
    return name.isascii() and name.decode("ascii").isprintable() and end + 8 + stated <= size + 1
