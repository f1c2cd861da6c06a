"""What pictures suffer: frames lost, fewer of them, blur, noise, something that stands before them.

Each function begins a stream: (level, draws) -> change, and `change` takes the frames that come next, (T, H, W, 3)
uint8, and gives new frames and which of them are there, (T,) bool. The input is left as it is. Legend: T frames, H
height and W width in pixels.
"""

from collections.abc import Callable

import numpy as np

Change = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

_GREY = 128


def drop_frames(level: float, draws: np.random.Generator) -> Change:
    """Every frame but the first is lost by chance, `level` of them; the picture before it is shown again."""
    shown: np.ndarray | None = None

    def change(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal shown
        result = frames.copy()
        for frame, luck in zip(result, draws.random(len(frames)), strict=True):
            if shown is not None and luck < level:
                frame[:] = shown
            shown = frame
        shown = None if shown is None else shown.copy()  # else the whole part would be kept
        return result, np.ones(len(frames), bool)

    return change


def keep_every_nth(level: float, _draws: np.random.Generator) -> Change:
    """Only every `level`-th frame of those that are read is there, from the first."""
    seen = 0

    def change(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal seen
        kept = (seen + np.arange(len(frames))) % int(level) == 0
        seen += len(frames)
        return frames, kept

    return change


def blur(level: float, _draws: np.random.Generator) -> Change:
    """A Gaussian blur whose standard deviation is `level` of the picture's height."""
    import cv2

    def one(frame: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(frame, (0, 0), level * frame.shape[0])

    return _each(one)


def add_noise(level: float, draws: np.random.Generator) -> Change:
    """Noise of a sensor: Gaussian, of standard deviation `level` grey levels, drawn for every pixel and colour."""

    def one(frame: np.ndarray) -> np.ndarray:
        noise = draws.standard_normal(frame.shape, np.float32)
        return np.rint(frame + np.float32(level) * noise).clip(0, 255).astype(np.uint8)

    return _each(one)


def occlude(level: float, draws: np.random.Generator) -> Change:
    """A grey rectangle of the picture's shape covers `level` of its area, at one random place all the time."""
    place = draws.random(2)

    def one(frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        covered = round(height * level**0.5), round(width * level**0.5)
        top, left = (
            round(at * (whole - part)) for at, whole, part in zip(place, (height, width), covered, strict=True)
        )
        result = frame.copy()
        result[top : top + covered[0], left : left + covered[1]] = _GREY
        return result

    return _each(one)


def _each(one: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Changes frame by frame: noise in floats for a whole part would take gigabytes."""

    def change(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([one(frame) for frame in frames]), np.ones(len(frames), bool)

    return change
