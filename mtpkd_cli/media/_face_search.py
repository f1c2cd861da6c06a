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
_PICTURE_PX, _LEAST_SHARE = 240, 1 / 7
_COARSE, _COARSE_SHARE, _SMALL = 2 / 3, 1 / 5, 5 / 6
# Near a known box: how far around it, how much its side may have changed, and the side that is enough to measure it.
_REACH, _SHRINKS, _GROWS, _ENOUGH_PX = 0.8, 0.8, 1.25, 36
# Steps between the sizes that are tried, and how many boxes must agree. The whole picture is looked over in wide steps,
# for one box is enough to look closer: in fine steps, which cost little near a box and halve its noise.
_STEP, _FINE_STEP = 1.3, 1.1
_HINTS, _SURE = 1, 2
# Parts begin at multiples of this, so that the same face is measured alike whatever is known of it.
_GRID_PX = 8


def find_faces(frame: np.ndarray, known: np.ndarray, *, small: bool = True) -> np.ndarray:
    """Looks near the known boxes, and in the whole picture where there is nothing near any of them.

    Args:
        frame: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        known: (n, 3) boxes of the same faces in a frame before; n = 0 where there is none.
        small: Whether to look for faces below a fifth of the picture's short side too.

    Returns:
        (n, 3) float boxes, in no order.
    """
    boxes = _near(frame, known)
    return boxes if len(boxes) else _anywhere(frame, small)


def _near(frame: np.ndarray, known: np.ndarray) -> np.ndarray:
    boxes = [np.empty((0, 3))]
    whole = _fit(frame)
    for box in known:
        if any((np.abs(others - box) < box[2] / 4).all(axis=1).any() for others in boxes):
            continue
        scale = whole * _COARSE if box[2] * whole * _COARSE >= _ENOUGH_PX else whole
        cell, reach = _GRID_PX / scale, _REACH * box[2]
        left, top = (max(0, round(np.floor((place - reach) / cell) * cell)) for place in box[:2])
        right, bottom = (round(np.ceil((place + reach) / cell) * cell) for place in box[:2])
        part = frame[top : max(0, bottom), left : max(0, right)]
        if part.size:
            least_px, most_px = (box[2] * scale * change for change in (_SHRINKS, _GROWS))
            detected = _search(part, scale, least_px, most_px, step=_FINE_STEP, agree=_SURE)
            boxes.append(detected + np.array([left, top, 0]))
    return np.concatenate(boxes)


def _anywhere(frame: np.ndarray, small: bool) -> np.ndarray:
    import cv2

    whole, short_px = _fit(frame), min(frame.shape[:2])
    coarse_px = short_px * whole * _COARSE_SHARE
    # A third of the bytes to sample down.
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.ndim == 3 else frame
    hints = _search(grey, whole * _COARSE, coarse_px * _COARSE)
    boxes = _near(frame, hints)
    if len(boxes) or not small:
        return boxes
    hints = _search(grey, whole * _SMALL, short_px * whole * _SMALL * _LEAST_SHARE, coarse_px * _SMALL * _GROWS)
    return _near(frame, hints)


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
