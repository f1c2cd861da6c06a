"""Finding faces in one frame by the Haar cascade of OpenCV: in the whole picture, or near where they were before.

The cascade ships with OpenCV, so nothing is downloaded, and it is deterministic. Searching a whole picture costs as
much as decoding a few frames, and near a known box a fifth of that: there is less to look at, and one size to look for.
A box is (x, y, side): the centre and side of a square in pixels of the frame.

References:
    Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
    Lienhart and Maydt, "An extended set of Haar-like features for rapid object detection", ICIP 2002.
"""

from functools import cache
from typing import Any

import numpy as np

_CASCADE = "haarcascade_frontalface_alt2.xml"
_WINDOW_PX = 20  # side of the picture that the cascade was trained on
# Longest side of the picture that is searched, and the smallest face in it as a share of its short side. A coarse look
# for faces from a fifth on takes a fifth of the time, so it comes first, and mostly alone.
_PICTURE_PX, _COARSE, LARGE = 240, 2 / 3, 1 / 5
# Up to this side OpenCV tries every second place of every second row only, above it takes four times as long.
_SPARSE_PX = 2 * _WINDOW_PX
# Near a known box: how far around it, how much its side may have changed, and the side that is enough to measure it.
_REACH, _FAR, _SHRINKS, _GROWS, _ENOUGH_PX = 0.8, 1.5, 0.8, 1.25, 36
# Steps between the sizes that are tried, and how many boxes must agree. The whole picture is looked over in wide steps,
# for one box is enough to look closer: in fine steps, which cost little near a box and halve its noise.
_STEP, _FINE_STEP = 1.3, 1.1
_HINTS, _SURE = 1, 2
# Parts begin at multiples of this, so that the same face is measured alike whatever is known of it.
_GRID_PX = 8


class Cascade:
    """Finds faces with the cascade."""

    def near(self, frame: np.ndarray, box: np.ndarray, *, far: bool = False) -> np.ndarray:
        """Looks near a known box for faces of nearly its size.

        Args:
            frame: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
            box: (3,) where the face is expected.
            far: Whether to look as far as the face's side away.

        Returns:
            (n, 3) float boxes, in no order.
        """
        return _near(frame, box[None], _FAR if far else _REACH)

    def anywhere(self, frame: np.ndarray, least_share: float) -> np.ndarray:
        """Looks in the whole frame: for large faces first, and for small ones if there are none.

        Args:
            frame: See `near`.
            least_share: Side of the smallest faces, as a share of the picture's short side. Below `LARGE` they take a
                multiple of the time.

        Returns:
            See `near`.
        """
        import cv2

        whole, short_px = _fit(frame), min(frame.shape[:2])
        coarse_px = short_px * whole * LARGE
        # A third of the bytes to sample down.
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.ndim == 3 else frame
        hints = _search(grey, whole * _COARSE, coarse_px * _COARSE)
        boxes = _near(frame, hints)
        if len(boxes) or least_share >= LARGE:
            return boxes
        small = min(1.0, _WINDOW_PX / (short_px * least_share))
        hints = _search(grey, small, _WINDOW_PX, min(_SPARSE_PX, short_px * small * LARGE * _GROWS))
        return _near(frame, hints)


def _near(frame: np.ndarray, known: np.ndarray, reach: float = _REACH) -> np.ndarray:
    boxes = [np.empty((0, 3))]
    whole = _fit(frame)
    for box in known:
        if any((np.abs(others - box) < box[2] / 4).all(axis=1).any() for others in boxes):
            continue
        # The picture's usual scales, or for a small face whatever is enough to measure it.
        scale = next((s for s in (whole * _COARSE, whole) if box[2] * s >= _ENOUGH_PX), None)
        scale = min(1.0, 2.0 ** (np.ceil(2 * np.log2(_ENOUGH_PX / box[2])) / 2)) if scale is None else scale
        cell, around = _GRID_PX / scale, reach * box[2]
        left, top = (max(0, round(np.floor((place - around) / cell) * cell)) for place in box[:2])
        right, bottom = (round(np.ceil((place + around) / cell) * cell) for place in box[:2])
        part = frame[top : max(0, bottom), left : max(0, right)]
        if part.size:
            least_px, most_px = (box[2] * scale * change for change in (_SHRINKS, _GROWS))
            detected = _search(part, scale, least_px, most_px, step=_FINE_STEP, agree=_SURE)
            boxes.append(detected + np.array([left, top, 0]))
    return np.concatenate(boxes)


def _fit(frame: np.ndarray) -> float:
    return min(1.0, _PICTURE_PX / max(frame.shape[:2]))


def _search(
    picture: np.ndarray,
    scale: float,
    least_px: float,
    most_px: float = 0.0,
    *,
    step: float = _STEP,
    agree: int = _HINTS,
) -> np.ndarray:
    """(n, 3) boxes in pixels of the picture; sides from `least_px` to `most_px` after scaling, 0 = without limit;
    `agree` boxes at least, of neighbouring places and sizes, make one."""
    import cv2

    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    least, most = max(_WINDOW_PX, int(least_px)), int(most_px)
    if min(size) < least:
        return np.empty((0, 3))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else np.ascontiguousarray(picture)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    detected = _cascade().detectMultiScale(
        cv2.equalizeHist(grey), scaleFactor=step, minNeighbors=agree, minSize=(least, least), maxSize=(most, most)
    )
    corners = np.array(detected, float).reshape(-1, 4) / scale
    return np.column_stack([corners[:, :2] + corners[:, 2:] / 2, corners[:, 2]])


@cache
def _cascade() -> Any:
    import cv2
    from cv2.data import haarcascades

    cv2.setNumThreads(1)
    return cv2.CascadeClassifier(haarcascades + _CASCADE)
