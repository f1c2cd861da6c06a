import builtins
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.video import iter_frames, read_frames

READERS = ("decord", "pyav")


def write_video(path: Path, frames: np.ndarray, rate_hz: int = 25, codec: str = "libx264", **options: str) -> Path:
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def ramp(n: int, height: int = 58, width: int = 74) -> np.ndarray:
    """Frame i is grey of value 40 + 3 i: a frame tells its own number."""
    return np.broadcast_to((40 + 3 * np.arange(n, dtype=np.uint8))[:, None, None, None], (n, height, width, 3)).copy()


def numbers(frames: np.ndarray) -> list[int]:
    return np.round((frames.mean(axis=(1, 2, 3)) - 40) / 3).astype(int).tolist()


@pytest.mark.parametrize("reader", READERS)
def test_all_frames_come_in_order_with_their_times(tmp_path, reader):
    video = read_frames(write_video(tmp_path / "a.mp4", ramp(37)), reader=reader)
    assert numbers(video.frames) == list(range(37))
    assert video.frames.shape == (37, 58, 74, 3)
    assert video.frames.dtype == np.uint8
    np.testing.assert_allclose(video.times_s, np.arange(37) / 25, atol=1e-5)
    assert video.native_rate_hz == pytest.approx(25)
    assert video.length_s == pytest.approx(37 / 25, abs=1e-4)
    assert video.reader == reader


@pytest.mark.parametrize("reader", READERS)
def test_a_part_holds_the_frames_of_the_slice(tmp_path, reader):
    path = write_video(tmp_path / "a.mp4", ramp(60))
    assert numbers(read_frames(path, start_s=0.4, end_s=1.2, reader=reader).frames) == list(range(10, 30))
    part = read_frames(path, start_s=0.41, end_s=1.19, reader=reader)
    assert numbers(part.frames) == list(range(11, 30))
    assert part.times_s[0] == pytest.approx(0.03, abs=1e-4)
    assert numbers(read_frames(path, start_s=2.0, reader=reader).frames) == list(range(50, 60))


@pytest.mark.parametrize("reader", READERS)
def test_a_rate_takes_the_first_frame_at_or_after_each_tick(tmp_path, reader):
    path = write_video(tmp_path / "a.mp4", ramp(50))
    assert numbers(read_frames(path, rate_hz=10.0, end_s=0.8, reader=reader).frames) == [0, 3, 5, 8, 10, 13, 15, 18]
    assert numbers(read_frames(path, rate_hz=5.0, start_s=0.4, end_s=1.2, reader=reader).frames) == [10, 15, 20, 25]


@pytest.mark.parametrize("reader", READERS)
def test_a_rate_above_the_video_repeats_no_frame(tmp_path, reader):
    video = read_frames(write_video(tmp_path / "a.mp4", ramp(7), rate_hz=5), rate_hz=30.0, reader=reader)
    assert numbers(video.frames) == list(range(7))


@pytest.mark.parametrize("reader", READERS)
def test_chunks_join_to_the_whole(tmp_path, reader):
    path = write_video(tmp_path / "a.mp4", ramp(53))
    parts = list(iter_frames(path, rate_hz=12.5, chunk=4, reader=reader))
    whole = read_frames(path, rate_hz=12.5, reader=reader)
    assert [len(part.frames) for part in parts] == [4] * 6 + [3]
    np.testing.assert_array_equal(np.concatenate([part.frames for part in parts]), whole.frames)
    np.testing.assert_array_equal(np.concatenate([part.times_s for part in parts]), whole.times_s)


def test_frames_outlive_the_reader_that_lent_them(tmp_path):
    path = write_video(tmp_path / "a.mp4", ramp(30))
    parts = [chunk.frames for chunk in iter_frames(path, reader="decord", chunk=4)]
    for _ in range(3):
        read_frames(write_video(tmp_path / "b.mp4", ramp(30)[::-1]), reader="decord")
    assert numbers(np.concatenate(parts)) == list(range(30))
    # They are decord's own memory, not copied.
    assert not any(part.flags.writeable for part in parts)


@pytest.mark.parametrize("reader", READERS)
def test_one_frame_is_enough(tmp_path, reader):
    video = read_frames(write_video(tmp_path / "one.mp4", ramp(1)), reader=reader)
    assert video.frames.shape == (1, 58, 74, 3)
    assert video.times_s.tolist() == [0.0]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("side", "size"), [(37, (29, 37)), (500, (58, 74)), (None, (58, 74))])
def test_the_longest_side_is_limited_and_never_enlarged(tmp_path, reader, side, size):
    video = read_frames(write_video(tmp_path / "a.mp4", ramp(3)), max_side=side, reader=reader)
    assert video.frames.shape[1:3] == size
    assert numbers(video.frames) == [0, 1, 2]


@pytest.mark.parametrize("reader", READERS)
def test_frames_are_turned_as_the_rotation_flag_says(tmp_path, reader):
    frames = np.full((5, 128, 256, 3), 40, np.uint8)
    frames[:, :64, :128] = 220  # the bright corner: top left as stored
    upright = tmp_path / "upright.mp4"
    write_video(upright, frames)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(rotate_flag_90(upright.read_bytes()))
    video = read_frames(turned, reader=reader)
    assert video.frames.shape[1:3] == (256, 128)
    assert video.frames[0, 10:110, 74:120].mean() > 200  # clockwise: now top right
    assert video.frames[0, 140:].mean() < 60
    assert video.frames[0, :, :54].mean() < 60
    assert read_frames(turned, reader=reader, max_side=128).frames.shape[1:3] == (128, 64)


def rotate_flag_90(mp4: bytes) -> bytes:
    """Puts a quarter turn clockwise into the display matrix of the only track (ISO 14496-12, tkhd version 0)."""
    matrix = mp4.index(b"tkhd") + 4 + 40
    turn = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    return mp4[:matrix] + np.array(turn, ">i4").tobytes() + mp4[matrix + 36 :]


def test_both_readers_give_the_same_pixels(tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (11, 6, 8, 1), np.uint8).repeat(9, 1).repeat(11, 2).repeat(3, 3)
    path = write_video(tmp_path / "a.mp4", grey)
    for max_side, tolerance in [(None, 0.5), (41, 2.0)]:
        one, other = (read_frames(path, reader=reader, max_side=max_side) for reader in READERS)
        np.testing.assert_allclose(one.times_s, other.times_s, atol=1e-5)
        assert np.abs(one.frames.astype(int) - other.frames).mean() < tolerance


def test_matroska_and_unusual_starts_count_from_the_first_frame(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 74, 58, "yuv420p"
        for index, image in enumerate(ramp(20)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = index + 200
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    for reader in READERS:
        video = read_frames(path, start_s=0.2, end_s=0.4, reader=reader)
        assert numbers(video.frames) == [5, 6, 7, 8, 9]


def test_pyav_reads_where_decords_time_stamps_are_useless(tmp_path):
    path = write_video(tmp_path / "h264.avi", ramp(31))
    assert read_frames(path).reader == "pyav"
    assert numbers(read_frames(path, start_s=0.4, end_s=0.8).frames) == list(range(10, 20))


def test_pyav_reads_where_decord_is_not_installed(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", ramp(9))
    real_import = builtins.__import__

    def without_decord(name, *args, **kwargs):
        if name.split(".")[0] == "decord":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    for module in [name for name in sys.modules if name.split(".")[0] == "decord"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without_decord)
    video = read_frames(path)
    assert video.reader == "pyav"
    assert numbers(video.frames) == list(range(9))


def test_a_replaced_file_is_read_anew(tmp_path):
    path = write_video(tmp_path / "a.mp4", ramp(9))
    assert len(read_frames(path).frames) == 9
    write_video(path, ramp(14))
    assert len(read_frames(path).frames) == 14


def broken_files(folder: Path) -> dict[str, Path]:
    noisy = np.random.default_rng(0).integers(0, 255, (40, 58, 74, 3), np.uint8)
    index_last = write_video(folder / "index_last.mp4", noisy).read_bytes()
    index_first = write_video(folder / "index_first.mp4", noisy, movflags="faststart").read_bytes()
    contents = {
        "truncated": index_last[: len(index_last) // 2],
        "promises more frames than it holds": index_first[: len(index_first) // 2],
        "text": b"sample_id,subject,label\n" * 50,
    }
    files = {}
    for name, content in contents.items():
        files[name] = folder / f"{name}.mp4"
        files[name].write_bytes(content)
    return files


@pytest.mark.parametrize("name", ["truncated", "promises more frames than it holds", "text"])
def test_a_broken_file_is_named_with_the_reason_of_both_readers(tmp_path, name, capfd):
    path = broken_files(tmp_path)[name]
    with pytest.raises(DataError) as caught:
        read_frames(path)
    message = str(caught.value)
    assert str(path) in message
    assert "decord: " in message
    assert "pyav: " in message
    assert "to do: " in message
    assert capfd.readouterr() == ("", "")


def test_the_readable_beginning_of_a_broken_file_can_still_be_read(tmp_path):
    path = broken_files(tmp_path)["promises more frames than it holds"]
    assert len(read_frames(path, end_s=0.2, reader="pyav").frames) == 5


def test_missing_and_empty_files_say_so(tmp_path):
    with pytest.raises(DataError, match="no such video"):
        read_frames(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match="0 bytes"):
        read_frames(tmp_path / "empty.mp4")


@pytest.mark.parametrize("reader", ["auto", *READERS])
def test_a_part_beyond_the_end_says_how_long_the_video_is(tmp_path, reader):
    path = write_video(tmp_path / "a.mp4", ramp(10))
    with pytest.raises(DataError, match="from 3 s to 5 s holds no frame") as caught:
        read_frames(path, start_s=3.0, end_s=5.0, reader=reader)
    assert "0.400 s" in str(caught.value)
