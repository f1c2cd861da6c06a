"""Face video: how facial regions look, how they change since the clip's start, and how face and head move.

Reads a video of one person. The face is detected by the cascade that ships with OpenCV, so no weights are downloaded.
Each step holds, for nine facial regions, edges in four directions and brightness (their level, and their change against
the clip's baseline, which takes out what differs from person to person), the optical flow that is left once the head's
movement is removed, the head's movement, and the change of skin colour.

References:
    Werner et al., "Automatic pain assessment with facial activity descriptors", IEEE T-AFFC 8(3), 2017 (change against
    the subject, head movement as a cue). See `_face_looks` and `_face_motion`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._face_looks import COLOUR_NAMES, LOOK_NAMES, look, skin_colour
from mtpkd_cli.encoders._face_motion import FLOW_NAMES, HEAD_NAMES, SPEED_NAMES, motion
from mtpkd_cli.encoders._faces import FaceOptions, face_files, face_tracker, parts_of
from mtpkd_cli.encoders._picture_quality import PictureWatch

if TYPE_CHECKING:
    from mtpkd_cli.media.faces import FaceTracker
    from mtpkd_cli.media.given_faces import CroppedFaces, GivenFaces

VERSION = 5
READS = "pictures"
files = face_files

# About 0.6 GB at the default sizes, however long the video; a clip of up to 12 s keeps one crop size.
_CHUNK = 128
_TOLERANCE_S = 2e-3
_PLACE_NAMES = ("head_x", "head_y", "head_size")
_NAMES = (
    *LOOK_NAMES,
    *(f"{name}_change" for name in LOOK_NAMES),
    *SPEED_NAMES,
    *(f"{name}_max" for name in SPEED_NAMES),
    *FLOW_NAMES,
    *HEAD_NAMES,
    "head_speed_max",
    *_PLACE_NAMES,
    *(f"{name}_change" for name in COLOUR_NAMES),
    "face_found",
)


class Config(FaceOptions):
    """Options of the face video encoder."""

    step_s: float = Field(0.5, gt=0, description="Length of a step of the features in seconds.")
    crop_side_px: int = Field(96, ge=48, le=512, description="Side of the face crops.")
    baseline: Literal["start", "median"] = Field(
        "start", description="What change is measured against: the clip's first baseline_s, or its median."
    )
    baseline_s: float = Field(1.0, gt=0, description="Length of the baseline at the clip's start in seconds.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.step_s * self.rate_hz < 1:
            raise ValueError(f"step_s = {self.step_s:g} is shorter than the {1 / self.rate_hz:g} s between two frames")
        return self


@dataclass(frozen=True)
class _Frames:
    """Descriptors of F frames: times and detected (F,), the others (F, columns)."""

    times_s: np.ndarray
    looks: np.ndarray
    speeds: np.ndarray
    flows: np.ndarray
    heads: np.ndarray
    places: np.ndarray
    colours: np.ndarray
    detected: np.ndarray


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of face video.

    Lengths are shares of the face's side and speeds are per second, so neither the resolution nor the rate matters.
    Movement is 0 in the first frame, after a cut, and where the face is lost or shows again. Where no face is detected
    the picture's centre square is described, at less detail.

    Returns:
        Features with T = duration / step_s, rounded up; a step beyond the last frame does not count. Notes count
        steps, steps in which no face was detected, steps that hold no frame (they repeat the one before), frames that
        cannot be decoded, videos read by PyAV, and seconds by which the segment passes the video's end.

    Raises:
        DataError: See `mtpkd_cli.media.video.iter_frames`.
    """
    watch = PictureWatch()
    frames, notes = _read(segment, config, watch)
    step = np.floor((frames.times_s + _TOLERANCE_S) / config.step_s).astype(int).clip(min=0)
    present, first = np.unique(step, return_index=True)
    n_steps = int(present[-1]) + 1
    count = np.diff(np.append(first, len(step)))[:, None]

    def mean(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, first, axis=0) / count

    look_base, colour_base = _baseline(frames.looks, frames, config), _baseline(frames.colours, frames, config)
    looks = mean(frames.looks)
    columns = [looks, looks - look_base]
    columns += [mean(frames.speeds), np.maximum.reduceat(frames.speeds, first, axis=0), mean(frames.flows)]
    head_speed = np.hypot(frames.heads[:, :1], frames.heads[:, 1:2])
    columns += [mean(frames.heads), np.maximum.reduceat(head_speed, first, axis=0)]
    columns += [mean(frames.places - np.median(frames.places, axis=0)), mean(frames.colours) - colour_base]
    detected = mean(frames.detected[:, None].astype(float))
    repeated = (np.searchsorted(present, np.arange(n_steps), side="right") - 1).clip(min=0)
    values = np.concatenate([*columns, detected], axis=1)[repeated].astype(np.float32)
    notes |= {
        "steps": n_steps,
        "steps_without_face": int((detected[repeated] == 0).sum()),
        "steps_without_frames": n_steps - len(present),
    }
    return Features(values, (np.arange(n_steps) + 0.5) * config.step_s, _NAMES, notes, quality=watch.quality(segment))


def _baseline(values: np.ndarray, frames: _Frames, config: Config) -> np.ndarray:
    if config.baseline == "median":
        return np.median(values, axis=0)
    start = frames.times_s < max(config.baseline_s, frames.times_s[0] + _TOLERANCE_S)
    return values[start].mean(axis=0)


def _read(segment: Segment, config: Config, watch: PictureWatch) -> tuple[_Frames, dict[str, float]]:
    tracker, parts, by_pyav, length_s, missing = face_tracker(segment, config), [], 0, 0.0, 0
    frames: list[np.ndarray] = []
    times_s = np.empty(0)
    for part in parts_of(segment, config, _CHUNK, watch):
        # The last frame of the part before comes first again, since movement is measured between two frames.
        before = len(frames[-1:])
        frames = [*frames[-1:], *part.frames]
        times_s = np.concatenate([times_s[-1:], part.times_s])
        parts.append(_describe(frames, times_s, before, tracker, config))
        watch.detect(parts[-1].detected)
        by_pyav, length_s = max(by_pyav, int(part.reader == "pyav")), part.length_s
        missing += part.missing
    missing_s = 0.0 if segment.end_s is None else max(0.0, segment.end_s - length_s)
    joined = _Frames(*(np.concatenate([getattr(p, name) for p in parts]) for name in _Frames.__dataclass_fields__))
    notes = {"read_by_pyav": by_pyav, "frames_missing": missing, "seconds_past_end": round(missing_s, 3)}
    return joined, notes


def _describe(
    frames: Sequence[np.ndarray],
    times_s: np.ndarray,
    before: int,
    tracker: "FaceTracker | GivenFaces | CroppedFaces",
    config: Config,
) -> _Frames:
    from mtpkd_cli.media.face_crops import crop_faces, downsample

    track = tracker.track(frames, times_s)
    places = np.column_stack([track.centres_px / track.crop_side_px, np.log(track.sides_px)])
    crop_px, seen = config.crop_side_px, bool(track.detected.any())
    if not seen:
        # There is less to see where there is no face.
        frames, track = downsample(frames, track, crop_px)
        crop_px //= 2
    crops = crop_faces(frames, track, crop_px, grey=True)
    n, side = len(crops), track.crop_side_px
    speeds = np.zeros((n, len(SPEED_NAMES)))
    flows, heads = np.zeros((n, len(FLOW_NAMES))), np.zeros((n, len(HEAD_NAMES)))
    if n > 1:
        per_s = 1.0 / np.diff(times_s)[:, None]
        speeds[1:], flows[1:], heads[1:] = (part * per_s for part in motion(crops, coarse=not seen))
        # The crop follows the face: what it moved belongs to the head.
        heads[1:, :2] += np.diff(track.centres_px, axis=0) / side * per_s
        # Between two shots nothing moved.
        for movement in (speeds, flows, heads):
            movement[~track.followed] = 0.0
    new = slice(before, None)
    colours = skin_colour(frames[new], track.centres_px[new], side)
    return _Frames(
        times_s[new], look(crops[new]), speeds[new], flows[new], heads[new], places[new], colours, track.detected[new]
    )
