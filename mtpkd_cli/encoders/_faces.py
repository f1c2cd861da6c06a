"""What the encoders of face video share: options, and face crops a few at a time, however long the video.

Legend: T frames, S side of a crop in pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator

from mtpkd_cli.config import Options
from mtpkd_cli.encoders import Segment
from mtpkd_cli.encoders._picture_quality import PictureWatch

if TYPE_CHECKING:
    from mtpkd_cli.media.faces import FaceTracker
    from mtpkd_cli.media.given_faces import CroppedFaces, GivenFaces

# Frames in which the face is followed at a time: at 640 x 480 about 0.06 GB. Frames that are decoded at a time.
_CHUNK, _FEW = 64, 16


class FaceOptions(Options):
    """Which frames are read, and where the face is in them."""

    rate_hz: float = Field(10.0, gt=0, le=120, description="Frames read per second; a slower video gives all it has.")
    frame_side_px: int = Field(640, ge=64, description="Frames are sampled down to this longest side while decoding.")
    image_rate_hz: float = Field(25.0, gt=0, description="Images per second where the medium is a folder of images.")
    face: Literal["search", "boxes", "cropped"] = Field(
        "search", description="By a search, from a table of boxes, or the pictures are face crops already."
    )
    face_model: str = Field(
        "", description="Absolute path of YuNet (ONNX); empty = the cascade that ships with OpenCV."
    )
    detect_every_s: float = Field(
        0.5, gt=0, description="Seconds between two searches for the face, which is followed by its flow meanwhile."
    )
    smooth_boxes: int = Field(
        1, ge=0, le=10, description="How often detected boxes are averaged with their neighbours, movement taken out."
    )
    boxes: str = Field("{stem}_boxes.csv", description="Table of boxes beside the video; {stem} = the video's name.")

    @field_validator("face_model")
    @classmethod
    def _absolute(cls, path: str) -> str:
        return absolute(path) if path else path


class CropOptions(FaceOptions):
    """Which frames are read, where the face is in them, and what is cut out."""

    crop_side_px: int = Field(112, ge=16, le=512, description="Side of the crops.")
    margin: float = Field(0.2, ge=0, le=2, description="Room around the face, as a share of its side, on every side.")


def absolute(path: str) -> str:
    """Returns the path; raises ValueError where it depends on the folder that a command runs in."""
    if not Path(path).expanduser().is_absolute():
        raise ValueError(f"'{path}' depends on the folder that the command runs in; give an absolute path")
    return path


def face_files(options: FaceOptions) -> list[Path]:
    """The files that features depend on besides the media: the face model."""
    return [Path(options.face_model).expanduser()] if options.face_model and options.face == "search" else []


def face_tracker(segment: Segment, options: FaceOptions) -> "FaceTracker | GivenFaces | CroppedFaces":
    """Gives what locates the face in the frames of a segment; raises DataError where its file is missing or wrong."""
    if options.face == "search":
        from mtpkd_cli.media.faces import FaceTracker

        model = next(iter(face_files(options)), None)
        return FaceTracker(options.detect_every_s, model, options.smooth_boxes)
    # Here alone: it reads tables, and pandas takes as long to load as ten short clips.
    from mtpkd_cli.media.given_faces import CroppedFaces, GivenFaces

    if options.face == "boxes":
        path = segment.path.parent / options.boxes.replace("{stem}", segment.path.stem)
        return GivenFaces(path, segment.start_s or 0.0, options.smooth_boxes)
    return CroppedFaces()


def frame_side(options: FaceOptions) -> int | None:
    """The longest side that frames are read at: boxes are in pixels of the stored size."""
    return None if options.face == "boxes" else options.frame_side_px


@dataclass(frozen=True)
class Crops:
    """Crops of consecutive frames.

    Args:
        pixels: (T, S, S, 3) uint8 RGB.
        times_s: (T,) seconds from the segment's start.
        detected: (T,) bool, whether the face shows; True where it is not searched for.
        length_s: Length of the whole video.
        reader: Who decoded it.
        missing: Frames that the video lists and that cannot be decoded.
    """

    pixels: np.ndarray
    times_s: np.ndarray
    detected: np.ndarray
    length_s: float
    reader: str
    missing: int = 0


@dataclass
class Part:
    """Consecutive frames.

    Args:
        frames: T frames, (H, W, 3) uint8 RGB, not to be written to.
        times_s: (T,) seconds from the segment's start.
        length_s: Length of the whole video.
        reader: Who decoded them.
        missing: Frames that the video lists here and that cannot be decoded.
    """

    frames: list[np.ndarray] = field(default_factory=list)
    times_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    length_s: float = 0.0
    reader: str = ""
    missing: int = 0


def parts_of(segment: Segment, options: FaceOptions, size: int, watch: PictureWatch) -> Iterator[Part]:
    """Yields a segment's frames as the options say, `size` at a time; raises DataError as `iter_frames` does."""
    from mtpkd_cli.media.video import iter_frames

    part = Part()
    for few in iter_frames(
        segment.path,
        start_s=segment.start_s,
        end_s=segment.end_s,
        rate_hz=options.rate_hz,
        max_side=frame_side(options),
        # Memory of this size is used again, whereas that of large arrays is asked of the system anew each time.
        chunk=min(size, _FEW),
        image_rate_hz=options.image_rate_hz,
    ):
        if part.frames and len(part.frames) + len(few.frames) > size:
            yield part
            part = Part()
        watch.see(few.frames, few.times_s)
        part.frames.extend(few.frames)
        part.times_s = np.append(part.times_s, few.times_s)
        part.length_s, part.reader, part.missing = few.length_s, few.reader, part.missing + few.missing
    if part.frames:
        yield part


def iter_crops(segment: Segment, options: CropOptions, watch: PictureWatch) -> Iterator[Crops]:
    """Yields the crops of a segment in order; raises DataError as `mtpkd_cli.media.video.iter_frames` does."""
    from mtpkd_cli.media.face_crops import crop_faces, with_margin

    tracker, margin = face_tracker(segment, options), 0.0 if options.face == "cropped" else options.margin
    for part in parts_of(segment, options, _CHUNK, watch):
        track = with_margin(tracker.track(part.frames, part.times_s), margin)
        watch.detect(track.detected)
        pixels = crop_faces(part.frames, track, options.crop_side_px)
        yield Crops(pixels, part.times_s, track.detected, part.length_s, part.reader, part.missing)


@dataclass
class CropNotes:
    """Counts of what was read, for the notes of features."""

    frames: int = 0
    without_face: int = 0
    missing: int = 0
    by_pyav: int = 0
    length_s: float = field(default=0.0)

    def add(self, crops: Crops) -> None:
        """Counts a part."""
        self.frames += len(crops.times_s)
        self.without_face += int((~crops.detected).sum())
        self.missing += crops.missing
        self.by_pyav = max(self.by_pyav, int(crops.reader == "pyav"))
        self.length_s = crops.length_s

    def notes(self, segment: Segment) -> dict[str, float]:
        """The counts by name."""
        missing_s = 0.0 if segment.end_s is None else max(0.0, segment.end_s - self.length_s)
        return {
            "frames": self.frames,
            "frames_without_face": self.without_face,
            "frames_missing": self.missing,
            "read_by_pyav": self.by_pyav,
            "seconds_past_end": round(missing_s, 3),
        }
