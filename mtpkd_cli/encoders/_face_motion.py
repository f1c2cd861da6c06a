"""How a face moves from frame to frame: optical flow, split into movement of the head and within the face.

All measures of the flow are linear in it, so all frames go through one matrix product. Legend: T frames, S side of the
crop, R regions.

References:
    Farneback, "Two-frame motion estimation based on polynomial expansion", SCIA 2003 (the flow).
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from mtpkd_cli.encoders._face_looks import REGIONS, region_means, region_of

# The head's movement is measured where the skin moves least with the face's expression.
_RIGID = ("glabella", "nose", "cheek_left", "cheek_right", "brow_left", "brow_right")
_STRETCHED = (("mouth", 0), ("mouth", 1), ("eye_left", 1), ("eye_right", 1))

SPEED_NAMES = tuple(f"{region}_speed" for region in REGIONS)
FLOW_NAMES = (
    *(f"{region}_{axis}" for region in REGIONS for axis in ("dx", "dy")),
    *(f"{region}_stretch_{'xy'[axis]}" for region, axis in _STRETCHED),
)
HEAD_NAMES = ("head_dx", "head_dy", "head_growth", "head_roll")

_FLOW_SIDE_PX, _COARSE_FLOW_PX = 48, 32
_FLOW_BOX = (1 / 12, 1 / 8, 11 / 12, 1.0)  # holds all regions; no flow is measured beyond


def motion(crops: np.ndarray, *, coarse: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measures the movement from each crop to the next.

    The flow is split into what a rigid head does (shift, growth, roll; least squares over the steady regions) and the
    rest, which is movement within the face. Lengths are shares of the crop's side, per pair of frames.

    Args:
        crops: (T, S, S) uint8 grey, T >= 2.
        coarse: Measure at two thirds of the detail, which takes half the time.

    Returns:
        speeds: (T - 1, R) float32, mean length of the flow within the face, columns `SPEED_NAMES`.
        flows: (T - 1, 2R + 4) float32, its mean direction per region, and how much mouth and eyes
            stretch, columns `FLOW_NAMES`.
        head: (T - 1, 4) float32, columns `HEAD_NAMES`; growth as a share, roll in radians, clockwise positive.
    """
    flow = _flow(crops, _COARSE_FLOW_PX if coarse else _FLOW_SIDE_PX)
    n, size = flow.shape[:2]
    rigid, flat = _rigid(size), flow.reshape(n, -1)
    measures = flat @ rigid.fit
    head, flows = measures[:, : len(HEAD_NAMES)], measures[:, len(HEAD_NAMES) :]
    residual = flat - head @ rigid.fields
    np.square(residual, out=residual)
    lengths = np.sqrt(residual[:, ::2] + residual[:, 1::2])
    return lengths @ region_means(size), flows, head


@dataclass(frozen=True)
class _Rigid:
    """What a rigid head does to a flow of P pixels.

    Args:
        fit: (2P, 4 + 2R + 4) gives shift of the crop's centre, growth and roll of a flow by least squares over steady
            regions, then what `motion` calls flows, of what is left of the flow without these.
        fields: (4, 2P) the flow of each of the four by itself.
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
        region_of(steady, REGIONS[name])[...] = True
    chosen = np.repeat(steady.ravel(), 2)
    head = np.zeros_like(fields.T)
    head[chosen] = np.linalg.pinv(fields[:, chosen])
    factors = _face_flow_factors(size)
    # All of it is linear, so what the head's share takes away is taken out of the factors once.
    fit = np.concatenate([head, factors - head @ (fields @ factors)], axis=1)
    return _Rigid(fit.astype(np.float32), fields.astype(np.float32))


def _face_flow_factors(size: int) -> np.ndarray:
    """(2P, 2R + 4) factors of a flow: its mean direction per region and stretches, columns `FLOW_NAMES`."""
    factors = np.zeros((size, size, 2, len(FLOW_NAMES)))
    n_directions = 2 * len(REGIONS)
    for axis in (0, 1):
        factors[:, :, axis, axis:n_directions:2] = region_means(size).reshape(size, size, -1)
    for column, (name, axis) in enumerate(_STRETCHED, n_directions):
        # Slope of one component along the axis that it points to: positive where the region widens (0) or opens (1).
        region = region_of(factors[None, :, :, axis, column], REGIONS[name])
        length = region.shape[2 - axis]
        ticks = np.arange(length) - (length - 1) / 2
        slope = ticks / (ticks @ ticks) * length / region.shape[1 + axis]
        region[...] = slope if axis == 0 else slope[:, None]
    return factors.reshape(2 * size**2, -1)


def _flow(crops: np.ndarray, side_px: int) -> np.ndarray:
    import cv2

    size = min(side_px, crops.shape[1])
    small = np.stack([cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA) for crop in crops])
    parts = np.ascontiguousarray(region_of(small, _FLOW_BOX))
    flows = np.zeros((len(small) - 1, size, size, 2), np.float32)
    whole = np.empty((*parts.shape[1:], 2), np.float32)
    for flow, (a, b) in zip(region_of(flows, _FLOW_BOX), pairwise(parts), strict=True):
        flow[...] = cv2.calcOpticalFlowFarneback(
            a, b, whole, pyr_scale=0.5, levels=2, winsize=9, iterations=2, poly_n=3, poly_sigma=1.1, flags=0
        )
    return flows / np.float32(size)
