from dataclasses import replace

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from mtpkd_cli.media.face_crops import crop_faces, downsample
from mtpkd_cli.media.faces import FaceTracker

# Where the face is in matplotlib's portrait of Grace Hopper, by eye: from brows to chin.
FACE_X, FACE_Y, FACE_SIDE = 262, 215, 220


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return cv2.imread(str(get_sample_data("grace_hopper.jpg", asfileobj=False)), cv2.IMREAD_GRAYSCALE)


def scene(portrait: np.ndarray, x: float, y: float = 20.0, side: int = 150) -> np.ndarray:
    """A (150, 250) picture with the portrait, 512 x 600 scaled to `side` wide, its corner at (x, y - 20)."""
    scale = side / portrait.shape[1]
    place = np.array([[scale, 0, x], [0, scale, y - 20]])
    return cv2.warpAffine(portrait, place, (250, 150), flags=cv2.INTER_AREA, borderValue=90)


def test_the_face_is_found_where_it_is(portrait):
    track = FaceTracker().track(portrait[None], np.zeros(1))
    np.testing.assert_allclose(track.centres_px[0], [FACE_X, FACE_Y], atol=15)
    assert track.sides_px[0] == pytest.approx(FACE_SIDE, rel=0.1)
    assert track.crop_side_px == track.sides_px[0]
    assert track.detected.tolist() == [True]


def test_a_moving_face_is_followed_between_the_searches(portrait):
    times_s = np.arange(31) / 10
    shifts = 60 * times_s / times_s[-1]
    track = FaceTracker().track(np.stack([scene(portrait, 10 + shift) for shift in shifts]), times_s)
    expected = 10 + shifts + FACE_X * 150 / 512
    assert np.abs(track.centres_px[:, 0] - expected).max() < 8
    assert np.ptp(track.sides_px) < 0.15 * track.crop_side_px
    assert track.detected.all()


def test_the_same_frames_give_the_same_track(portrait):
    frames = np.stack([scene(portrait, 30), scene(portrait, 40), scene(portrait, 50)])
    one, other = (FaceTracker().track(frames, np.arange(3.0)) for _ in range(2))
    np.testing.assert_array_equal(one.centres_px, other.centres_px)
    np.testing.assert_array_equal(one.sides_px, other.sides_px)


def test_without_a_face_the_centre_square_is_taken_and_said():
    track = FaceTracker().track(np.full((5, 37, 53), 128, np.uint8), np.arange(5) / 10)
    np.testing.assert_array_equal(track.centres_px, np.tile([26.5, 18.5], (5, 1)))
    np.testing.assert_array_equal(track.sides_px, np.full(5, 37))
    assert not track.detected.any()


def test_a_picture_smaller_than_any_face_is_searched_without_error():
    assert not FaceTracker().track(np.zeros((1, 7, 5), np.uint8), np.zeros(1)).detected.any()


def test_frames_near_a_search_without_a_face_are_not_found(portrait):
    times_s = np.arange(41) / 10
    blank = np.full((150, 250), 90, np.uint8)
    frames = np.stack([scene(portrait, 40) if t < 2.05 else blank for t in times_s])
    detected = FaceTracker().track(frames, times_s).detected
    assert detected[:21].all()
    assert not detected[30:].any()


def test_a_face_that_only_shows_between_the_searches_is_found(portrait):
    times_s = np.arange(11) / 10
    frames = np.full((11, 150, 250), 90, np.uint8)
    frames[3:8] = scene(portrait, 40)
    track = FaceTracker().track(frames, times_s)
    assert track.detected.any()
    assert not track.detected[[0, 10]].any()


def test_the_larger_of_two_faces_is_kept(portrait):
    both = np.full((150, 250), 90, np.uint8)
    both[:150, :128] = cv2.resize(portrait, (128, 150), interpolation=cv2.INTER_AREA)
    both[:94, 165:245] = cv2.resize(portrait, (80, 94), interpolation=cv2.INTER_AREA)
    track = FaceTracker().track(np.stack([both] * 3), np.arange(3.0))
    np.testing.assert_allclose(track.centres_px[:, 0], FACE_X * 128 / 512, atol=8)


def test_a_part_without_a_face_keeps_the_box_of_the_part_before(portrait):
    tracker = FaceTracker()
    before = tracker.track(scene(portrait, 40)[None], np.zeros(1))
    after = tracker.track(np.full((3, 150, 250), 90, np.uint8), np.arange(1.0, 4.0))
    np.testing.assert_array_equal(after.centres_px, np.repeat(before.centres_px, 3, axis=0))
    assert after.crop_side_px == before.crop_side_px
    assert not after.detected.any()


def test_crops_hold_the_face_and_repeat_the_border_beyond_the_picture(portrait):
    frames = scene(portrait, -15)[None]  # the face touches the left border
    track = FaceTracker().track(frames, np.zeros(1))
    crops = crop_faces(frames, track, 48)
    assert crops.shape == (1, 48, 48)
    assert crops.dtype == np.uint8
    # Pixel by pixel the crop is what an enlarged picture holds at the same place, whole or half a pixel.
    left, top = np.round(4 * (track.centres_px[0] - track.crop_side_px / 2)).astype(int)
    large, side = cv2.resize(frames[0], None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR), round(4 * track.crop_side_px)
    inside = cv2.resize(large[top : top + side, left : left + side], (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(crops[0].astype(int) - inside).mean() < 4
    wide = replace(track, centres_px=np.array([[2.0, 75.0]]), crop_side_px=60.0)
    assert np.ptp(crop_faces(frames, wide, 30)[0, :, :12], axis=1).max() <= 6


def test_downsampled_frames_hold_the_same_square_in_fewer_pixels(portrait):
    # Without detail finer than what is passed over.
    frames = [cv2.GaussianBlur(scene(portrait, x), (0, 0), 2) for x in (10, 14)]
    track = FaceTracker().track(np.stack(frames), np.arange(2) / 10)
    small, less = downsample(frames, track, int(track.crop_side_px / 2))
    assert [frame.shape for frame in small] == [(75, 125)] * 2
    np.testing.assert_array_equal(small[1], frames[1][::2, ::2])
    assert less.crop_side_px == track.crop_side_px / 2
    coarse, fine = crop_faces(small, less, 24).astype(float), crop_faces(frames, track, 24).astype(float)
    assert np.abs(coarse - fine).mean() < 4
    same, unchanged = downsample(frames, track, 1000)
    assert unchanged is track
    assert same[0] is frames[0]
