"""Encoders that run a network, or give pixels to one: crops, windows and weights."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from matplotlib.cbook import get_sample_data
from pydantic import ValidationError

from mtpkd_cli.artifacts.feature_parts import PartAbout, read_parts, write_part
from mtpkd_cli.config.recordings import ModalitySection
from mtpkd_cli.encoders import Segment, clips, r2plus1d18, r3d18, resnet18
from mtpkd_cli.encoders.running import resolved_encoder
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.face_crops import crop_faces
from mtpkd_cli.media.faces import FaceTracker
from mtpkd_cli.media.video import read_frames
from mtpkd_cli.models.residual import ClipResidualNetwork, PictureResidualNetwork

BUILD = {
    "resnet18": (resnet18, PictureResidualNetwork),
    "r3d18": (r3d18, lambda: ClipResidualNetwork(apart=False)),
    "r2plus1d18": (r2plus1d18, lambda: ClipResidualNetwork(apart=True)),
}
COLOURS = {
    "resnet18": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "r3d18": ([0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]),
    "r2plus1d18": ([0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that drifts, 160 x 120 pixels, 23 frames at 10 per second."""
    image = cv2.imread(str(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for i in range(23):
            place = np.array([[0.2, 0, 25 + 0.5 * i], [0, 0.2, 2]])
            picture = cv2.warpAffine(image, place, (160, 120), flags=cv2.INTER_AREA, borderValue=90)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module", params=BUILD)
def weighted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Encoder, its name, the same network in plain torch, and the file of its weights."""
    torch.manual_seed(5)
    module, build = BUILD[request.param]
    network, path = build().eval(), tmp_path_factory.mktemp("weights") / f"{request.param}.pth"
    torch.save(network.state_dict(), path)
    return module, request.param, network, path


def squares(video: Path, side: int) -> np.ndarray:
    """The middle 120 x 120 of each frame, scaled."""
    frames = read_frames(video).frames[:, :, 20:140]
    return np.stack([cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames])


def test_pixels_are_the_square_around_the_face(video: Path) -> None:
    features = clips.encode(Segment(video), clips.Config(rate_hz=10.0, crop_side_px=24, margin=0.0))
    assert features.values.dtype == np.uint8
    assert features.values.shape == (23, 24 * 24 * 3) == (23, len(features.names))
    np.testing.assert_allclose(features.times_s, np.arange(23) / 10, atol=1e-6)
    assert features.names[:4] == ("0_0_r", "0_0_g", "0_0_b", "0_1_r")
    assert features.notes["frames"] == 23
    assert features.notes["frames_without_face"] == 0
    whole = read_frames(video)
    track = FaceTracker(clips.Config().detect_every_s).track(whole.frames, whole.times_s)
    np.testing.assert_array_equal(features.values, crop_faces(whole.frames, track, 24).reshape(23, -1))


def test_pixels_of_pictures_that_are_crops_already_are_their_centre_square(video: Path) -> None:
    features = clips.encode(Segment(video), clips.Config(rate_hz=10.0, crop_side_px=24, face="cropped"))
    np.testing.assert_array_equal(features.values.reshape(23, 24, 24, 3), squares(video, 24))


def test_pixels_stay_bytes_in_part_files(video: Path, tmp_path: Path) -> None:
    features = clips.encode(Segment(video, 0.0, 0.5), clips.Config(crop_side_px=16))
    about = PartAbout("k", features.names)
    write_part(tmp_path / "part-00000.parquet", {"s": (features.times_s, features.values)}, about)
    rows, _, values = read_parts(tmp_path, ["s"])
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values, features.values)
    assert len(rows) == 3
    assert (tmp_path / "part-00000.parquet").stat().st_size < 40_000


def test_features_are_the_networks_own_of_the_same_frames(weighted, video: Path) -> None:
    module, name, network, path = weighted
    frames = {"step_frames": 4} if name == "resnet18" else {"window_frames": 4, "hop_frames": 4}
    config = module.Config(weights=str(path), rate_hz=10.0, crop_side_px=32, face="cropped", **frames)
    features = module.encode(Segment(video), config)
    assert features.values.shape == (6, 512)
    assert features.values.dtype == np.float32
    assert features.names[0] == f"{name}_0"
    np.testing.assert_allclose(features.times_s, [0.15, 0.55, 0.95, 1.35, 1.75, 2.1], atol=1e-6)
    assert features.notes["short_windows"] == 1
    mean, deviation = (np.array(values) for values in COLOURS[name])
    pixels = (squares(video, 32) / 255.0 - mean) / deviation
    if name == "resnet18":
        given = torch.from_numpy(pixels.transpose(0, 3, 1, 2)).float()
        with torch.inference_mode():
            each = network.features(given).numpy()
        expected = [each[i : i + 4].mean(axis=0) for i in range(0, 23, 4)]
    else:
        padded = np.concatenate([pixels, pixels[-1:]]).reshape(6, 4, 32, 32, 3).transpose(0, 4, 1, 2, 3)
        with torch.inference_mode():
            expected = network.features(torch.from_numpy(padded).float()).numpy()
    np.testing.assert_allclose(features.values, np.stack(list(expected)), rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(weighted, video: Path) -> None:
    module, _, _, path = weighted
    options = {"weights": str(path), "rate_hz": 10.0, "crop_side_px": 32, "face": "cropped"}
    here, there = (module.encode(Segment(video), module.Config(**options, device=on)) for on in ("cpu", "cuda"))
    # Convolutions may round to ten bits there (TF32).
    np.testing.assert_allclose(there.values, here.values, rtol=1e-2, atol=1e-2 * np.abs(here.values).max())
    np.testing.assert_array_equal(there.times_s, here.times_s)


@pytest.mark.parametrize("weighted", ["r3d18", "r2plus1d18"], indirect=True)
def test_windows_overlap_and_join_over_parts(weighted, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, _, path = weighted
    config = module.Config(
        weights=str(path), rate_hz=10.0, crop_side_px=16, face="cropped", window_frames=6, hop_frames=4
    )
    whole = module.encode(Segment(video), config)
    # Frames 0-5, 4-9, ..., 16-21, and 20-22, which adds frame 22.
    np.testing.assert_allclose(whole.times_s, [0.25, 0.65, 1.05, 1.45, 1.85, 2.1], atol=1e-6)
    monkeypatch.setattr("mtpkd_cli.encoders._faces._CHUNK", 5)
    np.testing.assert_allclose(module.encode(Segment(video), config).values, whole.values, rtol=1e-4, atol=1e-5)
    none_left = module.encode(Segment(video, 0.0, 2.2), config)
    assert (len(none_left.values), none_left.notes["short_windows"]) == (5, 0)


def test_foreign_weights_and_paths_that_depend_on_the_folder_are_refused(weighted, video: Path, tmp_path: Path) -> None:
    module, name, _, _ = weighted
    other = BUILD["r3d18" if name == "resnet18" else "resnet18"][1]()
    torch.save(other.state_dict(), tmp_path / "other.pth")
    with pytest.raises(DataError, match="missing:\n"):
        module.encode(Segment(video), module.Config(weights=str(tmp_path / "other.pth")))
    with pytest.raises(DataError, match="no such file"):
        module.encode(Segment(video), module.Config(weights=str(tmp_path / "none.pth")))
    with pytest.raises(ValidationError, match="absolute path"):
        module.Config(weights="weights.pth")
    with pytest.raises(ValidationError, match="weights"):
        module.Config()


def test_features_are_stale_once_the_weights_change(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    modality = ModalitySection(role="prevalent", encoder="resnet18", options={"weights": str(path)})
    states = []
    for content in (None, b"one", b"two", b"two"):
        if content is not None:
            path.write_bytes(content)
        states.append(resolved_encoder("video", modality)["files"])
    assert states[0] == [[-1]]
    assert states[0] != states[1] != states[2] == states[3]
