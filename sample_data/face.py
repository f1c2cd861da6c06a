"""A drawn face: appearance of one simulated subject, and one RGB frame per set of face controls.

The still parts (backdrop, skin, hair, shading) are painted once per subject on a canvas of twice the frame's size;
brows, eyes and mouth are painted per frame, and the head is then moved over the backdrop. Pixels stay 8-bit, where
OpenCV's blur and drawing give the same values on every processor.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SIZE_PX = 128
_CANVAS = 256
_FRACTION_BITS = 4
_SKINS = ((236, 200, 176), (224, 178, 148), (200, 152, 120), (176, 126, 94), (146, 102, 76), (240, 210, 190))
_HAIRS = ((40, 30, 26), (74, 50, 34), (120, 84, 48), (150, 146, 142), (28, 24, 24), (176, 140, 84))


@dataclass(frozen=True)
class Look:
    """Still pictures and measures of one face; colours are RGB, lengths are canvas pixels (two per frame pixel).

    Attributes:
        head: (256, 256, 3) uint8, the head without brows, eyes and mouth.
        alpha: (256, 256) uint8, 255 on the head.
        backdrop: (128, 128, 3) uint8.
    """

    skin: np.ndarray
    brow: np.ndarray
    lips: np.ndarray
    head: np.ndarray
    alpha: np.ndarray
    backdrop: np.ndarray
    eye_dx: float
    eye_y: float
    eye_rx: float
    mouth_y: float
    mouth_rx: float
    brow_thickness: int


def _ellipse(
    image: np.ndarray, centre: tuple[float, float], axes: tuple[float, float], colour: np.ndarray | tuple[float, ...]
) -> None:
    """Fill an anti-aliased ellipse in place, to a sixteenth of a pixel."""
    unit = 1 << _FRACTION_BITS
    points = [(round(a * unit), round(b * unit)) for a, b in (centre, axes)]
    cv2.ellipse(image, points[0], points[1], 0, 0, 360, _rgb(colour), -1, cv2.LINE_AA, _FRACTION_BITS)


def _line(
    image: np.ndarray, points: list[tuple[float, float]], colour: np.ndarray | tuple[float, ...], thickness: int
) -> None:
    fixed = np.round(np.array(points) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.polylines(image, [fixed], False, _rgb(colour), thickness, cv2.LINE_AA, _FRACTION_BITS)


def _rgb(colour: np.ndarray | tuple[float, ...]) -> tuple[int, ...]:
    return tuple(int(c) for c in np.clip(np.asarray(colour), 0, 255))


def _shade(image: np.ndarray, centre: tuple[float, float], axes: tuple[float, float], gain: float, blur: float) -> None:
    """Multiply a soft-edged ellipse of the picture by `gain`, in place."""
    mask = np.zeros(image.shape[:2], np.uint8)
    _ellipse(mask, centre, axes, (255,))
    soft = cv2.GaussianBlur(mask, (0, 0), blur)
    image[:] = np.clip(image * (1 + (gain - 1) * soft[..., None] / 255.0) + 0.5, 0, 255).astype(np.uint8)


def make_look(rng: np.random.Generator) -> Look:
    """Draw an appearance and paint its still parts."""
    skin = np.array(_SKINS[rng.integers(len(_SKINS))]) * rng.uniform(0.93, 1.05)
    hair = np.array(_HAIRS[rng.integers(len(_HAIRS))])
    rx, ry = rng.uniform(64, 76), rng.uniform(88, 96)
    cx, cy = 128.0, 134.0
    eye_dx, eye_y = 0.42 * rx * rng.uniform(0.95, 1.05), cy - rng.uniform(14, 20)
    mouth_y = cy + 0.52 * ry
    head, alpha = np.empty((_CANVAS, _CANVAS, 3), np.uint8), np.zeros((_CANVAS, _CANVAS), np.uint8)
    head[:] = _rgb(hair)
    hair_rx = rx + rng.uniform(2, 12)
    _ellipse(alpha, (cx, cy - 10), (hair_rx, ry), (255,))
    _ellipse(alpha, (cx, cy), (rx, ry), (255,))
    for side in (-1, 1):
        _ellipse(alpha, (cx + side * rx, cy - 4), (9, 17), (255,))
        _ellipse(head, (cx + side * rx, cy - 4), (9, 17), skin * 0.85)
    hairline = rng.uniform(10, 34)
    _ellipse(head, (cx, cy + hairline / 2), (rx, ry - hairline / 2), skin)
    _ellipse(head, (cx, cy + ry * 0.2), (rx, ry * 0.8), skin)

    _shade(head, (cx, eye_y - 34), (rx * 0.6, 18), 1.13, 12)
    _shade(head, (cx, cy + ry), (rx * 1.1, 26), 0.72, 14)
    for side in (-1, 1):
        _shade(head, (cx + side * rx * 1.05, cy), (16, ry), 0.74, 14)
        _shade(head, (cx + side * eye_dx, eye_y - 2), (eye_dx * 0.72, 15), 0.62, 7)
        _shade(head, (cx + side * eye_dx * 1.05, eye_y + 34), (20, 15), 1.17, 9)
        _shade(head, (cx + side * 13, cy + 14), (6, 12), 0.86, 4)
        _shade(head, (cx + side * 7, cy + 24), (4.5, 3), 0.45, 1.5)
    _shade(head, (cx, cy - 4), (6, 30), 1.16, 4)
    _shade(head, (cx, cy + 16), (9, 7), 1.1, 4)
    _shade(head, (cx, mouth_y + 19), (20, 5), 0.85, 4)
    _shade(head, (cx + rng.choice([-1, 1]) * 60, cy), (45, 110), rng.uniform(0.78, 0.97), 30)

    wall = np.clip(rng.uniform(70, 190) + rng.normal(0, 14, 3), 20, 235)
    ramp = np.linspace(rng.uniform(0.75, 1), rng.uniform(0.75, 1), SIZE_PX)[None, :, None]
    backdrop = (wall * ramp * np.linspace(1.05, 0.9, SIZE_PX)[:, None, None]).astype(np.uint8)
    _ellipse(backdrop, (64, 112), (17, 24), skin * 0.7)
    _ellipse(backdrop, (64, 146), (58, 30), rng.uniform(30, 190, 3))
    return Look(
        skin=skin,
        brow=np.minimum(hair, skin * 0.5),
        lips=skin * np.array([0.78, 0.55, 0.55]),
        head=head,
        alpha=cv2.GaussianBlur(alpha, (0, 0), 1.2),
        backdrop=cv2.GaussianBlur(backdrop, (0, 0), 1.5),
        eye_dx=eye_dx,
        eye_y=eye_y,
        eye_rx=rng.uniform(14, 16.5),
        mouth_y=mouth_y,
        mouth_rx=rng.uniform(21, 27),
        brow_thickness=int(rng.integers(5, 9)),
    )


def _draw_eye(canvas: np.ndarray, look: Look, side: int, opening: float, gaze: tuple[float, float]) -> None:
    centre = (128 + side * look.eye_dx, look.eye_y)
    axes = (look.eye_rx, 8.5 * opening)
    if opening > 0.12:
        eye, mask = canvas.copy(), np.zeros(canvas.shape[:2], np.uint8)
        _ellipse(eye, centre, (look.eye_rx + 2, 12), np.minimum(look.skin * 0.5 + 110, 225))
        pupil = (centre[0] + 6 * gaze[0], centre[1] + 4 * gaze[1])
        _ellipse(eye, pupil, (7, 7), (62, 48, 40))
        _ellipse(eye, pupil, (3.4, 3.4), (14, 12, 12))
        _ellipse(mask, centre, axes, (255,))
        canvas[:] = np.where(mask[..., None] > 127, eye, canvas)
    arc = [(centre[0] + axes[0] * np.cos(a), centre[1] - axes[1] * np.sin(a)) for a in np.linspace(0, np.pi, 9)]
    _line(canvas, arc, look.skin * 0.25, 3)


def draw(look: Look, control: dict[str, float], light: float) -> np.ndarray:
    """Draw one frame, `(128, 128, 3)` uint8 RGB.

    Args:
        look: the subject's still parts.
        control: one value for each key of `sensors.face_motion`.
        light: brightness of the whole picture, around 1.
    """
    brow, eye, mouth = (float(np.clip(control[name], -0.25, 1.6)) for name in ("brow", "eye", "mouth"))
    canvas = look.head.copy()
    opening = float(np.clip((0.95 - 0.45 * eye) * (1 - control["blink"]), 0.05, 1.15))
    for side in (-1, 1):
        _draw_eye(canvas, look, side, opening, (control["gaze_x"], control["gaze_y"]))
        inner, outer, y = look.eye_dx - 15 - 3 * brow, look.eye_dx + 19, look.eye_y - 21 + 2 * max(0.0, eye)
        points = [(inner, y + 9 * brow), ((inner + outer) / 2, y - 4 + 5 * brow), (outer, y + 2 + 2 * brow)]
        _line(canvas, [(128 + side * x, py) for x, py in points], look.brow, look.brow_thickness)
        if brow > 0.15:
            _line(canvas, [(128 + side * 5, y - 2), (128 + side * 4, y + 12)], look.skin * (1 - 0.35 * min(brow, 1)), 2)
    gap = max(0.0, mouth) * 11
    width = look.mouth_rx * (1 + 0.12 * mouth)
    _ellipse(canvas, (128, look.mouth_y + gap * 0.4), (width, 6.5 + gap), look.lips)
    _ellipse(canvas, (128, look.mouth_y + gap * 0.4), (width * 0.9, 1.2 + gap), look.lips * 0.3)

    scale = 0.5 * (1 - 0.05 * control["head"])
    move = np.array(cv2.getRotationMatrix2D((128, 140), control["roll"] + 3 * control["head"], scale), float)
    move[:, 2] += np.array([64 - 128 + control["sway_x"], 68 - 140 + control["sway_y"] - 4 * control["head"]])
    # A coarse grid keeps the warp off the rounding of any one processor.
    move = np.round(move * 1024) / 1024
    canvas = cv2.GaussianBlur(canvas, (3, 3), 0)
    head = cv2.warpAffine(canvas, move, (SIZE_PX, SIZE_PX), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(look.alpha, move, (SIZE_PX, SIZE_PX))[..., None].astype(np.int32)
    frame = (head * alpha + look.backdrop * (255 - alpha) + 127) // 255
    return np.clip(frame * light, 0, 255).astype(np.uint8)
