"""What a media file holds, read from its packets, its first and its last frame; nothing is decoded in between."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._containers import moving_picture, open_container
from mtpkd_cli.media._decord_rule import inexact
from mtpkd_cli.media._film import Elsewhere, film_of, pictures
from mtpkd_cli.media._mp4 import mp4_packets
from mtpkd_cli.media._packets import list_packets
from mtpkd_cli.media._video_request import Unreadable
from mtpkd_cli.media.audio import count_sound_tracks, read_audio, sound_length_s

# Seconds before the end from which the last frames are decoded, at least.
_TAIL_S = 1.0
# How Matroska states the length of a track.
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_TAIL_HZ = 8000


@dataclass(frozen=True)
class Probe:
    """What a file holds.

    Args:
        length_s: Length in seconds of the track that is read; of images at the rate that was given.
        picture_hz: Frames per second; 0 = no picture.
        frames: Number of frames or images, as far as the file says; 0 = none.
        sound_hz: Rate of the sound; 0 = no sound.
        tail_read: Whether the last second could be decoded; false = the file ends before its stated end.
        lost: Frames at the beginning that cannot be decoded, as in a cut between key frames.
        codec: FFmpeg's name of the codec of the pictures; empty = no picture, or images.
        by_decord: Whether decord is exact for it, and therefore reads it.
        sound_tracks: Tracks of sound, of which the default one is read; 0 = nobody asked for the sound.
        notes: What was done to read it, as encoders count it.
    """

    length_s: float
    picture_hz: float = 0.0
    frames: int = 0
    sound_hz: float = 0.0
    tail_read: bool = True
    lost: int = 0
    codec: str = ""
    by_decord: bool = False
    sound_tracks: int = 0
    notes: dict[str, float] = field(default_factory=dict)


def probe(path: Path, image_rate_hz: float = 25.0, *, sound_only: bool = False) -> Probe:
    """Opens a video, a folder of numbered images or a sound file.

    Args:
        path: The file or folder.
        image_rate_hz: Images per second where it is a folder.
        sound_only: What is asked for is its sound, whose length may be another than that of the picture.

    Raises:
        DataError: It is not there, empty, or no such medium.
    """
    if path.is_dir():
        return _images(path, image_rate_hz)
    if not path.is_file():
        raise DataError("there is no such file", where=path, todo="check the data folder and the samples table")
    if path.stat().st_size == 0:
        raise DataError("the file is empty (0 bytes)", where=path, todo="copy it again")
    return _sound(path) if sound_only else _sound_file(path) or _container(path)


def _sound(path: Path) -> Probe:
    length = sound_length_s(path)
    # Who reads the end finds out whether the file was cut short.
    last = read_audio(path, _TAIL_HZ, start_s=max(0.0, length - _TAIL_S))
    return Probe(length, sound_hz=float(last.source_rate_hz), sound_tracks=count_sound_tracks(path))


def _images(path: Path, rate_hz: float) -> Probe:
    from mtpkd_cli.media.video import iter_frames

    # Two images, far apart: all of one folder have one size.
    parts = iter_frames(path, chunk=1, max_side=64, image_rate_hz=rate_hz)
    first = next(parts)
    last_s = first.length_s - 1 / rate_hz
    next(iter_frames(path, chunk=1, max_side=64, start_s=max(0.0, last_s - 1e-3), image_rate_hz=rate_hz))
    return Probe(first.length_s, rate_hz, sum(1 for entry in path.iterdir() if entry.stem[-1:].isdigit()))


def _sound_file(path: Path) -> Probe | None:
    import soundfile

    try:
        soundfile.info(str(path))
    except soundfile.LibsndfileError:
        return None
    return _sound(path)


def _container(path: Path) -> Probe:
    import av

    try:
        with open_container(path) as container:
            if container.format.name == "tty":  # FFmpeg plays any text as a film of its letters
                raise _no_media(path, "it is text")
            picture, sound = moving_picture(container), container.streams.best("audio")
            if picture is None and sound is not None:
                return _sound(path)
            if picture is None or picture.codec_context is None:
                raise _no_media(path, "there is no picture and no sound in it that FFmpeg knows")
            next(container.decode(picture))
            sound_hz = float(sound.rate or 0) if sound is not None else 0.0
            return _of_pictures(path, container, picture, sound_hz)
    except StopIteration as err:
        raise _no_media(path, "it has no frame") from err
    except (Unreadable, av.FFmpegError, ValueError, RuntimeError) as err:
        raise _no_media(path, str(err).splitlines()[0]) from err


def _of_pictures(path: Path, container: Any, stream: Any, sound_hz: float) -> Probe:
    table, rate, lost = mp4_packets(path), float(stream.average_rate or 0), 0
    codec, by_decord = stream.codec_context.codec.canonical_name, not inexact(table or list_packets(path).packets)
    if table is not None and by_decord:
        n_frames, last_s = len(table.key), float(np.ptp(table.stamps_s))
    elif (listing := list_packets(path)).counted:  # to know more all of it would have to be decoded
        n_frames, table = len(listing.sizes), None
        span_s = float(np.ptp(listing.decoding_s))
        last_s = span_s if np.isfinite(span_s) else (n_frames - 1) / (listing.rate_hz or 1.0)
    else:
        film, table = film_of(path), None
        n_frames, last_s, lost = len(film.numbers), float(film.times_s[-1]), film.lost
    rate = (n_frames - 1) / last_s if last_s > 0 else rate
    # An AVI that was cut short counts what is left as its length, and in its header still the whole.
    stated_s = max(_stated_s(container, stream), stream.frames / rate if rate else 0.0)
    if stated_s > last_s + _TAIL_S and stated_s > _reach_s(path) + _TAIL_S:
        return Probe(stated_s, rate, stream.frames or round(stated_s * rate), sound_hz, tail_read=False)
    tail = _tail(container, stream, last_s) if table is not None else _last_frames(path)
    return Probe(last_s + (1 / rate if rate else 0.0), rate, n_frames, sound_hz, tail, lost, codec, by_decord)


def _last_frames(path: Path) -> bool:
    """Whether a frame of the last second can be decoded."""
    listing = list_packets(path)
    keys, n_packets = np.flatnonzero(listing.packets.key), len(listing.sizes)
    last = n_packets - max(1, round(_TAIL_S * listing.rate_hz))
    for back in (1, 2, 4, 16):
        with contextlib.suppress(Elsewhere):
            if any(
                number >= last for number, _ in pictures(path, listing, int(keys[-back]) if back <= len(keys) else 0)
            ):
                return True
    return False


def _stated_s(container: Any, stream: Any) -> float:
    """As the stream states it, else the container, which counts in microseconds; 0 = neither says."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if clock := _CLOCK.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, clock.groups())
        return 3600 * hours + 60 * minutes + seconds
    return float((container.duration or 0) / 1_000_000)


def _reach_s(path: Path) -> float:
    """Seconds from the first packet to the last one, of whatever stream."""
    with open_container(path) as container:
        times_s = [float(p.dts * p.time_base) for p in container.demux() if p.dts is not None]
    return max(times_s, default=0.0) - min(times_s, default=0.0)


def _tail(container: Any, stream: Any, last_s: float) -> bool:
    import av

    begin_s, start = max(0.0, last_s - _TAIL_S), stream.start_time or 0
    try:
        container.seek(start + int(begin_s / stream.time_base), stream=stream, backward=True)
        last = max((frame.pts or 0 for frame in container.decode(stream)), default=None)
    except av.FFmpegError:
        return False
    return last is not None and float((last - start) * stream.time_base) >= begin_s - _TAIL_S


def _no_media(path: Path, reason: str) -> DataError:
    return DataError(
        f"the file cannot be opened: {reason}",
        where=path,
        expected="a whole video or sound file",
        todo="copy it again or re-encode it, or leave its samples out by data.exclude",
    )
