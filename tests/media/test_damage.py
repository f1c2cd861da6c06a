"""Damaged pictures and sound: each kind does what it says, as known by construction, and only where it is asked for."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mtpkd_cli.encoders._faces import FaceOptions
from mtpkd_cli.encoders._sound import SoundOptions
from mtpkd_cli.media.audio import read_audio
from mtpkd_cli.media.damage import KINDS, Damage, apply_damage
from mtpkd_cli.media.video import VideoFrames, iter_frames, read_frames
from mtpkd_cli.registry import ENCODERS

CLIP = next((Path(__file__).parents[2] / "sample_data" / "video").rglob("*.mp4"))


def _changed(kind: str, level: float, frames: np.ndarray, chunk: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Frames as a stream of parts that suffers; the parts put together."""
    change = KINDS["pictures"][kind].begin(level, Damage("pictures", kind, level, "s1").generator)
    parts = [change(frames[i : i + chunk]) for i in range(0, len(frames), chunk)]
    changed, there = (np.concatenate(column) for column in zip(*parts, strict=True))
    return changed, there


def _frames(n: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, height, width, 3), np.uint8)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.2 * np.sin(np.arange(48_000) / 9), 16_000, subtype="FLOAT")
    return path


def test_dropped_frames_are_the_frame_before_exactly_and_in_the_share_that_is_asked_for() -> None:
    frames = np.arange(1000, dtype=np.uint16).view(np.uint8).reshape(1000, 1, 2, 1).repeat(3, 3)
    mild, worse = (_changed("frame-drop", level, frames)[0] for level in (0.2, 0.8))
    same = [np.array([(new[i] == frames[i]).all() for i in range(1000)]) for new in (mild, worse)]
    for kept, share, new in zip(same, (0.2, 0.8), (mild, worse), strict=True):
        assert kept[0]
        assert 1 - kept.mean() == pytest.approx(share, abs=0.04)
        last = np.maximum.accumulate(np.where(kept, np.arange(1000), 0))
        assert (new == frames[last]).all()  # frozen over several lost ones, and over the ends of parts
    assert not (same[1] & ~same[0]).any()  # what is lost at a mild level is lost at a worse one


def test_fewer_frames_are_every_nth_across_parts() -> None:
    frames = _frames(11)
    assert np.flatnonzero(_changed("fewer-frames", 4, frames)[1]).tolist() == [0, 4, 8]


def test_blur_spreads_a_point_to_the_standard_deviation_that_it_says() -> None:
    frames = np.zeros((1, 100, 100, 3), np.uint8)
    frames[0, 50, 50] = 255
    step = np.zeros((1, 100, 100, 3), np.uint8)
    step[:, :, 50:] = 255
    sharp = [np.abs(np.diff(_changed("blur", level, step)[0][0, 50, :, 0].astype(int))).max() for level in (0.01, 0.04)]
    # The slope of a blurred edge is its height times the Gaussian's peak, 1 / (sd sqrt(2 pi)).
    assert sharp[0] == pytest.approx(255 / np.sqrt(2 * np.pi), rel=0.08)
    assert sharp[1] == pytest.approx(255 / 4 / np.sqrt(2 * np.pi), rel=0.08)


def test_noise_has_the_standard_deviation_that_it_says_and_no_bias() -> None:
    grey = np.full((4, 80, 90, 3), 128, np.uint8)
    for level in (5.0, 20.0):
        noise = _changed("noise", level, grey)[0].astype(float) - 128
        assert noise.std() == pytest.approx(level, rel=0.02)
        assert abs(noise.mean()) < 0.1
        assert (noise[0] != noise[1]).any()


def test_occlusion_hides_the_share_that_it_says_at_one_place_all_the_time() -> None:
    frames = _frames(5, 120, 160)
    for level in (0.1, 0.6):
        changed = _changed("occlusion", level, frames)[0]
        hidden = (changed == 128).all(-1)
        assert hidden[0].mean() == pytest.approx(level, abs=0.01)
        assert hidden.all(0).sum() >= 0.99 * hidden[0].sum()
        assert (changed[~hidden] == frames[~hidden]).all()


@pytest.mark.parametrize("kind", KINDS["pictures"])
def test_a_video_suffers_only_within_and_twice_the_same(kind: str) -> None:
    level = KINDS["pictures"][kind].levels[-1]

    def read(sample: str) -> VideoFrames:
        with apply_damage(Damage("pictures", kind, level, sample)):
            return read_frames(CLIP, end_s=2.0, rate_hz=10, max_side=64)

    whole, one, two = read_frames(CLIP, end_s=2.0, rate_hz=10, max_side=64), read("a"), read("a")
    assert (one.frames == two.frames).all()
    assert (one.times_s == two.times_s).all()
    assert one.frames.shape != whole.frames.shape or (one.frames != whole.frames).any()
    if kind in ("noise", "frame-drop", "occlusion"):
        assert (read("b").frames != one.frames).any()
    if kind == "fewer-frames":
        assert (one.times_s == whole.times_s[::16]).all()
    with apply_damage(Damage("sound", "noise", 0.0, "a")):
        assert (read_frames(CLIP, end_s=2.0, rate_hz=10, max_side=64).frames == whole.frames).all()
    assert (read_frames(CLIP, end_s=2.0, rate_hz=10, max_side=64).frames == whole.frames).all()


def test_parts_that_lose_all_their_frames_are_left_out() -> None:
    with apply_damage(Damage("pictures", "fewer-frames", 8.0, "a")):
        parts = list(iter_frames(CLIP, end_s=2.0, rate_hz=10, max_side=64, chunk=1))
    assert [len(part.frames) for part in parts] == [1, 1, 1]


def test_sound_gets_noise_of_the_ratio_that_it_says(sound: Path) -> None:
    whole = read_audio(sound, 16_000).samples
    with apply_damage(Damage("sound", "noise", 10.0, "a")):
        noise = read_audio(sound, 16_000).samples - whole
    assert 10 * np.log10((whole**2).mean() / (noise**2).mean()) == pytest.approx(10, abs=0.1)


def test_lost_packets_are_silent_and_as_many_as_it_says(sound: Path) -> None:
    whole = read_audio(sound, 16_000).samples
    with apply_damage(Damage("sound", "dropouts", 0.4, "a")):
        worse = read_audio(sound, 16_000).samples
    packets = (worse.reshape(-1, 320) == 0).all(1)
    assert packets.mean() == pytest.approx(0.4, abs=0.12)
    assert (worse.reshape(-1, 320)[~packets] == whole.reshape(-1, 320)[~packets]).all()


@pytest.mark.parametrize("name", ENCODERS.names())
def test_an_encoder_says_what_it_reads_as_its_code_does(name: str) -> None:
    """Every encoder of pictures or sound has it from one of the two readers, by way of its own neighbours."""
    module = ENCODERS.load(name)
    pictures = issubclass(module.Config, FaceOptions)
    sound = issubclass(module.Config, SoundOptions) or name == "hf-audio"
    assert getattr(module, "READS", "") == ("pictures" if pictures else "sound" if sound else "")
    assert getattr(module, "READS", "") in ("", *KINDS)
