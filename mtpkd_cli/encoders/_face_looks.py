"""How a face crop looks: oriented edges and darkness of facial regions, and the colour of the skin.

The regions follow the muscles of facial expression, at their places in the square that a frontal face detector gives.
Means over regions are linear, so all frames go through one matrix product. Legend: T frames, S side of the crop, R
regions.

References:
    Ekman and Friesen, "Facial Action Coding System", 1978 (which regions move).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

# Left, top, right, bottom as shares of the crop; left and right as seen in the picture.
REGIONS = {
    "brow_left": (0.10, 0.14, 0.44, 0.32),
    "brow_right": (0.56, 0.14, 0.90, 0.32),
    "glabella": (0.38, 0.14, 0.62, 0.42),
    "eye_left": (0.14, 0.29, 0.44, 0.48),
    "eye_right": (0.56, 0.29, 0.86, 0.48),
    "nose": (0.36, 0.42, 0.64, 0.68),
    "cheek_left": (0.08, 0.48, 0.38, 0.76),
    "cheek_right": (0.62, 0.48, 0.92, 0.76),
    "mouth": (0.25, 0.66, 0.75, 0.98),
}
_EDGES = ("vertical", "horizontal", "rising", "falling")

LOOK_NAMES = tuple(f"{region}_{what}" for region in REGIONS for what in (*(f"edges_{e}" for e in _EDGES), "brightness"))
COLOUR_NAMES = ("skin_red", "skin_green")

_LEAST_CONTRAST = 4.0
_BLOCK = 16  # crops at a time: what is computed of them stays in the processor's cache


def look(crops: np.ndarray) -> np.ndarray:
    """Describes each crop by itself.

    Brightness and contrast of the crop are taken out. Edges are mean absolute slopes in four directions: wrinkles, lids
    and lips show as edges across their direction.

    Args:
        crops: (T, S, S) uint8 grey.

    Returns:
        (T, R * 5) float32, columns `LOOK_NAMES`; brightness in standard deviations of the crop.
    """
    return np.concatenate([_look(crops[i : i + _BLOCK]) for i in range(0, len(crops), _BLOCK)])


def _look(crops: np.ndarray) -> np.ndarray:
    import cv2

    n, size = crops.shape[:2]
    grey, means = crops.astype(np.float32), region_means(size)
    level, spread = np.array([cv2.meanStdDev(crop) for crop in crops], np.float32)[:, :, 0].swapaxes(0, 1)
    spread = np.maximum(spread, _LEAST_CONTRAST)
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    np.subtract(grey[:, :, 2:], grey[:, :, :-2], out=across[:, :, 1:-1])
    np.subtract(grey[:, 2:], grey[:, :-2], out=down[:, 1:-1])
    rising, falling = across - down, across + down
    columns = np.empty((n, len(REGIONS), len(_EDGES) + 1), np.float32)
    lengths = (1.0, 1.0, 0.5**0.5, 0.5**0.5)
    for k, (slope, length) in enumerate(zip((across, down, rising, falling), lengths, strict=True)):
        np.abs(slope, out=slope)
        # A slope is half the difference of the two neighbours.
        columns[..., k] = slope.reshape(n, -1) @ means * (length / 2) / spread
    columns[..., -1] = (grey.reshape(n, -1) @ means - level) / spread
    return columns.reshape(n, -1)


def skin_colour(frames: Sequence[np.ndarray], centres_px: np.ndarray, side_px: float) -> np.ndarray:
    """Measures flushing and pallor, brightness taken out.

    Args:
        frames: T frames, (H, W, 3) uint8 RGB.
        centres_px: (T, 2) x and y of the face's centre.
        side_px: Side of the face.

    Returns:
        (T, 2) float, shares of red and green in the middle half of the face, columns `COLOUR_NAMES`.
    """
    import cv2

    reach, means = max(1, round(side_px / 4)), np.ones((len(frames), 3))
    for row, (frame, (x, y)) in enumerate(zip(frames, np.round(centres_px).astype(int).tolist(), strict=True)):
        patch = frame[max(0, y - reach) : max(0, y + reach), max(0, x - reach) : max(0, x + reach)]
        if patch.size:
            means[row] += cv2.mean(patch)[:3]
    return (means / means.sum(axis=1, keepdims=True))[:, :2]


def region_of(maps: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """(T, size, size, ...) and shares of it -> a view of that part of each map."""
    size = maps.shape[1]
    left, top, right, bottom = (round(share * size) for share in box)
    return maps[:, top:bottom, left:right]


@cache
def region_means(size: int) -> np.ndarray:
    """(size * size, R) float32: pixels @ this = their mean in every region."""
    masks = np.zeros((len(REGIONS), size, size), np.float32)
    for mask, box in zip(masks, REGIONS.values(), strict=True):
        region = region_of(mask[None], box)
        region[...] = 1.0 / region.size
    return np.ascontiguousarray(masks.reshape(len(REGIONS), -1).T)
