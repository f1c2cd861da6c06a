"""What the encoders of face video share: options, and face crops a few at a time, however long the video.

Legend: T frames, S side of a crop in pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import Field

from mtpkd_cli.config import Options
from mtpkd_cli.encoders import Segment

# Frames between two reads: at 640 x 480 about 0.1 GB.
_CHUNK = 64


class FaceOptions(Options):
    """Which frames are read, and where the face is in them."""

    rate_hz: float = Field(10.0, gt=0, le=120, description="Frames read per second; a slower video gives all it has.")
    frame_side_px: int = Field(640, ge=64, description="Frames are sampled down to this longest side while decoding.")
    detect_every_s: float = Field(1.0, gt=0, description="Time between two searches for the face in seconds.")
    image_rate_hz: float = Field(25.0, gt=0, description="Images per second where the medium is a folder of images.")


class CropOptions(FaceOptions):
    """The same, and what is cut out."""

    region: Literal["face", "picture"] = Field(
        "face", description="The square around the face, or the picture's centre square."
    )
    crop_side_px: int = Field(112, ge=16, le=512, description="Side of the crops.")
    margin: float = Field(0.2, ge=0, le=2, description="Room around the face, as a share of its side, on every side.")


@dataclass(frozen=True)
class Crops:
    """Crops of consecutive frames.

    Args:
        pixels: (T, S, S, 3) uint8 RGB.
        times_s: (T,) seconds from the segment's start.
        found: (T,) bool, whether the face was found nearby; True where it is not looked for.
        length_s: Length of the whole video.
        reader: Who decoded it.
    """

    pixels: np.ndarray
    times_s: np.ndarray
    found: np.ndarray
    length_s: float
    reader: str


def iter_crops(segment: Segment, options: CropOptions) -> Iterator[Crops]:
    """Yields the crops of a segment in order; raises DataError as `mtpkd_cli.media.video.iter_frames` does."""
    from mtpkd_cli.media.faces import FaceTracker, crop_faces, whole_picture, widened
    from mtpkd_cli.media.video import iter_frames

    tracker = FaceTracker(options.detect_every_s)
    for chunk in iter_frames(
        segment.path,
        start_s=segment.start_s,
        end_s=segment.end_s,
        rate_hz=options.rate_hz,
        max_side=options.frame_side_px,
        chunk=_CHUNK,
        image_rate_hz=options.image_rate_hz,
    ):
        frames = list(chunk.frames)
        if options.region == "face":
            track = widened(tracker.track(frames, chunk.times_s), options.margin)
        else:
            track = whole_picture(frames)
        pixels = crop_faces(frames, track, options.crop_side_px)
        yield Crops(pixels, chunk.times_s, track.found, chunk.length_s, chunk.reader)


@dataclass
class CropNotes:
    """Counts of what was read, for the notes of features."""

    frames: int = 0
    without_face: int = 0
    by_pyav: int = 0
    length_s: float = field(default=0.0)

    def add(self, crops: Crops) -> None:
        """Counts a part."""
        self.frames += len(crops.times_s)
        self.without_face += int((~crops.found).sum())
        self.by_pyav = max(self.by_pyav, int(crops.reader == "pyav"))
        self.length_s = crops.length_s

    def notes(self, segment: Segment) -> dict[str, float]:
        """The counts by name."""
        missing_s = 0.0 if segment.end_s is None else max(0.0, segment.end_s - self.length_s)
        return {
            "frames": self.frames,
            "frames_without_face": self.without_face,
            "read_by_pyav": self.by_pyav,
            "seconds_past_end": round(missing_s, 3),
        }
