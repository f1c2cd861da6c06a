from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.cbook import get_sample_data
from pydantic import ValidationError

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.face import Config, encode
from mtpkd_cli.errors import DataError
from mtpkd_cli.media import video as video_module
from mtpkd_cli.media.faces import FaceTracker


def write_video(path: Path, frames: list[np.ndarray], rate_hz: int = 20) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate_hz, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    image = cv2.imread(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))[20:420, 60:460]
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), (144, 144), interpolation=cv2.INTER_AREA)


def warped(image: np.ndarray, x: float, y: float, reach: float, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
    """Pulls the skin around (x, y) by (dx, dy) pixels."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    bump = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2)).astype(np.float32)
    return cv2.remap(image, columns - dx * bump, rows - dy * bump, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def columns_like(features: Features, start: str, end: str) -> np.ndarray:
    chosen = [index for index, name in enumerate(features.names) if name.startswith(start) and name.endswith(end)]
    return features.values[:, chosen]


def rectangle(n: int, step_px: float, height: int = 74, width: int = 98) -> list[np.ndarray]:
    frames = []
    for index in range(n):
        frame = np.full((height, width, 3), 60, np.uint8)
        left = 20 + round(step_px * index)
        frame[25:50, left : left + 22] = 220
        frames.append(frame)
    return frames


def test_shape_names_and_times(tmp_path, portrait):
    features = encode(Segment(write_video(tmp_path / "a.mp4", [portrait] * 52)), Config())
    assert features.values.shape == (6, len(features.names))  # 2.6 s: five steps and a rest
    assert 80 <= len(features.names) <= 150
    assert len(set(features.names)) == len(features.names)
    assert features.values.dtype == np.float32
    assert np.isfinite(features.values).all()
    np.testing.assert_allclose(features.times_s, [0.25, 0.75, 1.25, 1.75, 2.25, 2.75])
    assert features.notes == {
        "steps": 6,
        "steps_without_face": 0,
        "steps_without_frames": 0,
        "read_by_pyav": 0,
        "frames_missing": 0,
        "seconds_past_end": 0.0,
    }


def test_the_same_video_gives_the_same_features(tmp_path, portrait):
    path = write_video(tmp_path / "a.mp4", [np.roll(portrait, i, 1) for i in range(24)])
    np.testing.assert_array_equal(*(encode(Segment(path), Config()).values for _ in range(2)))


def test_a_clip_of_one_frame_has_one_step_without_motion_or_change(tmp_path, portrait):
    features = encode(Segment(write_video(tmp_path / "one.mp4", [portrait])), Config())
    assert len(features.values) == 1
    assert np.isfinite(features.values).all()
    still = [name for name in features.names if name.endswith(("_dx", "_dy", "_speed", "_change", "_x", "_y", "_max"))]
    assert len(still) > 80
    assert all(column(features, name) == pytest.approx(0, abs=1e-6) for name in still)


@pytest.mark.parametrize("size", [(30, 26), (74, 98), (98, 50)])
@pytest.mark.parametrize("value", [0, 255])
def test_flat_pictures_without_a_face_stay_finite_and_are_counted(tmp_path, size, value):
    frames = [np.full((*size, 3), value, np.uint8)] * 23
    features = encode(Segment(write_video(tmp_path / "flat.mp4", frames)), Config())
    assert np.isfinite(features.values).all()
    assert features.notes["steps_without_face"] == features.notes["steps"] == 3
    assert not column(features, "face_found").any()


def test_a_moving_rectangle_moves_more_than_a_still_one(tmp_path):
    still, moving = (
        encode(Segment(write_video(tmp_path / f"{step}.mp4", rectangle(40, step))), Config(rate_hz=20.0))
        for step in (0, 0.75)
    )
    for name in ("nose_speed", "nose_speed_max", "head_speed_max"):
        assert column(moving, name).mean() > 10 * column(still, name).mean()
    assert column(moving, "head_dx").mean() > 0.02
    assert np.abs(column(still, "head_dx")).max() < 1e-3


def test_head_movement_has_the_speed_of_the_head(tmp_path, portrait):
    wide = cv2.copyMakeBorder(portrait, 0, 0, 0, 76, cv2.BORDER_REPLICATE)
    shift = [np.array([[1, 0, 0.6 * i], [0, 1, 0]]) for i in range(60)]
    frames = [cv2.warpAffine(wide, m, wide.shape[1::-1], borderMode=cv2.BORDER_REPLICATE) for m in shift]
    features = encode(Segment(write_video(tmp_path / "a.mp4", frames)), Config())
    side_px = 220 * 144 / 400  # the portrait's face
    assert np.median(column(features, "head_dx")) == pytest.approx(0.6 * 20 / side_px, rel=0.2)
    assert np.abs(column(features, "head_dy")).max() < 0.03
    assert np.all(np.diff(column(features, "head_x")) > 0)


def test_a_pulled_mouth_corner_shows_at_the_mouth_only(tmp_path, portrait):
    # The mouth of the portrait lies at about (72, 100); it is pulled down and back, as a jaw that drops.
    pulls = 4 * np.sin(np.linspace(0, 3 * np.pi, 60)) ** 2
    frames = [warped(portrait, 72, 103, 9, dy=float(pull)) for pull in pulls]
    features = encode(Segment(write_video(tmp_path / "a.mp4", frames)), Config())
    mouth = column(features, "mouth_speed").mean()
    for region in ("brow_left", "brow_right", "eye_left", "eye_right", "glabella"):
        assert mouth > 3 * column(features, f"{region}_speed").mean()
    # Speeds are per second: the rate of the frames does not set their scale.
    faster = encode(Segment(tmp_path / "a.mp4"), Config(rate_hz=20.0))
    assert column(faster, "mouth_speed").mean() == pytest.approx(mouth, rel=0.5)


def test_change_is_measured_against_the_clips_own_start(tmp_path, portrait):
    frowning = warped(warped(portrait, 56, 52, 8, dx=4, dy=3), 88, 52, 8, dx=-4, dy=3)
    features = encode(Segment(write_video(tmp_path / "a.mp4", [portrait] * 30 + [frowning] * 30)), Config())
    change = {r: np.abs(columns_like(features, f"{r}_", "_change")).mean(axis=1) for r in ("brow_left", "cheek_left")}
    assert change["brow_left"][:2].max() < 0.02
    assert change["brow_left"][3:].min() > 4 * change["brow_left"][:2].max()
    assert change["brow_left"][3:].min() > 2 * change["cheek_left"][3:].max()
    level, against_start = column(features, "nose_brightness"), column(features, "nose_brightness_change")
    np.testing.assert_allclose(against_start - against_start[0], level - level[0], atol=1e-6)


def test_median_baseline_centres_every_descriptor(tmp_path):
    path = write_video(tmp_path / "a.mp4", rectangle(60, 0.5))
    features = encode(Segment(path), Config(baseline="median", step_s=0.1))
    change = np.stack([column(features, name) for name in features.names if "edges" in name and "_change" in name])
    np.testing.assert_allclose(np.median(change, axis=1), 0, atol=1e-6)


def test_both_readers_give_the_same_features(tmp_path, portrait, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [np.roll(portrait, i // 2, 1) for i in range(40)])
    by_decord = encode(Segment(path), Config())
    monkeypatch.setattr(video_module, "_READERS", {"pyav": video_module._READERS["pyav"]})
    by_pyav = encode(Segment(path), Config())
    assert (by_decord.notes["read_by_pyav"], by_pyav.notes["read_by_pyav"]) == (0, 1)
    np.testing.assert_allclose(by_decord.values, by_pyav.values, atol=1e-4)


def test_a_segment_equals_the_same_frames_as_a_file_of_their_own(tmp_path, portrait):
    frames = [np.roll(portrait, i // 2, 1) for i in range(70)]
    whole, cut = write_video(tmp_path / "whole.mp4", frames), write_video(tmp_path / "cut.mp4", frames[20:50])
    segment = encode(Segment(whole, 1.0, 2.5), Config())
    alone = encode(Segment(cut), Config())
    np.testing.assert_allclose(segment.times_s, alone.times_s)
    # The two files are compressed apart from each other.
    assert np.abs(segment.values - alone.values).mean() < 0.01


def test_chunks_of_a_long_video_join_without_a_seam(tmp_path, portrait, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [portrait] * 25)
    whole = encode(Segment(path), Config(rate_hz=20.0))
    monkeypatch.setattr("mtpkd_cli.encoders.face._CHUNK", 7)
    np.testing.assert_allclose(encode(Segment(path), Config(rate_hz=20.0)).values, whole.values, atol=0.02)


def test_steps_between_sparse_frames_repeat_and_are_counted(tmp_path, portrait):
    path = write_video(tmp_path / "slow.mp4", [portrait] * 3, rate_hz=1)
    features = encode(Segment(path), Config())
    assert features.notes["steps"] == 5
    assert features.notes["steps_without_frames"] == 2
    np.testing.assert_array_equal(features.values[0], features.values[1])


def test_a_segment_that_passes_the_end_is_counted(tmp_path, portrait):
    path = write_video(tmp_path / "a.mp4", [portrait] * 20)
    features = encode(Segment(path, 0.5, 3.0), Config())
    assert features.notes["seconds_past_end"] == pytest.approx(2.0, abs=0.01)
    assert len(features.values) == 1


def test_a_broken_video_is_invalid_data(tmp_path, portrait):
    content = write_video(tmp_path / "a.mp4", [portrait] * 20).read_bytes()
    (tmp_path / "half.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        encode(Segment(tmp_path / "half.mp4"), Config())


@pytest.mark.parametrize("options", [{"step_s": 0.05}, {"rate_hz": 0.0}, {"crop_side_px": 16}, {"rate": 10.0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValidationError):
        Config(**options)


def test_given_boxes_of_the_same_face_give_the_same_features(tmp_path, portrait):
    frames = [np.roll(portrait, i // 2, 1) for i in range(40)]
    path = write_video(tmp_path / "a.mp4", frames)
    searched = encode(Segment(path), Config())
    whole = video_module.read_frames(path, rate_hz=10.0)
    track = FaceTracker().track(whole.frames, whole.times_s)
    corners = track.centres_px - track.sides_px[:, None] / 2
    table = pd.DataFrame({"time_s": whole.times_s, "x": corners[:, 0], "y": corners[:, 1]})
    table.assign(width=track.sides_px, height=track.sides_px).to_csv(tmp_path / "a_boxes.csv", index=False)
    given = encode(Segment(path), Config(face="boxes", smooth_boxes=0))
    np.testing.assert_allclose(given.values, searched.values, atol=0.05)
    assert given.notes == searched.notes
    (tmp_path / "a_boxes.csv").unlink()
    with pytest.raises(DataError, match="no table of face boxes"):
        encode(Segment(path), Config(face="boxes"))


def test_a_picture_that_is_a_crop_already_is_described_whole(tmp_path, portrait):
    path = write_video(tmp_path / "a.mp4", [portrait[20:120, 20:124]] * 20)
    features = encode(Segment(path), Config(face="cropped"))
    assert features.notes["steps_without_face"] == 0
    assert np.ptp(column(features, "head_size")) == 0
