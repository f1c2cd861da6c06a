"""Where the face is in the frames of a video: searched for in a few of them, interpolated between them.

A head moves little within a second, so about one frame per second is searched; see `_face_search` for how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpkd_cli.media._face_boxes import one_face, smooth
from mtpkd_cli.media._face_search import find_faces
from mtpkd_cli.media._yunet import YuNet

# Intervals to the next search after one in vain, and the most in a part that is short.
_FIRST_GAP, _SHORT = 2, 8


@dataclass(frozen=True)
class FaceTrack:
    """The face in each of T frames.

    Args:
        centres_px: (T, 2) float, x and y of the face's centre.
        sides_px: (T,) float, side of the square around the face, from brows to chin.
        crop_side_px: Median of the sides: one size for all crops, so that a crop changes only with what it shows.
        detected: (T,) bool, whether the face was detected in the nearest frame that was searched.
    """

    centres_px: np.ndarray
    sides_px: np.ndarray
    crop_side_px: float
    detected: np.ndarray


class FaceTracker:
    """Follows one face through consecutive parts of a video.

    Args:
        detect_every_s: Time between two frames that are searched.
        model: File of a YuNet network; None = the cascade that ships with OpenCV.
        times_smoothed: How often each detected box is averaged with its neighbours (weights 1 2 1).

    Raises:
        DataError: The model's file is missing or of another kind.
    """

    def __init__(self, detect_every_s: float = 1.0, model: Path | None = None, times_smoothed: int = 1) -> None:
        self._every_s, self._times_smoothed = detect_every_s, times_smoothed
        self._find = find_faces if model is None else YuNet(model)
        self._last: np.ndarray | None = None
        self._parts = 0

    def track(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> FaceTrack:
        """Finds the face in the next frames.

        The first frame is searched, one per interval and the last. The first search of all looks everywhere, the others
        near what the one before detected, and everywhere where that is gone. As long as nothing is detected, the time
        to the next search doubles; what was passed over is searched once something is. Of several faces the one that is
        largest and in most frames is kept. Without any, the last known box is kept, or the picture's centre square.

        Args:
            frames: T >= 1 frames of one size, (H, W, 3) uint8 RGB or (H, W) uint8 grey.
            times_s: (T,) increasing.

        Returns:
            The track; `detected` is False throughout where no face was detected.
        """
        height, width = frames[0].shape[:2]
        searched, candidates = self._search(frames, times_s)
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
        searched_s = times_s[searched]
        track = np.stack([np.interp(times_s, searched_s[hits], smoothed[:, k]) for k in range(3)], axis=1)
        nearest = np.abs(times_s[:, None] - searched_s[None, :]).argmin(axis=1)
        detected = np.isin(nearest, hits)
        return FaceTrack(track[:, :2], track[:, 2], float(np.median(smoothed[:, 2])), detected)

    def _search(
        self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Indices of the frames that were searched, and the boxes detected in each."""
        ticks, goes_on = self._ticks(times_s), self._parts > 0
        self._parts += 1
        boxes_at: dict[int, np.ndarray] = {}
        known, passed_over = np.empty((0, 3)) if self._last is None else self._last[None], list[int]()
        at, gap, last = 0, _FIRST_GAP, len(ticks) - 1
        while at <= last:
            # Small faces take as long again, so they are looked for at the end, and in long parts at both ends.
            small = (at == last and not goes_on) or (at in {0, last} and last > _SHORT)
            boxes = boxes_at[at] = self._find(frames[ticks[at]], known, small=small)
            if not len(boxes):
                following = max(at + 1, min(at + gap, last))
                passed_over += range(at + 1, following)
                at, gap = following, 2 * gap
                continue
            near = boxes
            for before in reversed(passed_over):
                boxes_at[before] = self._find(frames[ticks[before]], near, small=False)
                near = boxes_at[before] if len(boxes_at[before]) else near
            known, passed_over = boxes, []
            at, gap = at + 1, _FIRST_GAP
        if last == 1 and not goes_on and not any(map(len, boxes_at.values())):
            # Two searches are few: one more, half-way.
            ticks = np.insert(ticks, 1, ticks.mean())
            boxes_at = {0: boxes_at[0], 1: self._find(frames[ticks[1]], known, small=False), 2: boxes_at[1]}
        order = sorted(boxes_at)
        return ticks[order], [boxes_at[at] for at in order]

    def _ticks(self, times_s: np.ndarray) -> np.ndarray:
        """Indices of the first frame, the first of each interval, and the last."""
        n_ticks = int((times_s[-1] - times_s[0]) / self._every_s) + 1
        ticks = times_s[0] + np.arange(n_ticks) * self._every_s
        return np.unique(np.append(np.searchsorted(times_s, ticks - 1e-3), len(times_s) - 1).clip(max=len(times_s) - 1))
