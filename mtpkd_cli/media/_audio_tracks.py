"""Audio tracks of containers (mp4, mkv, avi, ...) by FFmpeg, through PyAV: a stretch, mono, at the track's rate.

What a file states about itself is a claim. A stretch is placed by the stamps of its packets: where a format has none
(raw AAC, MP3), they are counted from the beginning, since FFmpeg would seek by the mean bit rate and count from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._audio_container import (
    check_rate,
    damaged_file,
    in_words,
    no_sound_between,
    open_track,
    seek,
    stated_end_s,
    track_length_s,
    zero_of,
)
from mtpkd_cli.media._downmix import Downmix
from mtpkd_cli.media._resampler import Resampler

# A lossy codec needs the packets before the wanted one to settle; what they decode to is thrown away.
_PREROLL_S = 0.3
# How far before that a container is wound: a seek may land late, and the first stamp after one in an MPEG stream may
# belong to the frame before.
_BACK_OFFS_S = (1.5, 6.0)
# Containers round times (Matroska to 1 ms): below this a step between frames is rounding, above it lost sound.
_JITTER_S = 0.1
# Stamps that leap further, or go back, are of another clock: files joined end to end.
_LEAP_S, _BACK_S = 3600.0, 1.0
# A track may state a little more than it holds: codec padding, rounding.
_SHORTFALL_S = 0.5
# Formats that are made to be cut anywhere; what they lose is the frame at the cut.
_CUT_ANYWHERE = ("aac", "mp3", "ac3", "eac3", "dts", "amr", "mpegts", "mpeg")


@dataclass(frozen=True)
class Sound:
    """A stretch of mono sound, at least one value, and the seconds of it that have no sound."""

    resampler: Resampler
    silent_s: float


@dataclass(frozen=True)
class _Taken:
    """Seconds filled with zeros, and where the track had been read to, from the file's beginning."""

    filled_s: float
    reached_s: float


def read_track(
    path: Path, begin_s: float, end_s: float | None, to_hz: int, downmix: Downmix, *, to_the_end: bool = False
) -> Sound:
    """Decodes a stretch of the container's default audio track, from the packet before it to its last frame.

    Args:
        path: The file.
        begin_s: Where the stretch begins, seconds from the file's beginning.
        end_s: Where it ends; None = at the end of the track.
        to_hz: Rate of the result.
        to_the_end: The sizes in a WAV's header are no truth: its sound goes on to the end of the file.

    Raises:
        DataError: The file cannot be decoded, has no audio track, states more sound than it holds, its stamps leap, or
            it has no sound there.
    """
    import av

    back_offs = [s for s in _BACK_OFFS_S if begin_s > s]
    try:
        for back_s in (*back_offs, None):
            with open_track(path, to_the_end=to_the_end) as (container, stream):
                rate, zero_s = check_rate(path, stream.rate), zero_of(path, container, stream)
                stated_s = stated_end_s(container, stream, zero_s)
                if back_s is not None and not seek(container, stream, zero_s + begin_s - back_s):
                    continue
                frames = _frames(container, stream, rate, zero_s, begin_s - _PREROLL_S, downmix, placed=back_s is None)
                first = next(frames, None)
                if back_s is not None and (first is None or first[0] > begin_s):
                    continue  # landed late, or past the last sound: once more from further back
                resampler = Resampler(rate, to_hz)
                taken = _take(path, chain(() if first is None else (first,), frames), resampler, begin_s, end_s)
                break
    except (av.FFmpegError, ValueError) as err:
        raise damaged_file(path, in_words(err)) from err
    if stated_s is not None and begin_s < stated_s:
        wanted_s = stated_s if end_s is None else min(stated_s, end_s)
        if taken.reached_s < wanted_s - _SHORTFALL_S:
            reached = f"{taken.reached_s:.2f} s of the {stated_s:.2f} s"
            raise damaged_file(path, f"its sound ends at {reached} that it states")
    if not resampler.n_given:
        raise no_sound_between(path, begin_s, end_s, track_length_s(path, to_the_end=to_the_end))
    missing_s = 0.0 if end_s is None else end_s - begin_s - resampler.n_given / rate
    return Sound(resampler, taken.filled_s + (missing_s if missing_s * rate > 1 else 0.0))


def _frames(
    container: Any, stream: Any, rate: int, zero_s: float, from_s: float, downmix: Downmix, *, placed: bool
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields (seconds from the file's beginning, (n,) float32 mono at the track's rate) of every decoded frame.

    Packets that end before `from_s` are not decoded. A frame without a stamp has NaN, and is left out while nothing
    before it has one, unless reading began at the beginning (`placed`).
    """
    import av

    resamplers: dict[tuple[str, str, int], Any] = {}
    skipping, broken = True, None
    for packet in container.demux(stream):
        if broken is not None and packet.size:
            raise broken
        if skipping and packet.size and packet.pts is not None:
            if float((packet.pts + (packet.duration or 0)) * packet.time_base) - zero_s < from_s:
                continue
            skipping = False
        try:
            decoded = packet.decode()
        except av.InvalidDataError as err:
            # A seek in an MPEG stream lands within a frame, and a recorder that dies stops within one.
            if placed:
                broken = err
            continue
        for frame in decoded:
            placed = placed or frame.pts is not None
            if not placed:
                continue
            time_s = np.nan if frame.pts is None else float(frame.pts * frame.time_base) - zero_s
            # A broadcast may change its channels or its rate on the way.
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind not in resamplers:
                resamplers[kind] = av.AudioResampler(format="fltp", rate=rate)
            for converted in resamplers[kind].resample(frame):
                yield time_s, downmix.mono(converted.to_ndarray().T)
    if broken is not None and container.format.name not in _CUT_ANYWHERE:
        raise broken


def _take(
    path: Path,
    frames: Iterator[tuple[float, np.ndarray]],
    resampler: Resampler,
    begin_s: float,
    end_s: float | None,
) -> _Taken:
    """Cuts frames to the stretch and collects them; zeros stand where the track has no sound before a later one."""
    rate = resampler.rate_hz
    written, stop = round(begin_s * rate), np.inf if end_s is None else round(end_s * rate)
    filled, position = 0, None
    for time_s, samples in frames:
        stated = position or 0 if np.isnan(time_s) else round(time_s * rate)
        leaps = position is None or abs(stated - position) > _JITTER_S * rate
        if leaps and position is not None:
            _check_leap(path, position / rate, stated / rate)
        if position is None or leaps or not resampler.n_given:
            position = stated
        first, last = max(position, written), int(min(position + len(samples), stop))
        if last > first:
            resampler.add(np.zeros(first - written, np.float32))
            resampler.add(samples[first - position : last - position])
            filled, written = filled + first - written, last
        position += len(samples)
        if position >= stop:
            break
    return _Taken(filled / rate, max(position or 0, 0) / rate)


def _check_leap(path: Path, from_s: float, to_s: float) -> None:
    if not -_BACK_S < to_s - from_s < _LEAP_S:
        raise DataError(
            f"the time stamps of its sound leap from {from_s:.2f} s to {to_s:.2f} s",
            where=path,
            expected="one clock throughout; files joined end to end have several",
            todo="join the recordings anew (ffmpeg -f concat), or convert the file to WAV or MP4",
        )
