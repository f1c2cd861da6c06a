"""Faces by another network, by a table of boxes, and pictures that are crops already."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._face_boxes import smooth
from mtpkd_cli.media.faces import FaceTracker
from mtpkd_cli.media.given_faces import CroppedFaces, GivenFaces

# Box and landmarks of a face in a cell of 32 pixels: centre, log of the size; eyes, nose, corners of the mouth.
BOX = [0.5, 0.5, np.log(2.0), np.log(2.5)]
POINTS = [0.2, 0.3, 0.8, 0.3, 0.5, 0.6, 0.3, 0.9, 0.7, 0.9]


@pytest.fixture(scope="module")
def yunet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with YuNet's outputs that takes every bright square of 32 pixels for a face."""
    nodes, weights, outputs = [], [], []

    def constant(name: str, value: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(value, name))
        return name

    for stride in (8, 16, 32):
        bright = np.full((1, 3, stride, stride), (stride == 32) / (3 * stride**2 * 255), np.float32)
        kernel = constant(f"kernel_{stride}", bright)
        nodes.append(helper.make_node("Conv", ["input", kernel], [f"mean_{stride}"], strides=[stride, stride]))
        shape = constant(f"shape_{stride}", np.array([1, -1, 1], np.int64))
        nodes.append(helper.make_node("Reshape", [f"mean_{stride}", shape], [f"cls_{stride}"]))
        nodes.append(helper.make_node("Identity", [f"cls_{stride}"], [f"obj_{stride}"]))
        for name, values in (("bbox", BOX), ("kps", POINTS)):
            nothing = constant(f"none_{name}_{stride}", np.zeros((1, len(values)), np.float32))
            nodes.append(helper.make_node("MatMul", [f"cls_{stride}", nothing], [f"flat_{name}_{stride}"]))
            output = constant(f"output_{name}_{stride}", np.array(values, np.float32).reshape(1, 1, -1))
            nodes.append(helper.make_node("Add", [f"flat_{name}_{stride}", output], [f"{name}_{stride}"]))
        # The real file states 640 x 640 too, and OpenCV gives it other sizes.
        for name, size in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            dims = [1, (640 // stride) ** 2, size]
            outputs.append(helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, dims))
    graph = helper.make_graph(
        nodes,
        "yunet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])],
        outputs,
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    path = tmp_path_factory.mktemp("yunet") / "yunet.onnx"
    onnx.save(model, path)
    return path


def test_yunet_gives_the_square_around_eyes_and_mouth(yunet: Path) -> None:
    frames = np.zeros((3, 128, 160, 3), np.uint8)
    frames[:, 32:64, 64:96] = 255
    track = FaceTracker(1.0, yunet).track(frames, np.arange(3) / 2)
    side = 0.6 * 32 / 0.42  # the eyes' distance
    np.testing.assert_allclose(track.centres_px, np.tile([2.5 * 32, 1.3 * 32 + 0.115 * side], (3, 1)), rtol=1e-3)
    np.testing.assert_allclose(track.sides_px, side, rtol=1e-3)
    assert track.detected.all()
    assert not FaceTracker(1.0, yunet).track(np.zeros_like(frames), np.arange(3) / 2).detected.any()
    # Larger frames are sampled down: the same place in pixels of the frame.
    large = np.zeros((1, 512, 640, 3), np.uint8)
    large[:, 128:192, 256:320] = 255
    np.testing.assert_allclose(FaceTracker(1.0, yunet).track(large, np.zeros(1)).sides_px, 2 * side, rtol=1e-3)


def test_a_file_that_is_not_yunet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("no network")
    for name in ("a.onnx", "none.onnx"):
        with pytest.raises(DataError, match="face model"):
            FaceTracker(1.0, tmp_path / name)


def test_given_boxes_are_interpolated_in_the_segments_time(tmp_path: Path) -> None:
    table = pd.DataFrame({"time_s": [4.0, 5.0, 9.0], "x": [10, 30, 30], "y": 20, "width": 40, "height": [40, 60, 60]})
    table.to_csv(tmp_path / "a.csv", index=False)
    track = GivenFaces(tmp_path / "a.csv", 4.0, 0).track(np.zeros((4, 9, 9, 3)), np.array([0.0, 0.5, 1.0, 3.0]))
    np.testing.assert_allclose(track.centres_px, [[30, 40], [40, 45], [50, 50], [50, 50]])
    np.testing.assert_allclose(track.sides_px, [40, 50, 60, 60])
    assert track.detected.tolist() == [True, True, True, False]
    smoothed = GivenFaces(tmp_path / "a.csv", 4.0, 1).track(np.zeros((1, 9, 9, 3)), np.zeros(1))
    assert smoothed.centres_px[0, 0] == pytest.approx(35)


def test_tables_that_hold_no_boxes_are_refused(tmp_path: Path) -> None:
    whole = pd.DataFrame({"time_s": [0.0, 1.0], "x": 1, "y": 1, "width": 5, "height": 5})
    for bad, message in (
        (whole.drop(columns="width"), "lacks width"),
        (whole.assign(width=0), "2 of 2 rows are no face box"),
        (whole.assign(x="none"), "2 of 2 rows are no face box"),
        (whole.iloc[:0], "0 of 0 rows"),
    ):
        bad.to_csv(tmp_path / "a.csv", index=False)
        with pytest.raises(DataError, match=message):
            GivenFaces(tmp_path / "a.csv", 0.0, 1)
    with pytest.raises(DataError, match="no table of face boxes"):
        GivenFaces(tmp_path / "none.csv", 0.0, 1)


def test_cropped_pictures_are_their_centre_square() -> None:
    track = CroppedFaces().track(np.zeros((2, 37, 53, 3), np.uint8), np.zeros(2))
    np.testing.assert_array_equal(track.centres_px, [[26.5, 18.5]] * 2)
    assert track.crop_side_px == 37
    assert track.detected.all()


def test_boxes_get_steadier_with_each_smoothing() -> None:
    shaky = np.random.default_rng(0).normal(0, 1, (50, 3))
    spreads = [np.abs(np.diff(smooth(shaky, times), axis=0)).mean() for times in range(4)]
    assert spreads == sorted(spreads, reverse=True)
    np.testing.assert_array_equal(smooth(shaky, 0), shaky)
