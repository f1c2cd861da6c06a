"""Audio tracks of containers (mp4, mkv, avi, ...) by FFmpeg, through PyAV: a stretch, mono, at the track's rate."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._downmix import Downmix
from mtpkd_cli.media._resampler import Resampler

# A lossy codec needs the packets before the wanted one to settle; what they decode to is thrown away.
_PREROLL_S = 0.3
# Containers round times (Matroska to 1 ms): below this a step between frames is rounding, above it lost sound.
_JITTER_S = 0.1
# A track may state a little more than it holds: codec padding, rounding.
_SHORTFALL_S = 0.5


@dataclass(frozen=True)
class Sound:
    """A stretch of mono sound, at least one value, and the seconds of it that have no sound."""

    resampler: Resampler
    silent_s: float


def read_track(path: Path, begin_s: float, end_s: float | None, to_hz: int, downmix: Downmix) -> Sound:
    """Decodes a stretch of the container's default audio track, from the packet before it to its last frame.

    Raises:
        DataError: The file cannot be decoded, has no audio track, states more sound than it holds, or has none there.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if container.format.name == "tty":
                # FFmpeg plays any .txt as a film of its letters.
                raise damaged_file(path, "it is text")
            stream: Any = container.streams.best("audio")
            if stream is None:
                raise _no_track(path, [s.type for s in container.streams])
            if stream.codec_context is None:
                raise damaged_file(path, "its sound is in a codec that FFmpeg does not know")
            rate, zero_s, stated_s = int(stream.rate), _zero_s(container, stream), np.inf
            if stream.duration:
                stated_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base) - zero_s
            if begin_s >= stated_s:
                raise no_sound_between(path, begin_s, end_s, stated_s)
            if begin_s > 0:
                container.seek(int((zero_s + begin_s - _PREROLL_S) / stream.time_base), stream=stream)
            resampler = Resampler(rate, to_hz)
            filled_s, reached_s = _cut(_frames(container, stream, zero_s, downmix), resampler, begin_s, end_s)
    except av.FFmpegError as err:
        raise damaged_file(path, str(err)) from err
    wanted_s = reached_s if end_s is None else end_s
    if np.isfinite(stated_s) and reached_s < min(stated_s, end_s or stated_s) - _SHORTFALL_S:
        raise damaged_file(path, f"its sound ends at {reached_s:.2f} s of the {stated_s:.2f} s that it states")
    if not resampler.n_given:
        raise no_sound_between(path, begin_s, end_s, reached_s)
    missing_s = wanted_s - reached_s
    return Sound(resampler, filled_s + (missing_s if missing_s * rate > 1 else 0.0))


def damaged_file(path: Path, reason: str) -> DataError:
    """The error for a file that cannot be decoded, or ends before its stated end."""
    return DataError(
        f"the sound is truncated or damaged, or this is no media file: {reason}",
        where=path,
        expected="a whole audio file, or a video with sound",
        todo="copy or export the file again, or leave it out",
    )


def no_sound_between(path: Path, begin_s: float, end_s: float | None, length_s: float) -> DataError:
    """The error for a stretch without a single sample."""
    return DataError(
        f"there is no sound between {begin_s:.2f} s and {'the end' if end_s is None else f'{end_s:.2f} s'}",
        where=path,
        expected=f"a stretch within the track's {length_s:.2f} s",
        todo="check start_s and end_s of this sample",
    )


def _no_track(path: Path, kinds: list[str]) -> DataError:
    return DataError(
        f"the file has no audio track, only {', '.join(kinds) or 'nothing'}",
        where=path,
        expected="a file with sound",
        todo="take this modality from another file, or leave its cell empty for this sample",
    )


def _zero_s(container: Any, stream: Any) -> float:
    """The file's beginning in stream time: its first video frame, as video is timed, else its first sound."""
    video = container.streams.best("video")
    clock = stream if video is None or video.start_time is None else video
    return float((clock.start_time or 0) * clock.time_base)


def _frames(container: Any, stream: Any, zero_s: float, downmix: Downmix) -> Iterator[tuple[float, np.ndarray]]:
    """Yields (seconds from the file's beginning, (n,) float32 mono) of every decoded frame; NaN = time not stated."""
    import av

    to_float = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        time_s = np.nan if frame.pts is None else float(frame.pts * frame.time_base) - zero_s
        for converted in to_float.resample(frame):
            yield time_s, downmix.mono(converted.to_ndarray().T)


def _cut(
    frames: Iterator[tuple[float, np.ndarray]], resampler: Resampler, begin_s: float, end_s: float | None
) -> tuple[float, float]:
    """Cuts frames to the stretch and collects them.

    Returns:
        Seconds filled with zeros; where the sound, or the stretch, ended, seconds.
    """
    rate = resampler.rate_hz
    written, stop = round(begin_s * rate), np.inf if end_s is None else round(end_s * rate)
    filled, position = 0, None
    for time_s, samples in frames:
        stated = position or 0 if np.isnan(time_s) else round(time_s * rate)
        if position is None or abs(stated - position) > _JITTER_S * rate:
            position = stated
        first, last = max(position, written), int(min(position + len(samples), stop))
        if last > first:
            resampler.add(np.zeros(first - written, np.float32))
            resampler.add(samples[first - position : last - position])
            filled, written = filled + first - written, last
        position += len(samples)
        if position >= stop:
            break
    return filled / rate, max(position or 0, 0) / rate
