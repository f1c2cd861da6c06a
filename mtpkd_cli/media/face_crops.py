"""Cutting the square around a face out of the frames of a video.

A crop follows the face at sub-pixel positions: what is left of movement in it is the face itself moving.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtpkd_cli.media.faces import FaceTrack


def with_margin(track: FaceTrack, margin: float) -> FaceTrack:
    """A track whose squares leave room around the face, `margin` of its side on every side."""
    grow = 1.0 + 2.0 * margin
    return replace(track, sides_px=track.sides_px * grow, crop_side_px=track.crop_side_px * grow)


def downsample(frames: Sequence[np.ndarray], track: FaceTrack, least_px: int) -> tuple[list[np.ndarray], FaceTrack]:
    """Every k-th pixel of every k-th row, where k is the largest that leaves squares of `least_px`, and the track."""
    import cv2

    k = max(1, int(track.crop_side_px / least_px))
    if k == 1:
        return list(frames), track
    height, width = frames[0].shape[:2]
    size = (-(-width // k), -(-height // k))
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST) for frame in frames]
    # The first pixel stays the first: centres of pixels lie at halves.
    centres_px = (track.centres_px - 0.5) / k + 0.5
    return small, replace(
        track, centres_px=centres_px, sides_px=track.sides_px / k, crop_side_px=track.crop_side_px / k
    )


def crop_faces(
    frames: Sequence[np.ndarray] | np.ndarray, track: FaceTrack, size_px: int, *, grey: bool = False
) -> np.ndarray:
    """Cuts the square around the face out of each frame; beyond the picture its border is repeated.

    Args:
        frames: T frames, (H, W, 3) uint8 RGB or (H, W) uint8 grey.
        track: The face in these frames.
        size_px: Side of the crops.
        grey: Whether RGB frames give grey crops.

    Returns:
        (T, size_px, size_px) uint8, or (T, size_px, size_px, 3) of RGB frames where `grey` is false.
    """
    import cv2

    # Areas of whole pixels are averaged several times as fast as others, so large grey squares shrink by a whole factor
    # first; networks are given what they were trained on, colours averaged once.
    times = max(1, int(track.crop_side_px / size_px)) if grey else 1
    side = max(2, times * round(track.crop_side_px / times))
    method = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    height, width, *colours = frames[0].shape
    crops = np.empty((len(frames), size_px, size_px, *([] if grey else colours)), np.uint8)
    for crop, frame, (x, y) in zip(crops, frames, track.centres_px.tolist(), strict=True):
        # The square and a pixel around it: colours of what is outside need not be converted.
        left, right = _span(x, side, width)
        top, bottom = _span(y, side, height)
        part = frame[top:bottom, left:right]
        part = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) if grey and colours else np.ascontiguousarray(part)
        # Cut at sub-pixel positions: whole pixels would shake the crop and look like motion.
        cut = cv2.getRectSubPix(part, (side, side), (x - left - 0.5, y - top - 0.5))
        if times > 1:
            cut = cv2.resize(cut, (side // times,) * 2, interpolation=cv2.INTER_AREA)
        cv2.resize(cut, (size_px, size_px), dst=crop, interpolation=method)
    return crops


def _span(centre: float, side: int, length: int) -> tuple[int, int]:
    first = min(max(0, int(centre - side / 2) - 2), length - 1)
    return first, max(first + 1, min(length, int(centre + side / 2) + 3))
