"""How long a medium lasts, so that windows can be laid over it."""

from pathlib import Path
from typing import Any

from mtpkd_cli.media.audio import sound_length_s
from mtpkd_cli.media.signals import named_signal
from mtpkd_cli.media.video import iter_frames


def length_s(path: Path, options: dict[str, Any]) -> float:
    """Returns the length in seconds of the track that the encoder reads.

    Args:
        path: A table of signals, a video, a folder of images, or sound.
        options: Of the encoder that reads it: a signal's column, rate and times, or the rate of images; an encoder
            with neither reads sound.

    Raises:
        DataError: It cannot be read.
    """
    if "column" in options:
        signal = named_signal(path, options)
        return len(signal.values) / signal.rate_hz
    if "image_rate_hz" in options or path.is_dir():
        frames = iter_frames(path, chunk=1, rate_hz=1.0, max_side=64, image_rate_hz=options.get("image_rate_hz", 25.0))
        return next(frames).length_s
    return sound_length_s(path)
