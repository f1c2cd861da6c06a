"""Where the face is in the frames of a video: OpenCV's own Haar cascade on a few frames, interpolated between them.

The cascade ships with OpenCV, so nothing is downloaded, and it is deterministic. It is slow next to decoding,
so it sees about one small grey frame per second; a head moves little in between.

References:
    Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
    Lienhart and Maydt, "An extended set of Haar-like features for rapid object detection", ICIP 2002.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from mtpkd_cli.media._face_boxes import one_face, smooth

_CASCADE = "haarcascade_frontalface_alt2.xml"
# The cascade's window is 20 pixels; faces below a seventh of the picture's short side are not looked for.
_MIN_SIDE_PX, _MIN_SHARE = 20, 1 / 7


@dataclass(frozen=True)
class FaceTrack:
    """The face in each of T frames.

    Args:
        centres_px: (T, 2) float, x and y of the face's centre.
        sides_px: (T,) float, side of the square around the face, from brows to chin.
        crop_side_px: Median of the sides: one size for all crops, so that a crop changes only with what it shows.
        found: (T,) bool, whether the cascade found the face in the nearest frame that it saw.
    """

    centres_px: np.ndarray
    sides_px: np.ndarray
    crop_side_px: float
    found: np.ndarray


class FaceTracker:
    """Follows one face through consecutive parts of a video.

    Args:
        detect_every_s: Time between two frames that the cascade sees.
        detect_side_px: Longest side of the frames that it sees; larger ones are sampled down.
    """

    def __init__(self, detect_every_s: float = 1.0, detect_side_px: int = 240) -> None:
        self._every_s, self._side_px = detect_every_s, detect_side_px
        self._last: np.ndarray | None = None

    def track(self, grey: np.ndarray, times_s: np.ndarray) -> FaceTrack:
        """Finds the face in the next frames.

        The cascade sees the first frame, one per interval and the last; where it finds nothing in any of them, the
        frames half-way in between until it does. Of several faces the one that is largest and in most frames is
        kept. Without any, the last known box is kept, or the centre square of the picture.

        Args:
            grey: (T, H, W) uint8, T >= 1.
            times_s: (T,) increasing.

        Returns:
            The track; all `found` are False where the cascade found nothing.
        """
        height, width = grey.shape[1:]
        tried = self._tick_frames(times_s, 0.0)
        candidates = [self._detect(grey[index]) for index in tried]
        if not any(map(len, candidates)):
            for index in self._tick_frames(times_s, 0.5):
                tried, candidates = np.append(tried, index), [*candidates, self._detect(grey[index])]
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
        known = smooth(np.array([boxes[i] for i in hits]))
        self._last = known[-1]
        seen_s = times_s[tried]
        track = np.stack([np.interp(times_s, seen_s[hits], known[:, k]) for k in range(3)], axis=1)
        nearest = np.abs(times_s[:, None] - seen_s[None, :]).argmin(axis=1)
        found = np.isin(nearest, hits)
        return FaceTrack(track[:, :2], track[:, 2], float(np.median(known[:, 2])), found)

    def _tick_frames(self, times_s: np.ndarray, offset: float) -> np.ndarray:
        n_ticks = int((times_s[-1] - times_s[0]) / self._every_s) + 1
        ticks = times_s[0] + (np.arange(n_ticks) + offset) * self._every_s
        return np.unique(np.append(np.searchsorted(times_s, ticks - 1e-3), len(times_s) - 1).clip(max=len(times_s) - 1))

    def _detect(self, grey: np.ndarray) -> np.ndarray:
        import cv2

        scale = min(1.0, self._side_px / max(grey.shape))
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
        least = max(_MIN_SIDE_PX, int(min(small.shape) * _MIN_SHARE))
        if min(small.shape) < least:
            return np.empty((0, 3))
        found = _cascade().detectMultiScale(
            cv2.equalizeHist(np.ascontiguousarray(small)), scaleFactor=1.2, minNeighbors=4, minSize=(least, least)
        )
        corners = np.array(found, float).reshape(-1, 4) / scale
        return np.column_stack([corners[:, :2] + corners[:, 2:] / 2, corners[:, 2]])


def crop_faces(grey: np.ndarray, track: FaceTrack, size_px: int) -> np.ndarray:
    """Cuts the square around the face out of each frame; beyond the picture its border is repeated.

    Args:
        grey: (T, H, W) uint8.
        track: The face in these frames.
        size_px: Side of the crops.

    Returns:
        (T, size_px, size_px) uint8.
    """
    import cv2

    side = max(2, round(track.crop_side_px))
    # Cut at sub-pixel positions: whole pixels would shake the crop and look like motion.
    cuts = [
        cv2.getRectSubPix(frame, (side, side), (x - 0.5, y - 0.5))
        for frame, (x, y) in zip(grey, track.centres_px.tolist(), strict=True)
    ]
    method = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    return np.stack([cv2.resize(cut, (size_px, size_px), interpolation=method) for cut in cuts])


@cache
def _cascade() -> Any:
    import cv2
    from cv2.data import haarcascades

    cv2.setNumThreads(1)
    return cv2.CascadeClassifier(haarcascades + _CASCADE)
