"""What a face crop shows and how it moves: oriented edges and darkness of facial regions, and optical flow.

The regions follow the muscles of facial expression, at their places in the square that a frontal face detector gives.
Means over regions and the fit of a rigid head are linear, so all frames go through one matrix product. Legend: T
frames, S side of the crop, R regions.

References:
    Ekman and Friesen, "Facial Action Coding System", 1978 (which regions move).
    Farneback, "Two-frame motion estimation based on polynomial expansion", SCIA 2003 (the flow).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

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
# The head's own movement is measured where the skin moves least with the face's expression.
_RIGID = ("glabella", "nose", "cheek_left", "cheek_right", "brow_left", "brow_right")
_STRETCHED = (("mouth", 0), ("mouth", 1), ("eye_left", 1), ("eye_right", 1))

LOOK_NAMES = tuple(f"{region}_{what}" for region in REGIONS for what in (*(f"edges_{e}" for e in _EDGES), "brightness"))
SPEED_NAMES = tuple(f"{region}_speed" for region in REGIONS)
FLOW_NAMES = (
    *(f"{region}_{axis}" for region in REGIONS for axis in ("dx", "dy")),
    *(f"{region}_stretch_{'xy'[axis]}" for region, axis in _STRETCHED),
)
COLOUR_NAMES = ("skin_red", "skin_green")
HEAD_NAMES = ("head_dx", "head_dy", "head_growth", "head_roll")

_FLOW_SIDE_PX, _COARSE_FLOW_PX = 48, 32
_FLOW_BOX = (1 / 12, 1 / 8, 11 / 12, 1.0)  # holds all regions; no flow is measured beyond
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
    grey, means = crops.astype(np.float32), _region_means(size)
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


def motion(crops: np.ndarray, *, coarse: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measures the movement from each crop to the next.

    The flow is split into what a rigid head does (shift, growth, roll; least squares over the steady regions) and the
    rest, which is the face's own. Lengths are shares of the crop's side, per pair of frames.

    Args:
        crops: (T, S, S) uint8 grey, T >= 2.
        coarse: Measure at two thirds of the detail, which takes half the time.

    Returns:
        speeds: (T - 1, R) float32, mean length of the face's own flow, columns `SPEED_NAMES`.
        flows: (T - 1, 2R + 4) float32, its mean direction per region, and how much mouth and eyes
            stretch, columns `FLOW_NAMES`.
        head: (T - 1, 4) float32, columns `HEAD_NAMES`; growth as a share, roll in radians, clockwise positive.
    """
    flow = _flow(crops, _COARSE_FLOW_PX if coarse else _FLOW_SIDE_PX)
    n, size = flow.shape[:2]
    means, rigid = _region_means(size), _rigid(size)
    head = flow.reshape(n, -1) @ rigid.fit
    own = flow - (head @ rigid.fields).reshape(flow.shape)
    speeds = np.hypot(own[..., 0], own[..., 1]).reshape(n, -1) @ means
    directions = np.matmul(np.moveaxis(own.reshape(n, -1, 2), 2, 1), means).swapaxes(1, 2).reshape(n, -1)
    stretches = [_stretch(_region(own, REGIONS[name])[..., axis], axis)[:, None] for name, axis in _STRETCHED]
    return speeds, np.concatenate([directions, *stretches], axis=1), head


@dataclass(frozen=True)
class _Rigid:
    """What a rigid head does to a flow of P pixels.

    Args:
        fit: (2P, 4) gives shift of the crop's centre, growth and roll of a flow by least squares over steady regions.
        fields: (4, 2P) the flow of each by itself.
    """

    fit: np.ndarray
    fields: np.ndarray


@cache
def _rigid(size: int) -> _Rigid:
    ticks = (np.arange(size) + 0.5) / size - 0.5
    x, y = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
    one, none = np.ones_like(x), np.zeros_like(x)
    # Shift is that of the crop's centre: it does not depend on where the steady regions lie.
    fields = np.stack([(one, none), (none, one), (x, y), (-y, x)]).transpose(0, 2, 1).reshape(4, -1)
    steady = np.zeros((1, size, size), bool)
    for name in _RIGID:
        _region(steady, REGIONS[name])[...] = True
    chosen = np.repeat(steady.ravel(), 2)
    fit = np.zeros_like(fields.T)
    fit[chosen] = np.linalg.pinv(fields[:, chosen])
    return _Rigid(fit.astype(np.float32), fields.astype(np.float32))


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


def _flow(crops: np.ndarray, side_px: int) -> np.ndarray:
    import cv2

    size = min(side_px, crops.shape[1])
    small = np.stack([cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops])
    parts = np.ascontiguousarray(_region(small, _FLOW_BOX))
    flows = np.zeros((len(small) - 1, size, size, 2), np.float32)
    whole = np.empty((*parts.shape[1:], 2), np.float32)
    for flow, (a, b) in zip(_region(flows, _FLOW_BOX), pairwise(parts), strict=True):
        flow[...] = cv2.calcOpticalFlowFarneback(
            a, b, whole, pyr_scale=0.5, levels=2, winsize=9, iterations=2, poly_n=3, poly_sigma=1.1, flags=0
        )
    return flows / np.float32(size)


def _region(maps: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    size = maps.shape[1]
    left, top, right, bottom = (round(share * size) for share in box)
    return maps[:, top:bottom, left:right]


@cache
def _region_means(size: int) -> np.ndarray:
    """(size * size, R) float32: pixels @ this = their mean in every region."""
    masks = np.zeros((len(REGIONS), size, size), np.float32)
    for mask, box in zip(masks, REGIONS.values(), strict=True):
        region = _region(mask[None], box)
        region[...] = 1.0 / region.size
    return np.ascontiguousarray(masks.reshape(len(REGIONS), -1).T)


def _stretch(component: np.ndarray, axis: int) -> np.ndarray:
    # Slope of one flow component along its own axis: positive where the region widens (0) or opens (1).
    profile = component.mean(axis=1 + axis)
    ticks = np.arange(profile.shape[1], dtype=np.float32)
    ticks -= ticks.mean()
    return profile @ ticks / (ticks @ ticks) * profile.shape[1]
