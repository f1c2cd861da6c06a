"""Where the face is in the frames of a video: looked for in a few of them, interpolated between them.

A head moves little within a second, so about one frame per second is searched; see `_face_search` for how.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mtpkd_cli.media._face_boxes import one_face, smooth
from mtpkd_cli.media._face_search import find_faces
from mtpkd_cli.media._yunet import YuNet


@dataclass(frozen=True)
class FaceTrack:
    """The face in each of T frames.

    Args:
        centres_px: (T, 2) float, x and y of the face's centre.
        sides_px: (T,) float, side of the square around the face, from brows to chin.
        crop_side_px: Median of the sides: one size for all crops, so that a crop changes only with what it shows.
        found: (T,) bool, whether the face was found in the nearest frame that was searched.
    """

    centres_px: np.ndarray
    sides_px: np.ndarray
    crop_side_px: float
    found: np.ndarray


class FaceTracker:
    """Follows one face through consecutive parts of a video.

    Args:
        detect_every_s: Time between two frames that are searched.
        model: File of a YuNet network; None = OpenCV's own cascade.
        times_smoothed: How often each found box is averaged with its neighbours (weights 1 2 1).

    Raises:
        DataError: The model's file is missing or of another kind.
    """

    def __init__(self, detect_every_s: float = 1.0, model: Path | None = None, times_smoothed: int = 1) -> None:
        self._every_s, self._times_smoothed = detect_every_s, times_smoothed
        self._find = find_faces if model is None else YuNet(model)
        self._last: np.ndarray | None = None

    def track(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> FaceTrack:
        """Finds the face in the next frames.

        The first frame is searched, one per interval and the last; where nothing is found in any of them, the frames
        half-way in between until something is. Only the first search looks everywhere, the others near what the one
        before found, and everywhere where that is gone. Of several faces the one that is largest and in most frames is
        kept. Without any, the last known box is kept, or the centre square of the picture.

        Args:
            frames: T >= 1 frames of one size, (H, W, 3) uint8 RGB or (H, W) uint8 grey.
            times_s: (T,) increasing.

        Returns:
            The track; all `found` are False where nothing was found.
        """
        height, width = frames[0].shape[:2]
        tried = self._tick_frames(times_s, 0.0)
        candidates: list[np.ndarray] = []
        known = np.empty((0, 3))
        for turn, index in enumerate(tried):
            # Small faces are looked for at both ends and half-way: that takes as long as decoding three frames.
            thorough = turn in {0, len(tried) // 2, len(tried) - 1}
            candidates.append(self._find(frames[index], known, small=thorough))
            known = candidates[-1] if len(candidates[-1]) else known
        if not any(map(len, candidates)):
            for index in self._tick_frames(times_s, 0.5):
                tried = np.append(tried, index)
                candidates.append(self._find(frames[index], known, small=False))
                if len(candidates[-1]):
                    break
            order = np.argsort(tried, kind="stable")
            tried, candidates = tried[order], [candidates[i] for i in order]
        boxes = one_face(candidates, self._last)
        hits = [i for i, box in enumerate(boxes) if box is not None]
        if not hits:
            fallback = (
                np.array([width / 2, height / 2, min(height, width)], float) if self._last is None else self._last
            )
            n = len(times_s)
            return FaceTrack(np.tile(fallback[:2], (n, 1)), np.full(n, fallback[2]), fallback[2], np.zeros(n, bool))
        smoothed = smooth(np.array([boxes[i] for i in hits]), self._times_smoothed)
        self._last = smoothed[-1]
        seen_s = times_s[tried]
        track = np.stack([np.interp(times_s, seen_s[hits], smoothed[:, k]) for k in range(3)], axis=1)
        nearest = np.abs(times_s[:, None] - seen_s[None, :]).argmin(axis=1)
        found = np.isin(nearest, hits)
        return FaceTrack(track[:, :2], track[:, 2], float(np.median(smoothed[:, 2])), found)

    def _tick_frames(self, times_s: np.ndarray, offset: float) -> np.ndarray:
        n_ticks = int((times_s[-1] - times_s[0]) / self._every_s) + 1
        ticks = times_s[0] + (np.arange(n_ticks) + offset) * self._every_s
        return np.unique(np.append(np.searchsorted(times_s, ticks - 1e-3), len(times_s) - 1).clip(max=len(times_s) - 1))


def widened(track: FaceTrack, margin: float) -> FaceTrack:
    """The same track with room around the face, `margin` of its side on every side."""
    grow = 1.0 + 2.0 * margin
    return replace(track, sides_px=track.sides_px * grow, crop_side_px=track.crop_side_px * grow)


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

    side = max(2, round(track.crop_side_px))
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
        cv2.resize(cut, (size_px, size_px), dst=crop, interpolation=method)
    return crops


def _span(centre: float, side: int, length: int) -> tuple[int, int]:
    first = min(max(0, int(centre - side / 2) - 2), length - 1)
    return first, max(first + 1, min(length, int(centre + side / 2) + 3))
