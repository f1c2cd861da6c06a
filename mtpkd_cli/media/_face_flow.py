"""Following a face from frame to frame: where a grid of points within its square goes.

Sparse optical flow costs a fifth of a search, moves the square by fractions of a pixel, and holds where a head turns
too far for the detector. It cannot tell a face from a wall, so what it says holds only between frames that were
searched. A box is (x, y, side): the centre and side of a square in pixels of the frame.

References:
    Lucas and Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981.
    Kalal, Mikolajczyk and Matas, "Forward-backward error: automatic detection of tracking failures", ICPR 2010.
"""

from collections.abc import Sequence

import numpy as np

# Shares of the face's side: how far around it is cut out, how far it may go in there before that is done anew, and how
# far from its centre the points lie.
_REACH, _DRIFT, _SPREAD = 1.3, 0.3, 0.36
_FACE_PX, _POINTS, _WINDOW_PX, _LEVELS = 40, 6, 9, 3
# By how much of the side a point may miss where the others go or where it came from, and how many points must not.
_STRAYS, _LEAST_SHARE, _MOST_GROWTH = 0.06, 0.6, 1.25
_PATCH_PX = 16


class FaceFlow:
    """Follows one face through frames that come one after the other, in either direction of time.

    Args:
        frame: The first, (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        box: The face in it.
    """

    def __init__(self, frame: np.ndarray, box: np.ndarray) -> None:
        self._frame = self._grey = frame
        self._look_at(frame, box)

    def step(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Follows the face into the next frame.

        Args:
            frame: The next, of the same size.
            box: The face in the frame before.

        Returns:
            (3,) the face in this frame; None where its points do not go one way, as at a cut.
        """
        if abs(box - self._centre).max() > _DRIFT * self._centre[2]:
            self._look_at(self._frame, box)
        grey = self._cut(frame)
        before, self._grey, self._frame = self._grey, grey, frame
        ticks = np.linspace(-_SPREAD, _SPREAD, _POINTS) * box[2]
        points = (np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2) + box[:2] - self._corner) * self._scale
        inside = ((points > 1) & (points < np.array(before.shape[::-1]) - 2)).all(axis=1)
        if inside.sum() < _LEAST_SHARE * len(points):
            return None
        return self._moved(before, grey, points[inside], box)

    def _moved(self, before: np.ndarray, after: np.ndarray, points: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        import cv2

        def follow(one: np.ndarray, other: np.ndarray, places: np.ndarray) -> np.ndarray:
            window, until = (_WINDOW_PX, _WINDOW_PX), (3, 10, 0.03)
            ends, _, _ = cv2.calcOpticalFlowPyrLK(
                one, other, places, places.copy(), winSize=window, maxLevel=_LEVELS, criteria=until
            )
            return np.asarray(ends)

        points = points.astype(np.float32)
        moved = follow(before, after, points)
        back = follow(after, before, moved)
        strays = _STRAYS * box[2] * self._scale
        steady = np.hypot(*(back - points).T) < strays
        a, b = points @ (1, 1j), moved @ (1, 1j)
        for _ in range(3):
            if steady.sum() < _LEAST_SHARE * len(points):
                return None
            # Least squares of b = turn * a + shift over complex numbers: shift, growth and roll.
            centre_a, centre_b = a[steady].mean(), b[steady].mean()
            from_a, from_b = a[steady] - centre_a, b[steady] - centre_b
            turn = (from_a.conj() @ from_b) / (from_a.conj() @ from_a).real
            steady = abs(b - centre_b - turn * (a - centre_a)) < strays
        if not 1 / _MOST_GROWTH < abs(turn) < _MOST_GROWTH:
            return None
        place = (box[:2] - self._corner) @ (1, 1j) * self._scale
        place = (centre_b + turn * (place - centre_a)) / self._scale
        return np.array([place.real + self._corner[0], place.imag + self._corner[1], box[2] * abs(turn)])

    def _look_at(self, frame: np.ndarray, box: np.ndarray) -> None:
        # Areas of two by two pixels are averaged fast; of large faces the pixels between are passed over.
        shrinks = round(box[2] / _FACE_PX)
        self._skip, self._areas = max(1, shrinks // 2), min(2, max(1, shrinks))
        times = self._skip * self._areas
        height, width = frame.shape[:2]
        reach = _REACH * box[2]
        self._centre, self._scale = box, 1 / times
        self._span = []
        for place, length in zip(box[:2], (width, height), strict=True):
            first = min(max(0, round(place - reach)), max(0, length - times))
            last = min(length, max(first + times, round(place + reach)))
            self._span.append((first, last - (last - first) % times))
        self._corner = np.array([self._span[0][0], self._span[1][0]], float)
        self._frame, self._grey = frame, self._cut(frame)

    def _cut(self, frame: np.ndarray) -> np.ndarray:
        import cv2

        (left, right), (top, bottom) = self._span
        part, size = frame[top:bottom, left:right], ((right - left) // self._skip, (bottom - top) // self._skip)
        part = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)
        grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) if part.ndim == 3 else part
        size = (size[0] // self._areas, size[1] // self._areas)
        return grey if self._areas == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def alike(frames: Sequence[np.ndarray] | np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How much what is in each box looks like what is in the first and in the last of them.

    Args:
        frames: T frames, (H, W) uint8 grey or (H, W, 3) uint8 RGB.
        boxes: (T, 3) boxes in them.

    Returns:
        (T,) float, the larger correlation of the two, from -1 to 1; 0 where a box lies outside its frame.
    """
    import cv2

    patches = np.zeros((len(boxes), _PATCH_PX**2), np.float32)
    for patch, frame, (x, y, side) in zip(patches, frames, boxes.tolist(), strict=True):
        left, top = max(0, round(x - side / 2)), max(0, round(y - side / 2))
        part = frame[top : max(0, round(y + side / 2)), left : max(0, round(x + side / 2))]
        if part.size:
            grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) if part.ndim == 3 else part
            patch[:] = cv2.resize(grey, (_PATCH_PX,) * 2, interpolation=cv2.INTER_AREA).ravel()
    patches -= patches.mean(axis=1, keepdims=True)
    patches /= np.maximum(np.linalg.norm(patches, axis=1, keepdims=True), 1e-6)
    return (patches @ patches[[0, -1]].T).max(axis=1)
