"""Sound files by libsndfile, to the sample: WAV, FLAC, Ogg, AIFF and the like, where their headers know the length."""

import re
from pathlib import Path
from typing import Any

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._audio_container import check_rate, damaged_file, no_sound_between
from mtpkd_cli.media._audio_tracks import Sound
from mtpkd_cli.media._downmix import Downmix
from mtpkd_cli.media._resampler import Resampler
from mtpkd_cli.media._stated_sizes import StatedSizes, is_placeholder

_SUFFIXES = {
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
}
# Values that are read at a time, all channels together.
_BLOCK = 1 << 18
# What libsndfile reports of AIFF, AU and Wave64 whose stated bytes are not those that it finds.
_REPORT = re.compile(r"^\s*(?:FORM|SSND|riff|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
# Above any number of frames: the length of a FLAC stream that states none.
_ENDLESS = 1 << 62
# A page of Ogg is no longer than 65,307 bytes.
_MOST_PAGE = 1 << 17


def known_to_sndfile(path: Path) -> bool:
    """Whether the file's name says that libsndfile reads it; whether it does is known when it has tried."""
    return path.suffix.lower() in _SUFFIXES


def read_sound_file(
    path: Path, begin_s: float, end_s: float | None, to_hz: int, downmix: Downmix, sizes: StatedSizes | None
) -> Sound | None:
    """Reads a stretch; None where libsndfile does not know the file or its length.

    Raises:
        DataError: The file ends before its stated end, cannot be decoded, or has no sound there.
    """
    import soundfile

    file = _open(path, sizes)
    if file is None:
        return None
    with file:
        rate = check_rate(path, file.samplerate)
        start = round(begin_s * rate)
        stop = file.frames if end_s is None else min(round(end_s * rate), file.frames)
        if start >= stop:
            raise no_sound_between(path, begin_s, end_s, file.frames / rate)
        resampler = Resampler(rate, to_hz)
        try:
            file.seek(start)
            blocks = file.blocks(max(1, _BLOCK // file.channels), frames=stop - start, dtype="float32", always_2d=True)
            for block in blocks:
                resampler.add(downmix.mono(block))
        except soundfile.LibsndfileError as err:
            raise damaged_file(path, str(err)) from err
    if resampler.n_given < stop - start:
        raise damaged_file(path, f"it ends at {(start + resampler.n_given) / rate:.2f} s of {file.frames / rate:.2f} s")
    missing = 0 if end_s is None else round(end_s * rate) - stop
    return Sound(resampler, missing / rate)


def sound_file_length_s(path: Path, sizes: StatedSizes | None) -> float | None:
    """Length in seconds; None where libsndfile does not know it.

    Raises:
        DataError: The file ends before its stated end, or has no sound.
    """
    file = _open(path, sizes)
    if file is None:
        return None
    with file:
        return float(file.frames / check_rate(path, file.samplerate))


def _open(path: Path, sizes: StatedSizes | None) -> Any:
    """The open `SoundFile`; None where libsndfile does not know it or its length."""
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:
        return None
    # libsndfile's MP3 gives noise, or not-a-number, after some seeks; in GSM it cannot seek.
    if file.frames >= _ENDLESS or file.subtype.startswith("MPEG") or not file.seekable():
        file.close()
        return None
    try:
        _check_stated(path, file, sizes)
    except DataError:
        file.close()
        raise
    return file


def _check_stated(path: Path, file: Any, sizes: StatedSizes | None) -> None:
    for stated, held in _REPORT.findall(file.extra_info):
        if int(stated) > int(held) + 1 and not is_placeholder(int(stated)):
            raise damaged_file(path, f"its header states {stated} bytes and it holds {held}")
    if sizes is not None and sizes.block and abs(sizes.stated // sizes.block - file.frames) > 1:
        expected = f"{file.channels} channels of {file.subtype} make {file.frames} values each"
        raise damaged_file(path, f"its header contradicts itself: blocks of {sizes.block} bytes, yet {expected}")
    if file.format == "OGG" and _serial(path, last=False) != _serial(path, last=True):
        raise damaged_file(path, "several recordings are joined in it end to end, and only the first would be read")


def _serial(path: Path, *, last: bool) -> bytes:
    """The number of the stream that the first or the last page of an Ogg file belongs to (RFC 3533)."""
    with path.open("rb") as file:
        if last:
            file.seek(max(0, path.stat().st_size - _MOST_PAGE))
        part = file.read(_MOST_PAGE)
    at = part.rfind(b"OggS") if last else part.find(b"OggS")
    return part[at + 14 : at + 18]
