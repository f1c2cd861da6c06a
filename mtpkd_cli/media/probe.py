"""What a media file holds, read from its headers, its first and its last frame; nothing is decoded in between."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.audio import count_sound_tracks, read_audio, sound_length_s

# Seconds before the end from which the last frames are decoded, at least.
_TAIL_S = 1.0
_TAIL_HZ = 8000


@dataclass(frozen=True)
class Probe:
    """What a file holds.

    Args:
        length_s: Length in seconds; of images at the rate that was given.
        picture_hz: Frames per second; 0 = no picture.
        frames: Number of frames or images, as far as the file says; 0 = none.
        sound_hz: Rate of the sound; 0 = no sound.
        sound_tracks: Tracks of sound, of which the default one is read; 0 = nobody asked for the sound.
        tail_read: Whether the last second could be decoded; false = the file ends before its stated end.
    """

    length_s: float
    picture_hz: float = 0.0
    frames: int = 0
    sound_hz: float = 0.0
    sound_tracks: int = 0
    tail_read: bool = True


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

    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(str(path.absolute())) as container:
            if container.format.name == "tty":  # FFmpeg plays any text as a film of its letters
                raise _no_media(path, "it is text")
            picture: Any = container.streams.best("video")
            sound: Any = container.streams.best("audio")
            stream = picture or sound
            if stream is None or stream.codec_context is None:
                raise _no_media(path, "there is no picture and no sound in it that FFmpeg knows")
            next(container.decode(stream))
            rate = float(picture.average_rate or 0) if picture is not None else 0.0
            # An AVI that was cut short counts what is left as its length, and in its header still the whole.
            stated = picture.frames / rate if rate else 0.0
            length = max(_length_s(container, stream), stated)
            frames = int(picture.frames or round(length * rate)) if picture is not None else 0
            return Probe(
                length,
                rate,
                frames,
                float(sound.rate) if sound is not None else 0.0,
                tail_read=_tail(container, stream, length),
            )
    except StopIteration as err:
        raise _no_media(path, "it has no frame") from err
    except (av.FFmpegError, ValueError, RuntimeError) as err:
        raise _no_media(path, str(err).splitlines()[0]) from err


def _length_s(container: Any, stream: Any) -> float:
    """As the stream states it, else the container, which counts in microseconds; 0 = neither says."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return float((container.duration or 0) / 1_000_000)


def _tail(container: Any, stream: Any, length_s: float) -> bool:
    import av

    begin = max(0.0, length_s - _TAIL_S)
    try:
        start = stream.start_time or 0
        container.seek(start + int(begin / stream.time_base), stream=stream, backward=True)
        last = max((frame.pts or 0 for frame in container.decode(stream)), default=None)
    except av.FFmpegError:
        return False
    return last is not None and float((last - start) * stream.time_base) >= begin - _TAIL_S


def _no_media(path: Path, reason: str) -> DataError:
    return DataError(
        f"the file cannot be opened: {reason}",
        where=path,
        expected="a whole video or sound file",
        todo="copy it again or re-encode it, or leave its samples out",
    )
