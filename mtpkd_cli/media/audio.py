"""Reading sound: audio files and the audio tracks of videos, as mono samples at one rate.

libsndfile reads WAV, FLAC, OGG and the like and seeks to the sample; FFmpeg, through PyAV, reads what is left: mp4,
mkv, avi and other containers. Either way channels are averaged and resampling is soxr's, piece by piece, so the same
sound gives the same samples whatever holds it, and only these are kept: 0.23 GB for an hour at 16 kHz.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._audio_tracks import Sound, damaged_file, no_sound_between, read_track
from mtpkd_cli.media._downmix import Downmix
from mtpkd_cli.media._resampler import Resampler
from mtpkd_cli.media.damage import change_of
from mtpkd_cli.media.reader_names import note_reader

_SNDFILE_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64"}
_PEAK_LIMIT = 2.0
# Values of a channel that are read at a time.
_BLOCK = 1 << 18


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
    if not path.is_file() or path.stat().st_size == 0:
        reason = "the file is empty" if path.is_file() else "there is no such file"
        raise DataError(f"cannot read sound: {reason}", where=path, expected="an audio file or a video with sound")
    begin_s = start_s or 0.0
    if end_s is not None and end_s <= begin_s:
        raise DataError(f"the segment is from {begin_s} s to {end_s} s", where=path, expected="start_s < end_s")
    known = path.suffix.lower() in _SNDFILE_SUFFIXES
    downmix = Downmix(channel)
    try:
        sound = _read_sndfile(path, begin_s, end_s, sample_rate_hz, downmix) if known else None
        note_reader("pyav" if sound is None else "soundfile")
        if sound is None:
            sound = read_track(path, begin_s, end_s, sample_rate_hz, downmix)
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


def _read_sndfile(path: Path, begin_s: float, end_s: float | None, to_hz: int, downmix: Downmix) -> Sound | None:
    """Reads by libsndfile; None where it does not know the file, which FFmpeg then might."""
    import soundfile

    _check_riff_size(path)
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:
        return None
    with file:
        rate = file.samplerate
        start = round(begin_s * rate)
        stop = file.frames if end_s is None else min(round(end_s * rate), file.frames)
        if start >= stop:
            raise no_sound_between(path, begin_s, end_s, file.frames / rate)
        resampler = Resampler(rate, to_hz)
        try:
            file.seek(start)
            for block in file.blocks(_BLOCK, frames=stop - start, dtype="float32", always_2d=True):
                resampler.add(downmix.mono(block))
        except soundfile.LibsndfileError as err:
            raise damaged_file(path, str(err)) from err
    if resampler.n_given < stop - start:
        raise damaged_file(path, f"it ends at {(start + resampler.n_given) / rate:.2f} s of {file.frames / rate:.2f} s")
    missing = 0 if end_s is None else round(end_s * rate) - stop
    return Sound(resampler, missing / rate)


def _check_riff_size(path: Path) -> None:
    # libsndfile silently reads what is left of a WAV that was cut short; the header still states the whole.
    with path.open("rb") as file:
        head = file.read(8)
    stated, size = int.from_bytes(head[4:8], "little") + 8, path.stat().st_size
    # Programs that write to a pipe leave the largest number or none at all.
    if head[:4] == b"RIFF" and size + 1 < stated < 0xFFFFFFFF:
        raise damaged_file(path, f"its header states {stated} bytes and it holds {size}")
