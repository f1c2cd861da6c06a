"""What a face crop shows and how it moves: oriented edges and darkness of facial regions, and optical flow.

The regions follow the muscles of facial expression (brows, glabella, eyes, nose, cheeks, mouth), at their places in the
square that a frontal face detector gives. Legend: T frames, S side of the crop, R regions.

References:
    Ekman and Friesen, "Facial Action Coding System", 1978 (which regions move).
    Farneback, "Two-frame motion estimation based on polynomial expansion", SCIA 2003 (the flow).
"""

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

_FLOW_SIDE_PX = 64
_LEAST_CONTRAST = 4.0


def look(crops: np.ndarray) -> np.ndarray:
    """Describes each crop by itself.

    Brightness and contrast of the whole crop are taken out first. Edges are the mean absolute slope in four
    directions: wrinkles, lids and lips show as edges across their direction.

    Args:
        crops: (T, S, S) uint8 grey.

    Returns:
        (T, R * 5) float32, columns `LOOK_NAMES`; brightness in standard deviations of the crop.
    """
    grey = crops.astype(np.float32)
    spread = np.maximum(grey.std(axis=(1, 2), keepdims=True), _LEAST_CONTRAST)
    grey = (grey - grey.mean(axis=(1, 2), keepdims=True)) / spread
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = (grey[:, :, 2:] - grey[:, :, :-2]) / 2
    down[:, 1:-1] = (grey[:, 2:] - grey[:, :-2]) / 2
    diagonal = np.float32(np.sqrt(0.5))
    maps = [np.abs(m) for m in (across, down, (across - down) * diagonal, (across + down) * diagonal)]
    columns = [_region(m, box).mean(axis=(1, 2)) for box in REGIONS.values() for m in (*maps, grey)]
    return np.stack(columns, axis=1)


def motion(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measures the movement from each crop to the next.

    The flow is split into what a rigid head does (shift, growth, roll; least squares over the steady regions) and the
    rest, which is the face's own. Lengths are shares of the crop's side, per pair of frames.

    Args:
        crops: (T, S, S) uint8 grey, T >= 2.

    Returns:
        speeds: (T - 1, R) float32, mean length of the face's own flow, columns `SPEED_NAMES`.
        flows: (T - 1, 2R + 4) float32, its mean direction per region, and how much mouth and eyes
            stretch, columns `FLOW_NAMES`.
        head: (T - 1, 4) float32, columns `HEAD_NAMES`; growth as a share, roll in radians, clockwise positive.
    """
    flow = _flow(crops)
    size = flow.shape[1]
    ticks = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    place = np.stack(np.broadcast_arrays(ticks[None, :], ticks[:, None]), axis=-1)
    steady = np.zeros((size, size), bool)
    for name in _RIGID:
        _region(steady[None], REGIONS[name])[...] = True
    p, v = place[steady], flow[:, steady]
    mean_p, mean_v = p.mean(axis=0), v.mean(axis=1)
    p, v = p - mean_p, v - mean_v[:, None]
    inertia = float((p**2).sum())
    growth = (v * p).sum(axis=(1, 2)) / inertia
    roll = (v[..., 1] * p[:, 0] - v[..., 0] * p[:, 1]).sum(axis=1) / inertia
    offset = place - mean_p
    turned = np.stack([-offset[..., 1], offset[..., 0]], axis=-1)
    own = flow - mean_v[:, None, None] - growth[:, None, None, None] * offset - roll[:, None, None, None] * turned
    length = np.hypot(own[..., 0], own[..., 1])
    speeds = np.stack([_region(length, box).mean(axis=(1, 2)) for box in REGIONS.values()], axis=1)
    means = [_region(own, box).mean(axis=(1, 2)) for box in REGIONS.values()]
    stretches = [_stretch(_region(own, REGIONS[name])[..., axis], axis)[:, None] for name, axis in _STRETCHED]
    # Shift of the crop's centre, so that the fit does not depend on where the steady regions lie.
    shift = mean_v - growth[:, None] * mean_p - roll[:, None] * np.array([-mean_p[1], mean_p[0]], np.float32)
    head = np.column_stack([shift, growth, roll])
    return speeds, np.concatenate([*means, *stretches], axis=1), head


def to_grey(frames: np.ndarray) -> np.ndarray:
    """Returns (T, H, W) uint8 grey of (T, H, W, 3) RGB."""
    import cv2

    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def skin_colour(frames: np.ndarray, centres_px: np.ndarray, side_px: float) -> np.ndarray:
    """Measures flushing and pallor, brightness taken out.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        centres_px: (T, 2) x and y of the face's centre.
        side_px: Side of the face.

    Returns:
        (T, 2) float, shares of red and green in the middle half of the face, columns `COLOUR_NAMES`.
    """
    reach, shares = max(1, round(side_px / 4)), []
    for frame, (x, y) in zip(frames, np.round(centres_px).astype(int), strict=True):
        patch = frame[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
        red, green, blue = (patch.reshape(-1, 3).mean(axis=0) if patch.size else np.zeros(3)) + 1.0
        shares.append((red / (red + green + blue), green / (red + green + blue)))
    return np.array(shares)


def _flow(crops: np.ndarray) -> np.ndarray:
    import cv2

    size = min(_FLOW_SIDE_PX, crops.shape[1])
    small = [cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops]
    flows = np.zeros((len(small) - 1, size, size, 2), np.float32)
    for flow, (a, b) in zip(flows, pairwise(small), strict=True):
        cv2.calcOpticalFlowFarneback(
            a, b, flow, pyr_scale=0.5, levels=2, winsize=9, iterations=2, poly_n=5, poly_sigma=1.1, flags=0
        )
    return flows / np.float32(size)


def _region(maps: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    size = maps.shape[1]
    left, top, right, bottom = (round(share * size) for share in box)
    return maps[:, top:bottom, left:right]


def _stretch(component: np.ndarray, axis: int) -> np.ndarray:
    # Slope of one flow component along its own axis: positive where the region widens (0) or opens (1).
    profile = component.mean(axis=1 + axis)
    ticks = np.arange(profile.shape[1], dtype=np.float32)
    ticks -= ticks.mean()
    return profile @ ticks / (ticks @ ticks) * profile.shape[1]
