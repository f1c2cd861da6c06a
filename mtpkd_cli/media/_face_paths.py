"""The path of one face through consecutive frames, from one detection of it: forwards and backwards as far as it shows.

Between two searches the face is followed by the optical flow. Where a search is in vain, the frames since the last one
that was not are searched as well, so that the path ends where the face does. A box is (x, y, side).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from mtpkd_cli.media._face_boxes import overlaps, smooth
from mtpkd_cli.media._face_flow import FaceFlow, alike

# What a detected box must share with where the flow puts the face, and where the flow is lost.
_SAME_PLACE, _NEARBY = 0.3, 0.1
# Intervals for which a face that no search confirms is followed on, in case one does again.
_PATIENCE = 4
# Meanwhile it must look like the last and the next that was detected: a head that turned, not one that has gone.
_ALIKE = 0.5


class Finder(Protocol):
    """Finds faces in one frame, (H, W) uint8 grey or (H, W, 3) uint8 RGB."""

    def near(self, frame: np.ndarray, box: np.ndarray, *, far: bool = False) -> np.ndarray:
        """(n, 3) boxes near a known one of nearly the same size; `far` = some way off too."""

    def anywhere(self, frame: np.ndarray, least_share: float) -> np.ndarray:
        """(n, 3) boxes in the whole frame, down to a share of its short side."""


@dataclass
class FacePath:
    """One face in consecutive frames, which go by their numbers.

    Args:
        hits: The boxes that searches detected.
        boxes: The boxes as followed, from `first` to `last` and in frames beyond in which no search confirms them.
        steps: Of each frame, the movement to the next: x and y in pixels, logarithm of the growth; None where the flow
            is lost in between.
        misses: Frames that were searched in vain.
    """

    hits: dict[int, np.ndarray]
    boxes: dict[int, np.ndarray] = field(default_factory=dict)
    steps: dict[int, np.ndarray | None] = field(default_factory=dict)
    misses: set[int] = field(default_factory=set)

    @property
    def first(self) -> int:
        """The first frame in which it was detected."""
        return min(self.hits)

    @property
    def last(self) -> int:
        """The last frame in which it was detected."""
        return max(self.hits)

    def is_at(self, frame: int, box: np.ndarray) -> bool:
        """Whether this face is at the box in a frame."""
        if not self.first <= frame <= self.last:
            return False
        return bool(overlaps(box, self.boxes[frame]) > _SAME_PLACE)

    def trace(self, times_s: np.ndarray, times_smoothed: int) -> np.ndarray:
        """(last - first + 1, 3) the boxes: as the flow moves them, at the places and sizes that were detected.

        What the detections differ from the flow by is their noise and the flow's drift: this is smoothed and
        interpolated, so that even fast movement stays whole. Nothing is interpolated where the flow is lost.
        """
        parts, start = [], self.first
        for frame in range(self.first, self.last + 1):
            if frame == self.last or self.steps[frame] is None:
                parts.append(self._run(start, frame, times_s, times_smoothed))
                start = frame + 1
        return np.concatenate(parts)

    def _run(self, start: int, end: int, times_s: np.ndarray, times_smoothed: int) -> np.ndarray:
        moves = [self.steps[frame] for frame in range(start, end)]
        flow = np.cumsum([np.zeros(3), *(move for move in moves if move is not None)], axis=0)
        hits = [frame for frame in range(start, end + 1) if frame in self.hits]
        detected = np.array([[*self.hits[frame][:2], np.log(self.hits[frame][2])] for frame in hits])
        rest = smooth(detected - flow[np.array(hits) - start], times_smoothed)
        span_s, hits_s = times_s[start : end + 1], times_s[hits]
        boxes = flow + np.stack([np.interp(span_s, hits_s, rest[:, k]) for k in range(3)], axis=1)
        boxes[:, 2] = np.exp(boxes[:, 2])
        return boxes

    def shown(self, frames: Sequence[np.ndarray] | np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Whether the face shows in each frame from `first` to `last`; `boxes` as `trace` gives them."""
        shows = np.ones(len(boxes), bool)
        hits = sorted(self.hits)
        for before, after in pairwise(hits):
            if any(before < miss < after for miss in self.misses):
                span = slice(before - self.first, after - self.first + 1)
                shows[span] &= alike(frames[before : after + 1], boxes[span]) >= _ALIKE
        return shows


class PathFinder:
    """Follows faces through T frames.

    Args:
        find: Finds faces in one frame.
        frames: Of one size, (H, W, 3) uint8 RGB or (H, W) uint8 grey.
        times_s: (T,) increasing.
        every_s: Time between two searches of a face that shows.
    """

    def __init__(
        self, find: Finder, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray, every_s: float
    ) -> None:
        self._find, self._frames, self._times_s, self._every_s = find, frames, times_s, every_s
        self.paths: list[FacePath] = []

    def follow(self, frame: int, box: np.ndarray) -> None:
        """Adds the path of a face detected in a frame, unless a path holds it already or no other frame confirms it."""
        if any(path.is_at(frame, box) for path in self.paths):
            return
        path = FacePath({frame: box}, {frame: box})
        for way in (1, -1):
            self._walk(path, frame, way)
        alone = np.delete(abs(self._times_s - self._times_s[frame]), frame).min(initial=np.inf) > self._every_s + 1e-3
        if alone or len(path.hits) > 1:
            self.paths.append(path)

    def _walk(self, path: FacePath, start: int, way: int) -> None:
        box = path.hits[start]
        flow, at, confirmed, searched = FaceFlow(self._frames[start], box), start, start, start
        while 0 <= at + way < len(self._times_s):
            before, at = at, at + way
            moved = flow.step(self._frames[at], box)
            path.steps[min(before, at)] = None if moved is None else _step(box, moved) * way
            box = path.boxes[at] = box if moved is None else moved
            if any(other.is_at(at, box) for other in self.paths):
                break
            ends = not 0 <= at + way < len(self._times_s)
            if moved is not None and not ends and self._seconds(searched, at) < self._every_s - 1e-3:
                continue
            searched = at
            if self._detect(path, at, far=moved is None):
                confirmed, box = at, path.boxes[at]
                flow = FaceFlow(self._frames[at], box)
            elif moved is None or self._seconds(confirmed, at) >= _PATIENCE * self._every_s - 1e-3:
                break
        missed = [frame for frame in path.misses if (frame - confirmed) * way > 0]
        for frame in range(confirmed + way, min(missed, key=lambda f: f * way, default=confirmed), way):
            if not self._detect(path, frame):
                break

    def _detect(self, path: FacePath, frame: int, *, far: bool = False) -> bool:
        """Searches where the path puts the face in a frame; notes what comes of it."""
        box = path.boxes[frame]
        boxes = self._find.near(self._frames[frame], box, far=far)
        shares = overlaps(box, boxes)
        if shares.max(initial=0.0) <= (_NEARBY if far else _SAME_PLACE):
            path.misses.add(frame)
            return False
        path.hits[frame] = path.boxes[frame] = boxes[int(shares.argmax())]
        return True

    def _seconds(self, one: int, other: int) -> float:
        return float(abs(self._times_s[one] - self._times_s[other]))


def _step(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.array([*(after[:2] - before[:2]), np.log(after[2] / before[2])])
