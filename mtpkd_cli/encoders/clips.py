"""Face crops as they are, for networks that learn from pixels.

Reads a video; a step is one frame: the square around the face, (S, S, 3) uint8 RGB, flattened row by row. Nothing is
learned or normalised here. A step takes 3 S^2 bytes, so choose side and rate with care: 64 pixels at 5 frames per
second are 0.2 GB per hour of video.
"""

import numpy as np
from pydantic import Field

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._faces import CropNotes, CropOptions, face_files, iter_crops
from mtpkd_cli.encoders._picture_quality import PictureWatch

VERSION = 4
READS = "pictures"
files = face_files


class Config(CropOptions):
    """Options of the pixel encoder."""

    rate_hz: float = Field(5.0, gt=0, le=120, description="Frames read per second; a slower video gives all it has.")
    crop_side_px: int = Field(64, ge=16, le=224, description="Side of the crops.")


def encode(segment: Segment, config: Config) -> Features:
    """Cuts the face out of each frame.

    Returns:
        Features with one step per frame and D = 3 S^2 values of uint8, named by row, column and colour; notes count
        frames, frames without a face nearby (the last known box or the centre square is taken), frames that cannot be
        decoded, videos read by PyAV, and seconds by which the segment passes the video's end.

    Raises:
        DataError: See `mtpkd_cli.media.video.iter_frames`.
    """
    counts, pixels, times_s, watch = CropNotes(), [], [], PictureWatch()
    for crops in iter_crops(segment, config, watch):
        counts.add(crops)
        pixels.append(crops.pixels.reshape(len(crops.pixels), -1))
        times_s.append(crops.times_s)
    names, quality = _names(config.crop_side_px), watch.quality(segment)
    return Features(np.concatenate(pixels), np.concatenate(times_s), names, counts.notes(segment), quality=quality)


def _names(side: int) -> tuple[str, ...]:
    places = range(side)
    return tuple(f"{y}_{x}_{colour}" for y in places for x in places for colour in "rgb")
