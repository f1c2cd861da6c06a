"""Reading sound: audio files and the audio tracks of videos, as mono samples at one rate.

libsndfile reads WAV, FLAC, OGG and the like and seeks to the sample; FFmpeg, through PyAV, reads what is left: mp4,
mkv, avi and other containers, and files whose headers do not know their length. Either way channels are averaged and
resampling is soxr's, piece by piece, so the same sound gives the same samples whatever holds it, and only these are
kept: 0.23 GB for an hour at 16 kHz.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._audio_container import damaged_file, open_track, track_length_s
from mtpkd_cli.media._audio_tracks import read_track
from mtpkd_cli.media._downmix import Downmix
from mtpkd_cli.media._sound_files import known_to_sndfile, read_sound_file, sound_file_length_s
from mtpkd_cli.media._stated_sizes import StatedSizes, stated_sizes
from mtpkd_cli.media.damage import change_of
from mtpkd_cli.media.reader_names import note_reader

_PEAK_LIMIT = 2.0


@dataclass(frozen=True)
class Audio:
    """A stretch of sound.

    Args:
        samples: (N,) float32, mono, in [-1, 1].
        rate_hz: Rate of the samples.
        source_rate_hz: Rate in the file.
        silent_s: Seconds of the wanted stretch where the track has no sound: it begins later or ends earlier than the
            stretch, or frames are missing. Lead and gaps are filled with zeros so that times stay right; a missing
            end is left off.
        cancelled: Share of the channels' sound that is lost in their mean; see `Downmix.cancelled`.
    """

    samples: np.ndarray
    rate_hz: int
    source_rate_hz: int
    silent_s: float = 0.0
    cancelled: float = 0.0


def read_audio(
    path: Path,
    sample_rate_hz: int,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
) -> Audio:
    """Reads the sound of a file or of a part of it.

    Args:
        path: An audio file, or a video with an audio track (the default one where there are several).
        sample_rate_hz: Rate to resample to.
        start_s: Start, seconds from the file's beginning: the first video frame where there is video, else the first
            sample; None = the beginning.
        end_s: End in the same time; None = the end of the track.
        channel: Which channel is heard, from 1; None = the mean of all.

    Raises:
        DataError: The file is missing, empty, truncated, not a media file or without a track, it has no sound in the
            stretch or no such channel, or its samples are not in [-1, 1].
    """
    path = Path(path)
    _check_there(path)
    begin_s = start_s or 0.0
    if end_s is not None and end_s <= begin_s:
        raise DataError(f"the segment is from {begin_s} s to {end_s} s", where=path, expected="start_s < end_s")
    sizes = _checked_sizes(path)
    to_the_end = sizes is not None and sizes.unstated
    sound, downmix = None, Downmix(channel)
    try:
        if known_to_sndfile(path) and not to_the_end:
            sound = read_sound_file(path, begin_s, end_s, sample_rate_hz, downmix, sizes)
        note_reader("pyav" if sound is None else "soundfile")
        if sound is None:
            sound = read_track(path, begin_s, end_s, sample_rate_hz, downmix, to_the_end=to_the_end)
    except IndexError as err:
        todo = "lower the encoder's option channel, or leave it out for the mean of all"
        raise DataError(f"the sound has no channel {channel}", where=path, todo=todo) from err
    peak = sound.resampler.peak
    if not peak <= _PEAK_LIMIT:
        todo = "scale the file to [-1, 1] or export it again"
        raise DataError(f"the samples reach {peak:g}", where=path, expected="samples in [-1, 1]", todo=todo)
    samples, change = sound.resampler.samples(), change_of("sound")
    if change is not None:
        samples = change(samples, sample_rate_hz)
    return Audio(samples, sample_rate_hz, sound.resampler.rate_hz, sound.silent_s, downmix.cancelled)


def sound_length_s(path: Path) -> float:
    """How long the sound is that `read_audio` reads, seconds from the file's beginning to the end of the track.

    A length that is stated counts where it is an index or a number of samples; elsewhere the packets are counted.

    Raises:
        DataError: See `read_audio`.
    """
    _check_there(path)
    sizes = _checked_sizes(path)
    to_the_end = sizes is not None and sizes.unstated
    stated_s = sound_file_length_s(path, sizes) if known_to_sndfile(path) and not to_the_end else None
    return track_length_s(path, to_the_end=to_the_end) if stated_s is None else stated_s


def count_sound_tracks(path: Path) -> int:
    """Returns the number of tracks of sound in a file, of which `read_audio` reads the default one.

    Raises:
        DataError: FFmpeg does not know the file, or there is none.
    """
    if known_to_sndfile(path):
        return 1
    with open_track(path) as (container, _):
        return len(container.streams.audio)


def _check_there(path: Path) -> None:
    if not path.is_file() or path.stat().st_size == 0:
        reason = "the file is empty" if path.is_file() else "there is no such file"
        raise DataError(f"cannot read sound: {reason}", where=path, expected="an audio file or a video with sound")


def _checked_sizes(path: Path) -> StatedSizes | None:
    # libsndfile silently reads what is left of a file that was cut short; the header still states the whole.
    sizes = stated_sizes(path)
    if sizes is not None and sizes.cut_short:
        stated, held = sizes.begin + sizes.stated, sizes.begin + sizes.held
        raise damaged_file(path, f"its header states {stated} bytes and it holds {held}")
    return sizes
