"""Where the face is in the frames of a video: searched for in a few of them, followed by the flow between them.

A head may sway by its own width within half a second, so what is between two searches is not interpolated; see
`_face_search` for how a frame is searched and `_face_paths` for how a face is followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpkd_cli.media._face_boxes import overlaps
from mtpkd_cli.media._face_paths import FacePath, Finder, PathFinder
from mtpkd_cli.media._face_search import LARGE, Cascade
from mtpkd_cli.media._yunet import YuNet

# While no face is known: intervals between two searches of the whole picture, and the smallest face that each looks
# for, as a share of the short side. Small ones take most of the time, so two searches of three do without, but for
# those of short parts; a face between the sizes that one search tries is of a size that the next one does.
_GAP, _SHORT = 2, 4
_LEAST_SHARES, _SHARES_OF_SHORT = (LARGE, 1 / 9, LARGE, LARGE, 1 / 10, LARGE), (1 / 9, 1 / 10)
# A face that is lost and one that shows later are taken for the same if their sizes differ by less than this.
_SAME_SIZE = 2.0
# How much more a path counts that begins where the face of the part before was.
_CONTINUED = 2.0


@dataclass(frozen=True)
class FaceTrack:
    """The face in each of T frames.

    Args:
        centres_px: (T, 2) float, x and y of the face's centre.
        sides_px: (T,) float, side of the square around the face, from brows to chin.
        crop_side_px: Median of the sides: one size for all crops, so that a crop changes only with what it shows.
        detected: (T,) bool, whether the face shows: detected in this frame, or followed between two in which it was.
        followed: (T,) bool, whether the place was followed from the frame before; False in the first frame, after a
            cut, and where the face is lost or shows again: there the difference of two places is no movement.
    """

    centres_px: np.ndarray
    sides_px: np.ndarray
    crop_side_px: float
    detected: np.ndarray
    followed: np.ndarray


class FaceTracker:
    """Follows one face through consecutive parts of a video.

    Args:
        detect_every_s: Time between two searches while a face shows.
        model: File of a YuNet network; None = the cascade that ships with OpenCV.
        times_smoothed: How often each detected box is averaged with its neighbours (weights 1 2 1), the movement
            between them taken out.

    Raises:
        DataError: The model's file is missing or of another kind.
    """

    def __init__(self, detect_every_s: float = 0.5, model: Path | None = None, times_smoothed: int = 1) -> None:
        self._every_s, self._times_smoothed = detect_every_s, times_smoothed
        self._find: Finder = Cascade() if model is None else YuNet(model)
        self._last: np.ndarray | None = None

    def track(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> FaceTrack:
        """Finds the face in the next frames.

        The whole picture is searched until a face is known, which is then followed in both directions of time, and
        searched for where it is expected. Where it is lost, or a cut comes, the whole picture is searched again. Of
        several faces the one that is largest and in most frames is kept; another one is never taken for it that shows
        at the same time. Without any, the last known box is kept, or the picture's centre square.

        Args:
            frames: T >= 1 frames of one size, (H, W, 3) uint8 RGB or (H, W) uint8 grey.
            times_s: (T,) increasing.

        Returns:
            The track; `detected` is False throughout where no face was detected.
        """
        n = len(times_s)
        detected, followed = np.zeros(n, bool), np.arange(n) > 0
        chosen = self._one_face(self._paths(frames, times_s))
        if not chosen:
            height, width = frames[0].shape[:2]
            centre = np.array([width / 2, height / 2, min(height, width)], float)
            box = centre if self._last is None else self._last
            return FaceTrack(np.tile(box[:2], (n, 1)), np.full(n, box[2]), float(box[2]), detected, followed)
        boxes = np.empty((n, 3))
        end = 0
        for path in chosen:
            trace = path.trace(times_s, self._times_smoothed)
            span = slice(path.first, path.last + 1)
            boxes[span] = trace
            # Until it shows again the face is kept where it was last.
            boxes[end : path.first] = boxes[end - 1] if end else trace[0]
            detected[span] = path.shown(frames, trace)
            end = path.last + 1
            followed[path.first + 1 : end] = [path.steps[frame] is not None for frame in range(path.first, path.last)]
            followed[path.first] = False
            followed[end : end + 1] = False
        boxes[end:] = boxes[end - 1]
        self._last = boxes[-1]
        return FaceTrack(boxes[:, :2], boxes[:, 2], float(np.median(boxes[detected, 2])), detected, followed)

    def _paths(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> list[FacePath]:
        """The paths of all faces that were detected while the main one was not known."""
        finder = PathFinder(self._find, frames, times_s, self._every_s)
        last = len(times_s) - 1
        short = times_s[-1] - times_s[0] <= _SHORT * self._every_s
        # In a short part there are few chances.
        gap_s, shares = (self._every_s, _SHARES_OF_SHORT) if short else (_GAP * self._every_s, _LEAST_SHARES)
        at = tries = 0
        while at <= last:
            known = self._last if at == 0 else None
            boxes = np.empty((0, 3)) if known is None else self._find.near(frames[at], known)
            if not len(boxes):
                # The last frame of a long part comes soon after a search, or the next part does after it.
                share = LARGE if at == last and tries and not short else shares[tries % len(shares)]
                boxes = self._find.anywhere(frames[at], share)
                tries += 1
            for box in boxes:
                finder.follow(at, box)
            main = max(finder.paths, key=_side, default=None)
            if main is not None and main.first <= at <= main.last:
                at, tries = main.last + 1, 0
            elif at == last:
                break
            else:
                at = min(last, max(at + 1, int(np.searchsorted(times_s, times_s[at] + gap_s - 1e-3))))
        return finder.paths

    def _one_face(self, paths: list[FacePath]) -> list[FacePath]:
        """The paths of the main face, in order."""

        def weight(path: FacePath) -> float:
            goes_on = path.first == 0 and self._last is not None and overlaps(self._last, path.hits[0]) > 0
            return _weight(path) * (_CONTINUED if goes_on else 1.0)

        def apart(path: FacePath, other: FacePath) -> bool:
            return path.last < other.first or path.first > other.last

        faces: list[list[FacePath]] = []
        ordered = sorted(paths, key=weight, reverse=True)
        for seed in ordered:
            face = [seed]
            for path in ordered:
                same_size = 1 / _SAME_SIZE < _side(path) / _side(seed) < _SAME_SIZE
                if same_size and all(apart(path, other) for other in face):
                    face.append(path)
            faces.append(face)
        best = max(faces, key=lambda face: sum(map(weight, face)), default=[])
        return sorted(best, key=lambda path: path.first)


def _side(path: FacePath) -> float:
    return float(np.median([box[2] for box in path.hits.values()]))


def _weight(path: FacePath) -> float:
    return (path.last - path.first + 1) * _side(path) ** 2
