"""A container's audio track: which it is, where it begins and ends, and how far its own words about that hold."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._containers import moving_picture, open_container
from mtpkd_cli.media._film import first_frame_s

# Sound has a rate within these bounds; a damaged header may state any.
_RATES_HZ = (1_000, 768_000)
# Formats whose header or index tells the length of each track, not an estimate.
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "asf", "caf", "wv", "tta", "ape")
# Matroska's muxers write the end of every track as a tag. Ogg is read by pages, whose stamps are the last packet's.
_MATROSKA, _PAGES, _CLOCK = "matroska,webm", "ogg", re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")
# The last packet of a track is looked for from here before the end that its file states; a lossy codec fills it up.
_TAIL_S, _FILLED_UP_S = 10.0, 0.1


@contextmanager
def open_track(path: Path, *, to_the_end: bool = False) -> Iterator[tuple[Any, Any]]:
    """Opens a container; gives it and its default audio track.

    Raises:
        DataError: It is text, or has no audio track that FFmpeg knows.
    """
    with open_container(path, {"ignore_length": "1"} if to_the_end else {}) as container:
        if container.format.name == "tty":
            # FFmpeg plays any .txt as a film of its letters.
            raise damaged_file(path, "it is text")
        stream: Any = container.streams.best("audio")
        if stream is None:
            raise _no_track(path, [s.type for s in container.streams])
        if stream.codec_context is None:
            raise damaged_file(path, "its sound is in a codec that FFmpeg does not know")
        stream.codec_context.thread_count = 1
        yield container, stream


def track_length_s(path: Path, *, to_the_end: bool = False) -> float:
    """How far the default audio track reaches from the file's beginning: by its index, else its last packet, seconds.

    Raises:
        DataError: See `read_track`.
    """
    import av

    try:
        with open_track(path, to_the_end=to_the_end) as (container, stream):
            zero_s = zero_of(path, container, stream)
            stated_s = stated_end_s(container, stream, zero_s)
            if stated_s is not None and container.format.name in _INDEXED:
                return stated_s
            # Near the end that the file states, but told by what stands there.
            near = (container.duration or 0) / av.time_base + (container.start_time or 0) / av.time_base - _TAIL_S
            if container.duration is not None and near > 0:
                seek(container, stream, near)
            reached_s = _last_packet_s(container, stream)
        if reached_s is None:  # a container that could not be wound may be at its end
            with open_track(path, to_the_end=to_the_end) as (container, stream):
                reached_s = _last_packet_s(container, stream)
    except (av.FFmpegError, ValueError) as err:
        raise damaged_file(path, in_words(err)) from err
    if reached_s is None:
        raise no_sound_between(path, 0.0, None, 0.0)
    reached_s -= zero_s
    # The last packet of a lossy codec is filled up.
    return stated_s if stated_s is not None and abs(stated_s - reached_s) < _FILLED_UP_S else reached_s


def zero_of(path: Path, container: Any, stream: Any) -> float:
    """The file's beginning in its clock: its first video frame, as video is timed, else its first sound, seconds."""
    film = moving_picture(container)
    shown_s = None if film is None else first_frame_s(path)
    if shown_s is not None:
        return shown_s
    clock = stream if film is None or film.start_time is None else film
    return float((clock.start_time or 0) * clock.time_base)


def stated_end_s(container: Any, stream: Any, zero_s: float) -> float | None:
    """Where the track ends as the file states it, seconds; None where it states nothing but an estimate."""
    name = container.format.name
    # An MP3 tells its delay and its length in one place.
    if stream.duration and (name in _INDEXED or (name == "mp3" and stream.start_time)):
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - zero_s
    if name == _MATROSKA and (written := _CLOCK.match(stream.metadata.get("DURATION", ""))):
        hours, minutes, seconds = (float(part) for part in written.groups())
        return 3600 * hours + 60 * minutes + seconds - zero_s
    return None


def seek(container: Any, stream: Any, time_s: float) -> bool:
    """Winds the container to a time in its clock, or before it; false where it has no stamps of its own to do so by."""
    import av

    if not _has_stamps(container):
        return False
    try:
        container.seek(int(time_s / stream.time_base), stream=stream)
    except av.FFmpegError:
        return False
    return True


def check_rate(path: Path, rate_hz: int | None) -> int:
    """Returns a stated rate.

    Raises:
        DataError: No sound has it.
    """
    low, high = _RATES_HZ
    if not rate_hz or not low <= rate_hz <= high:
        raise DataError(
            f"its header states {rate_hz or 0} values of sound per second",
            where=path,
            expected=f"{low} to {high}",
            todo="export the file again, or leave it out",
        )
    return int(rate_hz)


def in_words(err: Exception) -> str:
    """Returns the reason of a library's error, without its number."""
    return str(getattr(err, "strerror", None) or err)


def damaged_file(path: Path, reason: str) -> DataError:
    """The error for a file that cannot be decoded, or ends before its stated end."""
    return DataError(
        f"the sound is truncated or damaged, or this is no media file: {reason}",
        where=path,
        expected="a whole audio file, or a video with sound",
        todo="copy or export the file again, or leave its samples out by data.exclude",
    )


def no_sound_between(path: Path, begin_s: float, end_s: float | None, length_s: float) -> DataError:
    """The error for a stretch without a single sample."""
    return DataError(
        f"there is no sound between {begin_s:.2f} s and {'the end' if end_s is None else f'{end_s:.2f} s'}",
        where=path,
        expected=f"a stretch within the track's {length_s:.2f} s",
        todo="check start_s and end_s of this sample",
    )


def _last_packet_s(container: Any, stream: Any) -> float | None:
    """Where the last packet from here to the end of the file ends, in the container's clock; None = there is none."""
    ends = (packet.pts + (packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None)
    end = max(ends, default=None)
    return None if end is None else float(end * stream.time_base)


def _has_stamps(container: Any) -> bool:
    """Whether the format holds stamps, so that after a seek they are not counted from a guess."""
    from av.format import Flags

    return container.format.name != _PAGES and not container.format.flags & Flags.generic_index.value


def _no_track(path: Path, kinds: list[str]) -> DataError:
    others = [kind for kind in kinds if kind != "audio"]
    return DataError(
        f"the file has no audio track, only {', '.join(others) or 'nothing that FFmpeg can decode'}",
        where=path,
        expected="a file with sound",
        todo="take this modality from another file, or leave its cell empty for this sample",
    )
