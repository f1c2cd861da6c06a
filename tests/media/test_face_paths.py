"""Where the face is while it moves, goes, comes back or is another: a portrait on paths that are known by construction.

The portrait's outline is an oval that is laid over a backdrop, so the face moves and the backdrop does not.
"""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from mtpkd_cli.media.faces import FaceTrack, FaceTracker

# The face of matplotlib's portrait of Grace Hopper: where the cascade sees it, in the middle of many sizes and places.
FACE_X, FACE_Y, FACE_SIDE = 264.9, 217.6, 225.3
WIDTH, HEIGHT, RATE_HZ = 320, 240, 10
SIDE = 80.0


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """(H, W, 2) uint8: the picture and its outline."""
    picture = cv2.imread(str(get_sample_data("grace_hopper.jpg", asfileobj=False)), cv2.IMREAD_GRAYSCALE)
    outline = np.zeros_like(picture)
    axes = round(0.56 * FACE_SIDE), round(0.86 * FACE_SIDE)
    cv2.ellipse(outline, (round(FACE_X), round(FACE_Y - 0.08 * FACE_SIDE)), axes, 0, 0, 360, (255,), -1)
    return np.stack([picture, cv2.GaussianBlur(outline, (0, 0), 7)], axis=2)


def backdrop(shade: int = 100) -> np.ndarray:
    """A wall with doors and lamps: edges that stay where they are."""
    wall = np.full((HEIGHT, WIDTH), shade, np.uint8)
    for left in range(10, WIDTH, 60):
        cv2.rectangle(wall, (left, 30), (left + 25, HEIGHT), (shade + 50,), -1)
        cv2.circle(wall, (left + 40, 20), 9, (shade - 60,), -1)
    return wall


def put(scene: np.ndarray, portrait: np.ndarray, x: float, y: float, side: float, roll: float = 0.0) -> np.ndarray:
    """The scene with the face's centre at (x, y); `roll` in radians."""
    scale = side / FACE_SIDE
    a, b = scale * np.cos(roll), scale * np.sin(roll)
    place = np.array([[a, -b, x - a * FACE_X + b * FACE_Y], [b, a, y - b * FACE_X - a * FACE_Y]])
    # Several pixels become one: their mean, not one of them.
    soft = cv2.GaussianBlur(portrait, (0, 0), max(0.3, 0.35 / scale)) if scale < 0.7 else portrait
    face, alpha = cv2.split(cv2.warpAffine(soft, place, (WIDTH, HEIGHT)))
    return (face * (alpha / 255.0) + scene * (1 - alpha / 255.0)).astype(np.uint8)


def film(n: int, draw: Callable[[float], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """n frames at 10 Hz with camera noise, and their times."""
    rng, times_s = np.random.default_rng(0), np.arange(n) / RATE_HZ
    clean = np.stack([draw(float(t)) for t in times_s])
    return (clean + rng.normal(0, 3, clean.shape)).clip(0, 255).astype(np.uint8), times_s


def errors(track: FaceTrack, x: np.ndarray | float, y: np.ndarray | float, side: np.ndarray | float) -> np.ndarray:
    """(T,) distance from the true centre in sides of the face."""
    return np.hypot(track.centres_px[:, 0] - x, track.centres_px[:, 1] - y) / side


@pytest.mark.parametrize(
    ("right", "down", "roll", "growth"),
    [(0.5, 0.0, 0.0, 0.0), (0.0, 0.3, 0.0, 0.0), (0.1, 0.0, 0.3, 0.0), (0.0, 0.0, 0.0, 0.3)],
    ids=["a sway of a side in half a second", "a nod", "a roll", "to the camera and back"],
)
def test_a_head_that_sways_once_a_second_is_where_its_box_is(portrait, right, down, roll, growth):
    def wave(t: float | np.ndarray) -> np.ndarray:
        return np.sin(2 * np.pi * np.asarray(t) + 0.7)

    def draw(t: float) -> np.ndarray:
        x, y = WIDTH / 2 + right * SIDE * wave(t), 125 + down * SIDE * wave(t)
        slow = np.sin(2 * np.pi * t / 4)
        return put(backdrop(), portrait, float(x), float(y), SIDE * float(np.exp(growth * slow)), roll * float(wave(t)))

    frames, times_s = film(40, draw)
    track = FaceTracker().track(frames, times_s)
    error = errors(track, WIDTH / 2 + right * SIDE * wave(times_s), 125 + down * SIDE * wave(times_s), SIDE)
    assert track.detected.all()
    assert np.quantile(error, 0.9) < 0.08
    assert error.max() < 0.16
    assert track.followed[1:].all()
    # The head's speed is what it was: smoothing takes nothing from the sway.
    assert np.ptp(track.centres_px[:, 0]) == pytest.approx(2 * right * SIDE, abs=0.1 * SIDE)


def test_a_face_that_leaves_is_lost_in_the_frame_in_which_it_is_gone(portrait):
    # It walks out to the right from 1.3 s to 2.0 s, is away, and is back in one frame at 3.3 s.
    def place(t: float) -> float:
        return 130.0 if t < 1.3 or t >= 3.3 else 130 + (WIDTH - 130 + SIDE) * min(1.0, (t - 1.3) / 0.7)

    frames, times_s = film(45, lambda t: put(backdrop(), portrait, place(t), 125, SIDE))
    track = FaceTracker().track(frames, times_s)
    inside = np.array([place(t) < WIDTH - SIDE / 2 for t in times_s])
    outside = np.array([place(t) > WIDTH for t in times_s])
    assert track.detected[inside].mean() > 0.95
    assert not track.detected[outside].any()
    assert errors(track, np.array([place(t) for t in times_s]), 125, SIDE)[track.detected].max() < 0.16
    assert not track.followed[33]


@pytest.mark.parametrize("gone_s", [0.4, 1.4])
def test_a_face_behind_something_is_lost_although_it_comes_back_in_the_same_place(portrait, gone_s):
    def draw(t: float) -> np.ndarray:
        scene = put(backdrop(), portrait, 160, 125, SIDE)
        if 1.05 < t < 1.05 + gone_s:
            scene[20:, 80:240] = 40
        return scene

    frames, times_s = film(40, draw)
    hidden = (times_s > 1.05) & (times_s < 1.05 + gone_s)
    np.testing.assert_array_equal(FaceTracker().track(frames, times_s).detected, ~hidden)


def test_nothing_is_interpolated_across_a_cut(portrait):
    places = {0: (80.0, 120.0, SIDE), 1: (240.0, 130.0, 64.0)}

    def draw(t: float) -> np.ndarray:
        after = int(t >= 1.65)
        return put(backdrop(60 + 100 * after)[:, :: -1 if after else 1], portrait, *places[after])

    frames, times_s = film(40, draw)
    x, y, side = np.array([places[int(t >= 1.65)] for t in times_s]).T
    track = FaceTracker().track(frames, times_s)
    assert track.detected.all()
    assert errors(track, x, y, side).max() < 0.08
    np.testing.assert_array_equal(np.flatnonzero(~track.followed), [0, 17])


@pytest.mark.parametrize(("share", "seconds"), [(0.18, 0.8), (0.13, 1.2), (0.13, 4.0)])
def test_a_small_face_is_seen_in_a_short_clip(portrait, share, seconds):
    side = share * HEIGHT
    frames, times_s = film(round(seconds * RATE_HZ), lambda t: put(backdrop(), portrait, 150 + 10 * t, 100, side))
    track = FaceTracker().track(frames, times_s)
    assert track.detected.all()
    assert errors(track, 150 + 10 * times_s, 100, side).max() < 0.16


def test_a_face_that_shows_late_in_a_long_clip_is_seen_from_the_first_frame_that_holds_it(portrait):
    wall = backdrop()
    frames, times_s = film(100, lambda t: put(wall, portrait, 160, 110, 0.14 * HEIGHT) if t >= 5.45 else wall)
    detected = FaceTracker().track(frames, times_s).detected
    assert not detected[:55].any()
    assert detected[55:].mean() > 0.9


@pytest.mark.parametrize("away", [False, True], ids=["both stay", "the nearer one leaves and comes back"])
def test_of_two_people_the_nearer_one_is_kept_and_never_changed_for_the_other(portrait, away):
    def place(t: float) -> float:
        return -100.0 if away and 1.55 < t < 2.65 else 85 + 12 * np.sin(2 * np.pi * 0.6 * t)

    def draw(t: float) -> np.ndarray:
        return put(put(backdrop(), portrait[:, ::-1], 255 + FACE_MIRROR * 60, 105, 60), portrait, place(t), 125, 86)

    frames, times_s = film(40, draw)
    track = FaceTracker().track(frames, times_s)
    x = np.array([place(t) for t in times_s])
    np.testing.assert_array_equal(track.detected, x > 0)
    assert errors(track, x, 125, 86)[track.detected].max() < 0.16


# The mirrored portrait's face lies elsewhere in it: by this many sides.
FACE_MIRROR = (2 * FACE_X - 512) / FACE_SIDE


def test_parts_of_a_long_video_keep_to_one_of_two_people(portrait):
    scene = put(put(backdrop(), portrait, 250, 105, 72), portrait, 85, 125, 80)
    tracker = FaceTracker()
    tracker.track(*film(8, lambda _: scene))
    # In the next part the other one is as near.
    nearer = put(put(backdrop(), portrait, 250, 105, 88), portrait, 85, 125, 80)
    track = tracker.track(*film(8, lambda _: nearer))
    assert track.detected.all()
    assert errors(track, 85, 125, 80).max() < 0.16
