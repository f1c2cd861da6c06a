"""transformers' models: small ones with random weights, written to a folder, against the same model called directly."""

import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import soundfile
import torch
import transformers as hf
from pydantic import ValidationError

from mtpkd_cli.config.recordings import ModalitySection
from mtpkd_cli.encoders import Segment, hf_audio, hf_image, hf_video
from mtpkd_cli.encoders.running import resolved_encoder
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.video import read_frames

SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
HEARING = SMALL | {
    "conv_dim": (16, 16),
    "conv_kernel": (10, 8),
    "conv_stride": (5, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
SOUND = {
    "wav2vec2": lambda: hf.Wav2Vec2Model(hf.Wav2Vec2Config(**HEARING)),
    "hubert": lambda: hf.HubertModel(hf.HubertConfig(**HEARING)),
    "wavlm": lambda: hf.WavLMModel(hf.WavLMConfig(**HEARING)),
}
COLOURS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.3, 0.2, 0.1]}


def saved(model: torch.nn.Module, folder: Path, settings: dict[str, object]) -> Path:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(params=SOUND)
def hearing(request: pytest.FixtureRequest, tmp_path: Path):
    torch.manual_seed(2)
    model = SOUND[request.param]().eval()
    return model, saved(model, tmp_path / "model", {"sampling_rate": 4000, "do_normalize": True})


@pytest.fixture
def seeing(tmp_path: Path):
    torch.manual_seed(2)
    model = hf.Dinov2Model(hf.Dinov2Config(**SMALL, image_size=28, patch_size=14)).eval()
    return model, saved(model, tmp_path / "model", COLOURS)


def sound(path: Path, seconds: float) -> np.ndarray:
    samples = 0.2 * np.random.default_rng(0).standard_normal(round(4000 * seconds)).clip(-3, 3)
    soundfile.write(path, samples, 4000, "FLOAT")
    return samples.astype(np.float32)


def video(path: Path) -> np.ndarray:
    """Eleven pictures of noise, 32 x 32, at 10 per second; returns them as they are read back."""
    noise = np.random.default_rng(0).integers(0, 255, (11, 4, 4, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for small in noise:
            picture = cv2.resize(small, (32, 32), interpolation=cv2.INTER_NEAREST)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return read_frames(path).frames


def standardised(frames: np.ndarray) -> torch.Tensor:
    values = (frames / 255.0 - np.array(COLOURS["image_mean"])) / np.array(COLOURS["image_std"])
    return torch.from_numpy(values.transpose(0, 3, 1, 2)).float()


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives_of_sound(hearing, tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", 1.3)
    same_on_a_gpu(hf_audio, Segment(tmp_path / "a.wav"), {"model": str(hearing[1])})


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives_of_pictures(seeing, tmp_path: Path) -> None:
    video(tmp_path / "a.mp4")
    options = {"model": str(seeing[1]), "crop_side_px": 32, "face": "cropped", "step_frames": 4}
    same_on_a_gpu(hf_image, Segment(tmp_path / "a.mp4"), options)


def same_on_a_gpu(encoder: Any, segment: Segment, options: dict[str, Any]) -> None:
    here, there = (encoder.encode(segment, encoder.Config(**options, device=on)) for on in ("cpu", "cuda"))
    np.testing.assert_allclose(there.values, here.values, rtol=1e-2, atol=1e-2 * np.abs(here.values).max())


@pytest.mark.parametrize("layer", [-1, 1])
def test_sound_is_what_the_model_says_of_it(hearing, tmp_path: Path, layer: int) -> None:
    model, folder = hearing
    samples = sound(tmp_path / "a.wav", 1.3)
    features = hf_audio.encode(Segment(tmp_path / "a.wav"), hf_audio.Config(model=str(folder), layer=layer))
    normal = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    with torch.inference_mode():
        output = model(torch.from_numpy(normal)[None], output_hidden_states=True)
    states = (output.last_hidden_state if layer == -1 else output.hidden_states[1])[0].numpy()
    centres = (np.arange(len(states)) + 0.5) * 1.3 / len(states)
    expected = [states[(centres >= t) & (centres < t + 0.5)].mean(axis=0) for t in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(features.values, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features.times_s, [0.25, 0.75, 1.25])
    assert features.names[:2] == ("hf_0", "hf_1")


def test_short_silent_and_long_sound(hearing, tmp_path: Path) -> None:
    _, folder = hearing
    soundfile.write(tmp_path / "short.wav", np.zeros(7), 4000)
    short = hf_audio.encode(Segment(tmp_path / "short.wav"), hf_audio.Config(model=str(folder)))
    assert short.values.shape == (1, 24)
    assert np.isfinite(short.values).all()
    assert (short.notes["short"], short.notes["silent"]) == (1, 1)
    sound(tmp_path / "long.wav", 5.02)
    config = hf_audio.Config(model=str(folder), block_s=1.0)
    whole = hf_audio.encode(Segment(tmp_path / "long.wav"), config)
    assert whole.values.shape == (11, 24)
    # The second block by itself is the second block of the whole.
    part = hf_audio.encode(Segment(tmp_path / "long.wav", 1.0, 2.0), config)
    np.testing.assert_allclose(whole.values[2:4], part.values, rtol=1e-4, atol=1e-5)


def test_pictures_are_what_the_model_says_of_them(seeing, tmp_path: Path) -> None:
    model, folder = seeing
    frames = video(tmp_path / "a.mp4")
    options = {"model": str(folder), "crop_side_px": 32, "face": "cropped", "step_frames": 4}
    with torch.inference_mode():
        states = model(standardised(frames)).last_hidden_state.numpy()
    for pool, each in (("first", states[:, 0]), ("mean", states.mean(axis=1))):
        features = hf_image.encode(Segment(tmp_path / "a.mp4"), hf_image.Config(pool=pool, **options))
        expected = [each[:4].mean(axis=0), each[4:8].mean(axis=0), each[8:].mean(axis=0)]
        np.testing.assert_allclose(features.values, expected, rtol=1e-4, atol=1e-5)


def test_clips_are_what_the_model_says_of_them(tmp_path: Path) -> None:
    torch.manual_seed(2)
    shape = {"image_size": 32, "patch_size": 16, "num_frames": 4, "tubelet_size": 2}
    model = hf.VideoMAEModel(hf.VideoMAEConfig(**SMALL, **shape)).eval()
    folder = saved(model, tmp_path / "model", COLOURS)
    given = standardised(video(tmp_path / "a.mp4"))
    config = hf_video.Config(model=str(folder), crop_side_px=32, face="cropped")
    features = hf_video.encode(Segment(tmp_path / "a.mp4"), config)
    windows = [given[i : i + 4] for i in (0, 2, 4, 6)] + [torch.cat([given[8:], given[-1:]])]
    with torch.inference_mode():
        expected = model(torch.stack(windows)).last_hidden_state.mean(dim=1).numpy()
    np.testing.assert_allclose(features.values, expected, rtol=1e-4, atol=1e-5)
    assert features.notes["short_windows"] == 1


def test_a_model_that_is_not_whole_or_not_there_is_refused(seeing, tmp_path: Path) -> None:
    model, folder = seeing
    video(tmp_path / "a.mp4")
    with pytest.raises(ValidationError, match="absolute path"):
        hf_image.Config(model="./model")
    with pytest.raises(DataError, match="cannot be loaded"):
        hf_image.encode(Segment(tmp_path / "a.mp4"), hf_image.Config(model=str(tmp_path / "none")))
    with pytest.raises(DataError, match="layer = 9: the model has 2 layers"):
        hf_image.encode(Segment(tmp_path / "a.mp4"), hf_image.Config(model=str(folder), crop_side_px=28, layer=9))
    state = {name: value for name, value in model.state_dict().items() if "layer.1" not in name}
    model.save_pretrained(folder, state_dict=state)
    with pytest.raises(DataError, match=r"lacks \d+ of its weights"):
        hf_image.encode(Segment(tmp_path / "a.mp4"), hf_image.Config(model=str(folder)))


def test_features_are_stale_once_the_model_changes(seeing) -> None:
    _, folder = seeing
    modality = ModalitySection(role="prevalent", encoder="hf-image", options={"model": str(folder)})
    before = resolved_encoder("video", modality)
    (folder / "preprocessor_config.json").write_text("{}")
    assert resolved_encoder("video", modality)["files"] != before["files"]
    assert len(before["files"]) == 3
