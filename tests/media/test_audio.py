"""Sound from files and from the tracks of videos."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.audio import read_audio

RATE = 16_000


def _sweep(seconds: float, rate: int = RATE) -> np.ndarray:
    """A tone from 200 to about 1200 Hz: every moment differs, so that a shift shows."""
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * t + 100 * t**2))).astype(np.float32)


def _write_video(
    path: Path,
    seconds: float,
    sound: np.ndarray | None,
    *,
    rate: int = RATE,
    codec: str = "aac",
    sound_start_s: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """A real video at 25 fps whose sound starts `sound_start_s` after its first frame."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = None if sound is None else container.add_stream(codec, rate=rate, layout="mono")
        for _ in range(round(seconds * 25)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for i in range(0, len(sound), 1024):
                frame = av.AudioFrame.from_ndarray(sound[None, i : i + 1024], format="fltp", layout="mono")
                frame.rate = rate
                frame.pts = i + round(sound_start_s * rate)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def _lag(received: np.ndarray, expected: np.ndarray, reach: int = 400) -> int:
    """By how many samples `received` is late."""
    core = expected[reach:-reach]
    errors = [np.mean((received[reach + k : reach + k + len(core)] - core) ** 2) for k in range(-reach, reach)]
    return int(np.argmin(errors)) - reach


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_lossless_file_is_read_to_the_bit_depth(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, _sweep(1.3), RATE, subtype="PCM_16")
    audio = read_audio(path, RATE)
    assert audio.samples.dtype == np.float32
    assert audio.rate_hz == audio.source_rate_hz == RATE
    assert audio.silent_s == 0
    np.testing.assert_allclose(audio.samples, _sweep(1.3), atol=1 / 2**15)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "three.wav"
    channels = np.array([[0.3, 0.6, -0.3]] * 700)
    soundfile.write(path, channels, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path, RATE).samples, 0.2, atol=1e-6)


def test_a_segment_of_a_file_is_the_slice_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, _sweep(2.0), RATE)
    whole = read_audio(path, RATE).samples
    np.testing.assert_array_equal(read_audio(path, RATE, 0.5, 1.25).samples, whole[8000:20000])


def test_resampling_keeps_duration_and_pitch(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100), 44_100)
    audio = read_audio(path, RATE)
    assert (len(audio.samples), audio.source_rate_hz) == (RATE, 44_100)
    assert np.argmax(np.abs(np.fft.rfft(audio.samples))) == 440


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "aac"), ("mkv", "flac"), ("avi", "pcm_s16le")])
def test_the_track_of_a_video_is_in_time(tmp_path: Path, suffix: str, codec: str) -> None:
    path = _write_video(tmp_path / f"v.{suffix}", 3.0, _sweep(3.0), codec=codec)
    audio = read_audio(path, RATE)
    assert abs(len(audio.samples) / RATE - 3.0) < 0.15
    # Matroska rounds times to 1 ms.
    assert abs(_lag(audio.samples, _sweep(3.0)[: len(audio.samples)])) <= 1.5e-3 * RATE


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "aac")])
def test_a_segment_of_a_track_is_the_slice_of_the_whole(tmp_path: Path, suffix: str, codec: str) -> None:
    path = _write_video(tmp_path / f"v.{suffix}", 4.0, _sweep(4.0), codec=codec)
    whole, part = read_audio(path, RATE).samples, read_audio(path, RATE, 2.1, 3.3).samples
    assert len(part) == round(1.2 * RATE)
    assert abs(_lag(part, whole[33600:52800])) <= 1.5e-3 * RATE


def test_sound_that_starts_after_the_picture_is_led_by_counted_silence(tmp_path: Path) -> None:
    path = _write_video(tmp_path / "late.mkv", 3.0, _sweep(2.0), codec="flac", sound_start_s=1.0)
    audio = read_audio(path, RATE, 0.0, 3.0)
    assert audio.silent_s == pytest.approx(1.0, abs=0.01)
    assert not audio.samples[: RATE - 32].any()
    assert abs(_lag(audio.samples[RATE : 2 * RATE], _sweep(2.0)[:RATE])) <= 1.5e-3 * RATE


def test_a_segment_past_the_end_is_shorter_and_the_missing_seconds_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, _sweep(1.0), RATE)
    audio = read_audio(path, RATE, 0.5, 1.75)
    assert (len(audio.samples), audio.silent_s) == (8000, pytest.approx(0.75))


@pytest.mark.parametrize("name", ["a.wav", "v.mp4"])
def test_a_segment_outside_the_sound_is_an_error_that_says_its_length(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.wav":
        soundfile.write(path, _sweep(1.0), RATE)
    else:
        _write_video(path, 1.0, _sweep(1.0))
    with pytest.raises(DataError, match=r"no sound between 7\.00 s and 9\.00 s") as caught:
        read_audio(path, RATE, 7.0, 9.0)
    assert str(path) in str(caught.value)
    assert "the track's 1." in str(caught.value)


def test_a_video_without_sound_is_an_error_that_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no audio track, only video"):
        read_audio(_write_video(tmp_path / "mute.mp4", 0.4, None), RATE)


def test_a_wav_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, _sweep(1.0), RATE)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match="header states 32044 bytes and it holds 9000"):
        read_audio(path, RATE)


@pytest.mark.parametrize(("name", "index_first"), [("cut.flac", False), ("cut.mp4", False), ("cut.mp4", True)])
def test_other_files_cut_short_are_an_error(tmp_path: Path, name: str, index_first: bool) -> None:
    path = tmp_path / name
    if name == "cut.flac":
        soundfile.write(path, _sweep(3.0), RATE)
    else:
        _write_video(path, 3.0, _sweep(3.0), options={"movflags": "faststart"} if index_first else {})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_audio(path, RATE)


@pytest.mark.parametrize("name", ["notes.wav", "notes.mp4", "notes.txt"])
def test_a_text_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("not sound\n" * 50)
    with pytest.raises(DataError, match="no media file"):
        read_audio(tmp_path / name, RATE)


def test_missing_and_empty_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_audio(tmp_path / "none.wav", RATE)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(DataError, match="the file is empty"):
        read_audio(tmp_path / "empty.wav", RATE)


@pytest.mark.parametrize("value", [np.nan, 9000.0])
def test_samples_that_are_no_sound_are_an_error(tmp_path: Path, value: float) -> None:
    samples = _sweep(0.1)
    samples[77] = value
    soundfile.write(tmp_path / "bad.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match="samples reach"):
        read_audio(tmp_path / "bad.wav", RATE)


def test_a_segment_that_ends_before_it_starts_is_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _sweep(1.0), RATE)
    with pytest.raises(DataError, match=r"the segment is from 0\.5 s to 0\.5 s"):
        read_audio(tmp_path / "a.wav", RATE, 0.5, 0.5)


def test_telephone_sound_in_which_libsndfile_cannot_seek_is_read_whole_and_in_part(tmp_path: Path) -> None:
    """A tone that rises by 100 Hz per second, in GSM."""
    t = np.arange(8 * 8000) / 8000
    soundfile.write(tmp_path / "call.wav", 0.5 * np.sin(2 * np.pi * (400 * t + 50 * t**2)), 8000, subtype="GSM610")
    assert len(read_audio(tmp_path / "call.wav", 8000).samples) == pytest.approx(8 * 8000, abs=400)
    part = read_audio(tmp_path / "call.wav", 8000, 5.0, 6.0).samples
    assert len(part) == 8000
    crossings_hz = np.count_nonzero(np.diff(np.signbit(part))) / 2
    assert crossings_hz == pytest.approx(400 + 100 * 5.5, abs=10)
