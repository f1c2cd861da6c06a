"""How much of a segment's pictures shows a live face: one was detected, and the picture is neither blank nor frozen.

A camera never gives the same picture twice, so pictures that repeat for seconds come from a frozen stream or a still
that was made a video. A face that stands still in one is seen but does not live: what moves was not measured.
"""

from collections.abc import Sequence

import numpy as np

from mtpkd_cli.artifacts.quality import MEASURED, Quality, quality_of, worst
from mtpkd_cli.encoders import Segment

# A repeated picture differs by what its codec does to it: no pixel by more than this share of the picture's range, or
# these grey levels. Of coded stills, pixels differed by up to 20 levels; in 2 s of live video one by 75 at the least.
_SAME_SHARE, _SAME, _BLANK = 0.1, 3, 3.0
# A picture on this grid shows a face of 30 pixels or more.
_GRID = 4
# A stream that stops for less is late; a dull camera of few pictures a second repeats them for less.
_FROZEN_S = 2.0
# What one picture of a face is worth: it is described, and nothing that moves is.
_ONE_PICTURE = 0.1
# Times of frames are rounded, and rates do not divide a window evenly.
_ROUNDING = 0.02


class PictureWatch:
    """Watches the pictures of a segment go by, part by part."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._repeats, self._blank, self._detected = list[bool](), list[bool](), list[bool]()
        self._times_s = list[float]()

    def see(self, frames: Sequence[np.ndarray] | np.ndarray, times_s: np.ndarray) -> None:
        """Takes the next T frames, (H, W, 3) uint8, at times (T,)."""
        for frame, time_s in zip(frames, times_s.tolist(), strict=True):
            grid = np.ascontiguousarray(frame[::_GRID, ::_GRID])
            repeats = self._before is not None and _same(self._before, grid)
            # The first of a run stays, so that a slow change is a change.
            self._before = self._before if repeats else grid
            self._repeats.append(repeats)
            self._blank.append(self._blank[-1] if repeats else _deviation(grid) < _BLANK)
            self._times_s.append(time_s)

    def detect(self, detected: np.ndarray) -> None:
        """Takes whether a face was detected, (T,) bool, in the frames that were seen."""
        self._detected += detected.tolist()

    def quality(self, segment: Segment) -> Quality:
        """How much of the segment shows a live face."""
        detected, blank = np.array(self._detected), np.array(self._blank)
        if len(detected) == 1:
            lacks = "no face was detected" if not detected.any() else "the picture is blank"
            return (
                Quality(_ONE_PICTURE, "there is one picture only") if (detected & ~blank).any() else Quality(0.0, lacks)
            )
        frozen = self._frozen()
        missing = [
            (blank, "the picture is blank"),
            (frozen, "the picture never changes" if frozen.all() else "the picture does not change"),
            (~detected, "no face was detected"),
        ]
        share = 1.0 - float(np.any([part for part, _ in missing], axis=0).mean())
        if not share and (detected & ~blank).any():
            # A still face is described, as that of one picture is; and out of focus somebody may hardly move.
            share = _ONE_PICTURE
        # Of several reasons the one that is true of most pictures.
        most = max(missing, key=lambda reason: int(reason[0].sum()))[1]
        return worst(quality_of(share, most), self._covered(segment))

    def _frozen(self) -> np.ndarray:
        """(T,) bool, pictures of runs of the same one that last long, or are all there is."""
        times_s, first = np.array(self._times_s), np.flatnonzero(~np.array(self._repeats))
        run = np.searchsorted(first, np.arange(len(times_s)), side="right") - 1
        ends = np.append(first[1:], len(times_s)) - 1
        long = (times_s[ends] - times_s[first] >= _FROZEN_S) | (len(first) == 1)
        return np.asarray(long[run] & (ends > first)[run])

    def _covered(self, segment: Segment) -> Quality:
        if segment.end_s is None:
            return MEASURED
        times_s, wanted_s = np.array(self._times_s), segment.end_s - (segment.start_s or 0.0)
        reached_s = times_s[-1] + np.median(np.diff(times_s))
        return quality_of(
            (reached_s - max(0.0, times_s[0])) / wanted_s + _ROUNDING, "the recording ends before the window does"
        )


def _deviation(picture: np.ndarray) -> float:
    """Of the colour that varies most, in grey levels."""
    import cv2

    return float(cv2.meanStdDev(picture)[1].max())


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    import cv2

    if one.shape != other.shape:
        return False
    least, most = cv2.minMaxLoc(one.reshape(len(one), -1))[:2]
    return bool(cv2.norm(one, other, cv2.NORM_INF) <= max(_SAME, _SAME_SHARE * (most - least)))
