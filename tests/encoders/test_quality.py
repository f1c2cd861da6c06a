"""How much of a window was measured: every encoder of the registry says it, of live sensors and of dead ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import transformers as hf

from mtpkd_cli.artifacts.quality import DOUBTFUL_BELOW, Quality, quality_of, reasons_in_words, worst
from mtpkd_cli.encoders import Features, Segment, audio, ecg, eda, face, ppg
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.video import read_frames
from mtpkd_cli.models.residual import ClipResidualNetwork, PictureResidualNetwork
from mtpkd_cli.registry import ENCODERS

CLIP = sorted((Path(__file__).parents[2] / "sample_data" / "video").rglob("*.mp4"))[0]
MODULES = {name: ENCODERS.load(name) for name in ENCODERS.names()}
SIGNALS = [name for name, module in MODULES.items() if "column" in module.Config.model_fields]
PICTURES = [name for name, module in MODULES.items() if getattr(module, "READS", "") == "pictures"]
SOUNDS = [name for name, module in MODULES.items() if getattr(module, "READS", "") == "sound"]
RATE_HZ, N = 128, 640
TIMES_S = np.arange(N) / RATE_HZ
RNG = np.random.default_rng(4)
SMALL = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
ALIVE = {
    "ecg": nk.ecg_simulate(duration=5, sampling_rate=RATE_HZ, heart_rate=75, random_state=1),
    "ppg": nk.ppg_simulate(duration=5, sampling_rate=RATE_HZ, heart_rate=75, random_state=1),
    "eda": 5 + 0.1 * np.sin(0.7 * TIMES_S) + 0.002 * RNG.normal(size=N),
    "resp": np.sin(2 * np.pi * 0.3 * TIMES_S) + 0.02 * RNG.normal(size=N),
}
NOISE = RNG.normal(size=N)
TONE = 0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000 * 3) / 16_000)


def test_every_encoder_is_of_a_kind_that_is_tried_here() -> None:
    assert sorted(SIGNALS + PICTURES + SOUNDS) == sorted(ENCODERS.names())
    with pytest.raises(TypeError, match="quality"):
        Features(np.zeros((1, 1)), np.zeros(1), ("a",))  # type: ignore[call-arg]


def test_the_rule() -> None:
    assert (Quality(0.0, "x").refused, Quality(0.0, "x").doubtful) == (True, False)
    assert (Quality(0.3, "x").refused, Quality(0.3, "x").doubtful) == (False, True)
    assert not Quality(DOUBTFUL_BELOW, "x").doubtful
    assert Quality(0.0, "no sound").reason == "nothing was measured: no sound"
    assert Quality(0.3, "no sound").doubt == "no sound (only 30% of the window was measured)"
    assert quality_of(1.2, "x") == Quality() == quality_of(0.99999, "x")
    assert quality_of(1e-9, "x") == Quality(0.001, "x")  # little is not nothing
    assert quality_of(-0.1, "x").refused
    assert worst(Quality(0.4, "a"), Quality(0.2, "b"), Quality(0.2, "c")) == Quality(0.2, "b")
    assert reasons_in_words([Quality(0, "a"), Quality(0, "b"), Quality(0.1, "b")]) == "b (2), a (1)"


def _of_signal(folder: Path, name: str, values: Any, rate_hz: float = RATE_HZ, end_s: float | None = None) -> Quality:
    path = folder / "signal.parquet"
    pd.DataFrame({"v": np.asarray(values, float)}).to_parquet(path)
    config = MODULES[name].Config(column="v", sample_rate_hz=rate_hz, time_column="")
    start_s = None if end_s is None else 0.0
    quality: Quality = MODULES[name].encode(Segment(path, start_s, end_s), config).quality
    return quality


@pytest.mark.parametrize("name", SIGNALS)
def test_signals(name: str, tmp_path: Path) -> None:
    live = ALIVE.get(name, NOISE)
    assert _of_signal(tmp_path, name, live).share == 1
    assert _of_signal(tmp_path, name, np.zeros(N)) == Quality(0.0, "the signal never changes")
    assert _of_signal(tmp_path, name, np.full(N, 7.25)).refused
    assert _of_signal(tmp_path, name, [3.0]).refused
    short = _of_signal(tmp_path, name, live[:3])
    assert short.refused or short.doubtful
    stuck = live.copy()
    stuck[256:] = stuck[256]
    half = _of_signal(tmp_path, name, stuck)
    # A heart of which three beats are not seen has no rate at all.
    assert 0 <= half.share <= 0.41
    assert half.lacks
    ends = _of_signal(tmp_path, name, live, end_s=20.0)
    assert ends == Quality(0.25, "the recording ends before the window does")


@pytest.mark.parametrize("name", ["ecg", "ppg", "emg", "resp"])
def test_signals_that_move_are_no_constant_with_dither_no_hum_and_not_on_their_rails(name: str, tmp_path: Path) -> None:
    live = ALIVE.get(name, NOISE)
    assert _of_signal(tmp_path, name, 7 + 0.001 * RNG.integers(0, 2, N)).lacks == "the signal takes two values only"
    for mains_hz in (50, 60):
        hum = 1000 * np.sin(2 * np.pi * mains_hz * TIMES_S)
        for noise in (0.0, 20.0):
            quality = _of_signal(tmp_path, name, hum + noise * NOISE)
            assert quality == Quality(0.0, f"only a hum of {mains_hz} Hz")
    clipped = _of_signal(tmp_path, name, np.clip(live, *np.quantile(live, [0.35, 0.65])))
    assert clipped.doubtful
    assert clipped.share == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("module", [ecg, ppg])
def test_no_heart_beats_in_noise_and_one_does_at_any_pace(module: Any, tmp_path: Path) -> None:
    name = module.__name__.rsplit(".", 1)[-1]
    for seed in range(8):
        quality = _of_signal(tmp_path, name, np.random.default_rng(seed).normal(size=N))
        assert quality == Quality(0.0, "no heart beat was detected")
    simulate = {"ecg": nk.ecg_simulate, "ppg": nk.ppg_simulate}[name]
    for beats in (50, 110, 160):
        heart = simulate(duration=6, sampling_rate=RATE_HZ, heart_rate=beats, random_state=2)
        assert _of_signal(tmp_path, name, heart).share > 0.8


def test_two_beats_are_beats_that_make_no_rate(tmp_path: Path) -> None:
    quality = _of_signal(tmp_path, "ecg", ALIVE["ecg"][: round(1.9 * RATE_HZ)])
    assert quality.doubtful
    assert quality.lacks == "fewer than three heart beats in 1.9 s make no rate"


def test_breathing_is_no_white_noise_and_a_level_may_rest(tmp_path: Path) -> None:
    assert _of_signal(tmp_path, "resp", NOISE) == Quality(0.0, "only noise, no breathing")
    # Four values per second in steps of a thousandth of a microsiemens: two of them alternate.
    assert _of_signal(tmp_path, "eda", 2 + 0.001 * RNG.integers(0, 2, 20), rate_hz=4).share == 1
    # Skin temperature in steps of .02 degrees, at 4 Hz: too slow to call it dead.
    assert _of_signal(tmp_path, "signal", np.full(20, 31.25), rate_hz=4).doubtful


def test_conductance_below_zero_was_not_measured_unless_the_study_says_so(tmp_path: Path) -> None:
    values = ALIVE["eda"] - 6
    assert _of_signal(tmp_path, "eda", values) == Quality(0.0, "skin conductance is 0 or below")
    options = {"column": "v", "sample_rate_hz": RATE_HZ, "time_column": "", "positive": False}
    assert eda.encode(Segment(tmp_path / "signal.parquet"), eda.Config(**options)).quality == Quality()


@pytest.fixture
def sound_options(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    def options(name: str) -> dict[str, Any]:
        if name != "hf-audio":
            return {}
        layers = {"conv_dim": (16, 16), "conv_kernel": (10, 8), "conv_stride": (5, 4), "num_feat_extract_layers": 2}
        more = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
        model = hf.Wav2Vec2Model(hf.Wav2Vec2Config(**SMALL, **layers, **more))
        return {"model": _saved(model, tmp_path / "model", {"sampling_rate": 16_000})}

    return options


def _saved(model: torch.nn.Module, folder: Path, settings: dict[str, Any]) -> str:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return str(folder)


@pytest.mark.parametrize("name", SOUNDS)
def test_sound(name: str, tmp_path: Path, sound_options: Callable[[str], dict[str, Any]]) -> None:
    module, path = MODULES[name], tmp_path / "a.wav"
    config = module.Config(**sound_options(name))
    gated = TONE * ((np.arange(len(TONE)) // 8000) % 2)
    dither = np.random.default_rng(0).normal(0, 10 ** (-90 / 20), len(TONE))
    cases = {
        "live": (TONE, Quality()),
        "pauses of half a second": (gated, Quality()),
        "a quiet room": (100 * dither, Quality()),
        "muted": (0 * TONE, Quality(0.0, "there is no sound")),
        "an offset": (0 * TONE + 0.2, Quality(0.0, "there is no sound")),
        "the last digit": (dither, Quality(0.0, "there is no sound")),
        "one value": (TONE[:1], Quality(0.0, "it is shorter than one frame")),
        "muted after a second": (TONE * (np.arange(len(TONE)) < 16_000), Quality(0.333, "there is no sound")),
        "a square": (np.sign(TONE), Quality(0.001, "the sound is clipped")),
    }
    for case, (samples, expected) in cases.items():
        soundfile.write(path, samples, 16_000)
        quality = module.encode(Segment(path), config).quality
        assert quality.lacks == expected.lacks, case
        assert quality.share == pytest.approx(expected.share, abs=0.01), case
    soundfile.write(path, TONE, 16_000)
    ends = module.encode(Segment(path, 0.0, 12.0), config).quality
    assert ends == Quality(0.25, "the recording ends before the window does")


def test_opposite_channels_cancel_each_other_and_one_of_them_can_be_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([TONE, -TONE], 1), 16_000)
    refused = audio.encode(Segment(path), audio.Config()).quality
    assert refused.refused
    assert "cancel each other" in refused.lacks
    heard = audio.encode(Segment(path), audio.Config(channel=2))
    soundfile.write(tmp_path / "b.wav", -TONE, 16_000)
    np.testing.assert_array_equal(heard.values, audio.encode(Segment(tmp_path / "b.wav"), audio.Config()).values)
    assert heard.quality == Quality()
    with pytest.raises(DataError, match="the sound has no channel 3"):
        audio.encode(Segment(path), audio.Config(channel=3))
    noise = 0.003 * RNG.normal(size=(len(TONE), 2))
    soundfile.write(path, np.stack([TONE, -TONE], 1) + noise, 16_000)
    assert audio.encode(Segment(path), audio.Config()).quality.doubtful  # noise is what is left
    for channels in ([TONE, TONE], [noise[:, 0], noise[:, 1]], [TONE, 0 * TONE]):
        soundfile.write(path, np.stack(channels, 1), 16_000)
        assert audio.encode(Segment(path), audio.Config()).quality == Quality()


def _film(path: Path, pictures: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A second of a live face, the same picture of it all the time, one picture of it, none, and a lens cap."""
    folder = tmp_path_factory.mktemp("films")
    live = list(read_frames(CLIP, end_s=1.05, rate_hz=10).frames)
    dark = np.random.default_rng(0).integers(0, 4, (10, *live[0].shape), np.uint8)
    content = {"live": live, "frozen": live[:1] * 10, "one": live[:1], "black": [0 * live[0]] * 10, "cap": list(dark)}
    return {name: _film(folder / f"{name}.mp4", pictures) for name, pictures in content.items()}


@pytest.fixture(scope="module")
def picture_options(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("models")
    networks = {
        "resnet18": PictureResidualNetwork,
        "r3d18": lambda: ClipResidualNetwork(apart=False),
        "r2plus1d18": lambda: ClipResidualNetwork(apart=True),
    }
    video = {"image_size": 32, "patch_size": 16, "num_frames": 4, "tubelet_size": 2}
    models = {
        "hf-image": lambda: hf.Dinov2Model(hf.Dinov2Config(**SMALL, image_size=28, patch_size=14)),
        "hf-video": lambda: hf.VideoMAEModel(hf.VideoMAEConfig(**SMALL, **video)),
    }

    def options(name: str) -> dict[str, Any]:
        if name in networks:
            torch.save(networks[name]().state_dict(), folder / f"{name}.pth")
            return {"weights": str(folder / f"{name}.pth"), "crop_side_px": 32}
        if name in models:
            return {
                "model": _saved(models[name](), folder / name, {}),
                "crop_side_px": 32 if name == "hf-video" else 28,
            }
        return {}

    return options


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str, films: dict[str, Path], picture_options: Callable[[str], dict[str, Any]]) -> None:
    module, options = MODULES[name], picture_options(name)
    searched, cropped = module.Config(**options), module.Config(**options, face="cropped")
    quality = {film: module.encode(Segment(path), searched).quality for film, path in films.items()}
    assert quality["live"] == Quality()
    assert quality["frozen"] == Quality(0.1, "the picture never changes")
    assert quality["one"] == Quality(0.1, "there is one picture only")
    assert quality["black"].refused
    assert quality["cap"].refused
    # Pictures that are face crops already are not searched, and are dead for the same reasons.
    quality = {film: module.encode(Segment(path), cropped).quality for film, path in films.items()}
    assert quality["live"] == Quality()
    assert [quality[film].refused for film in ("frozen", "black", "cap")] == [False, True, True]
    assert quality["frozen"].doubtful
    ends = module.encode(Segment(films["live"], 0.0, 4.0), searched).quality
    assert ends.lacks == "the recording ends before the window does"
    assert ends.share == pytest.approx(0.29, abs=0.05)


def test_a_face_that_leaves_and_a_stream_that_stops(tmp_path: Path) -> None:
    live = list(read_frames(CLIP, rate_hz=10).frames)
    wall = [np.full_like(live[0], 128) + np.uint8(10 * (i % 2)) for i in range(30)]
    leaves = face.encode(Segment(_film(tmp_path / "a.mp4", live[:20] + wall)), face.Config()).quality
    assert leaves.share == pytest.approx(0.4, abs=0.1)
    stops = face.encode(Segment(_film(tmp_path / "b.mp4", live[:20] + live[20:21] * 30)), face.Config()).quality
    assert stops == Quality(0.4, "the picture does not change")
    late = face.encode(Segment(_film(tmp_path / "c.mp4", live[:20] + live[20:21] * 10 + live[21:40])), face.Config())
    assert late.quality == Quality()  # a second's delay is no dead camera


def test_what_a_signal_lacks_is_said_of_what_was_read(tmp_path: Path) -> None:
    values = ALIVE["resp"].copy()
    values[100:110] = np.nan
    quality = _of_signal(tmp_path, "resp", values)
    assert quality == Quality(round(1 - 10 / N, 3), "values are missing and were interpolated")


def test_electrodes_in_the_air_are_flagged(tmp_path: Path) -> None:
    """A converter's noise is above zero and changes; a person of low conductance is well above it."""
    noise = np.abs(RNG.normal(0, 0.001, N)) + 1e-6
    quality = _of_signal(tmp_path, "eda", noise)
    assert quality.doubtful
    assert "below 0.05 microsiemens" in quality.lacks
    came_off = np.where(TIMES_S < 1.25, ALIVE["eda"], noise)
    assert _of_signal(tmp_path, "eda", came_off).share == pytest.approx(0.25, abs=0.01)
    assert _of_signal(tmp_path, "eda", 0.21 + 0.002 * RNG.normal(size=N)).share == 1


def test_a_level_that_rests_between_changes_is_flagged_not_refused(tmp_path: Path) -> None:
    button = (TIMES_S > 2.6).astype(float)
    assert _of_signal(tmp_path, "signal", button).doubtful
    coarse = np.round(5 + 0.3 * np.exp(-np.arange(240) / 160), 1)
    assert _of_signal(tmp_path, "eda", coarse, rate_hz=4).doubtful
    assert _of_signal(tmp_path, "ecg", button).refused


def test_sound_that_is_clipped_throughout_is_flagged_not_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "square.wav", 0.3 * np.sign(TONE + 1e-9), 16_000)
    quality = audio.encode(Segment(tmp_path / "square.wav"), audio.Config()).quality
    assert quality.doubtful
    assert quality.lacks == "the sound is clipped"


def test_sound_of_the_mains_alone_is_flagged_and_a_voice_on_their_pitch_is_not(tmp_path: Path) -> None:
    t = np.arange(3 * 16_000) / 16_000
    noise = np.random.default_rng(0).normal(0, 1e-4, len(t))
    hum = 0.3 * np.sin(2 * np.pi * 50 * t) + 0.1 * np.sin(2 * np.pi * 150 * t) + noise
    voice = sum(0.1 / k * np.sin(2 * np.pi * 100 * k * t) for k in range(1, 40))
    for name, samples, lacks in (
        ("hum", hum, "there is nothing but the hum of the mains"),
        ("voice", np.asarray(voice), ""),
        ("voice and hum", np.asarray(voice) + hum, ""),
    ):
        soundfile.write(tmp_path / f"{name}.wav", samples / 2, 16_000)
        quality = audio.encode(Segment(tmp_path / f"{name}.wav"), audio.Config()).quality
        assert quality.lacks == lacks, name
        assert quality.doubtful == bool(lacks), name
