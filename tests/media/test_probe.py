"""What a probe says of files of known length, and of files that were cut short."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.probe import probe


def _film(path: Path, n: int = 50, rate_hz: int = 10, sound: bool = True) -> Path:
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        track = container.add_stream("mp2", rate=16000, layout="mono") if sound else None
        for i in range(n):
            frame = rng.integers(0, 255, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            if track is not None:
                samples = (rng.normal(size=(1, 1600)) * 3000).astype(np.int16)
                block = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                block.sample_rate, block.pts, block.time_base = 16000, i * 1600, Fraction(1, 16000)
                container.mux(track.encode(block))
        container.mux(stream.encode())
        if track is not None:
            container.mux(track.encode())
    return path


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.mp4"])
def test_a_film_says_its_length_rates_and_frames(tmp_path: Path, name: str) -> None:
    medium = probe(_film(tmp_path / name))
    assert medium.length_s == pytest.approx(5, abs=0.15)
    assert medium.picture_hz == pytest.approx(10)
    assert medium.frames == pytest.approx(50, abs=1)
    assert medium.sound_hz == 16000
    assert medium.tail_read


def test_a_film_without_sound_and_sound_without_a_film(tmp_path: Path) -> None:
    assert probe(_film(tmp_path / "a.mp4", sound=False)).sound_hz == 0
    soundfile.write(tmp_path / "a.wav", np.zeros(24000, np.float32), 8000)
    medium = probe(tmp_path / "a.wav")
    assert (medium.length_s, medium.picture_hz, medium.frames, medium.sound_hz) == (3, 0, 0, 8000)


def test_a_sound_file_that_was_cut_short_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(24000, np.float32), 8000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:20000])
    with pytest.raises(DataError, match="its header states"):
        probe(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_a_film_that_was_cut_short_is_known_by_its_end(tmp_path: Path, name: str) -> None:
    path = _film(tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    medium = probe(path)
    assert medium.length_s == pytest.approx(5, abs=0.15)
    assert not medium.tail_read


def test_images_are_counted_at_their_rate(tmp_path: Path) -> None:
    for number in (1, 2, 5, 30):
        cv2.imwrite(str(tmp_path / f"{number:05d}.jpg"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("x")
    medium = probe(tmp_path, image_rate_hz=10.0)
    assert (medium.length_s, medium.picture_hz, medium.frames) == (pytest.approx(3), 10, 4)
    (tmp_path / "00030.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"00030.jpg is empty or damaged"):
        probe(tmp_path, image_rate_hz=10.0)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"", "empty"), (b"words\n" * 99, "cannot be opened: it is text")]
)
def test_what_is_no_medium_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        probe(path)
