"""Windows of media -> features: what cannot be read costs its own windows and is told."""

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts.quality import Quality
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.deploy.reading import EncodedWindow, padded, read_windows, windows_of
from mtpkd_cli.deploy.windows import Window
from mtpkd_cli.encoders import Features, resnet18
from mtpkd_cli.encoders.eda import VERSION, Config
from mtpkd_cli.models.residual import PictureResidualNetwork

HERE = ExtractSection(workers=0)


def _signal(path: Path, rate_hz: int, seconds: int) -> Path:
    times = np.arange(rate_hz * seconds) / rate_hz
    pd.DataFrame({"time": np.round(times * 1e6), "gsr": 2 + np.sin(times)}).to_csv(path, index=False)
    return path


def test_a_signal_of_another_rate_than_the_students_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    options = Config(column="gsr", sample_rate_hz=128).model_dump(mode="json")
    encoders = {"eda": {"name": "eda", "version": VERSION, "options": options}}
    right, wrong = _signal(tmp_path / "right.csv", 128, 7), _signal(tmp_path / "wrong.csv", 100, 7)
    windows, unread = windows_of([right, wrong], 3.0, 3.0, options, HERE)
    assert [(w.recording.name, w.end_s) for w in windows] == [("right.csv", 3.0), ("right.csv", 6.0)]
    assert "has 100 rows per second, sample_rate_hz is 128" in unread[0].errors["length"]
    encoded = read_windows([*windows, Window(wrong, 0)], encoders, HERE, lambda: None)
    assert [list(window.features) for window in encoded] == [["eda"], ["eda"], []]
    assert "rows per second" in encoded[2].errors["eda"]
    values, mask = padded(encoded, "eda", encoded[0].features["eda"].values.shape[1])
    assert mask.sum(1).tolist() == [6, 6, 0]
    np.testing.assert_array_equal(values[1], encoded[1].features["eda"].values)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_student_of_features_from_a_gpu_is_applied_where_there_is_none(tmp_path: Path) -> None:
    torch.manual_seed(5)
    torch.save(PictureResidualNetwork().state_dict(), tmp_path / "w.pth")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for value in range(0, 250, 25):
            picture = np.random.default_rng(value).integers(0, 256, (32, 32, 3), np.uint8)  # a blank one is refused
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    read = {}
    for device in ("cuda", "cpu"):
        config = resnet18.Config(weights=str(tmp_path / "w.pth"), crop_side_px=32, face="cropped", device=device)
        encoder = {"name": "resnet18", "version": resnet18.VERSION, "options": config.model_dump(mode="json")}
        (read[device],) = read_windows([Window(tmp_path / "a.mp4", 0)], {"video": encoder}, HERE, lambda: None)
        assert not read[device].errors
    one, other = (read[device].features["video"].values for device in ("cuda", "cpu"))
    np.testing.assert_array_equal(one, other)


def test_what_is_doubtful_of_a_window_names_the_modality_and_what_was_not_measured() -> None:
    def features(quality: Quality) -> Features:
        return Features(np.zeros((4, 1), np.float32), np.arange(4.0), ("a",), quality=quality)

    few, whole = Quality(0.25, "no face was detected"), Quality()
    window = Window(Path("a.mp4"), 0)
    seen = {"video": features(few), "audio": features(whole)}
    encoded = EncodedWindow(window, seen, {}, {"video": few, "audio": whole})
    assert encoded.doubt == "video: no face was detected (only 25% of the window was measured)"
    assert EncodedWindow(window, {"audio": features(whole)}, {}, {"audio": whole}).doubt == ""
    # What is predicted from the rest is no prediction by all that the student knows.
    silent = Quality(0.0, "there is no sound")
    lost = EncodedWindow(
        window, {"video": features(whole)}, {"audio": silent.reason}, {"video": whole, "audio": silent}
    )
    assert lost.doubt == "audio: nothing was measured: there is no sound"
    assert EncodedWindow(window, {}, {"audio": silent.reason}, {"audio": silent}).doubt == ""  # it has no prediction
