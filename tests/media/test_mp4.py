import av
import numpy as np
import pytest

from mtpkd_cli.media._mp4 import mp4_side
from mtpkd_cli.media._pyav import stated_side


def write(path, codec="libx264", width=322, height=246, streams=1, **options):
    with av.open(str(path), "w", **options) as container:
        tracks = [container.add_stream(codec, rate=25) for _ in range(streams)]
        for stream in tracks:
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for stream in tracks:
            for i in range(3):
                picture = np.full((height, width, 3), 40 * i, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("options", [{}, {"options": {"movflags": "faststart"}}], ids=["header last", "header first"])
@pytest.mark.parametrize("size", [(322, 246), (18, 530)])
def test_the_header_says_what_the_library_says(tmp_path, suffix, options, size):
    path = write(tmp_path / f"a.{suffix}", width=size[0], height=size[1], **options)
    assert mp4_side(path) == stated_side(path) == max(size)


def test_other_files_are_left_to_the_library(tmp_path):
    assert mp4_side(write(tmp_path / "a.mkv")) == 0
    assert mp4_side(write(tmp_path / "a.avi")) == 0
    assert mp4_side(write(tmp_path / "mpeg4.mp4", codec="mpeg4")) == 0
    assert mp4_side(write(tmp_path / "two.mp4", streams=2)) == 0


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"\0\0\0\0moov", b"\0\0\0\1moov" + b"\0" * 8, bytes(range(200))])
def test_damage_is_left_to_the_library(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert mp4_side(path) == 0


def test_a_file_that_ends_early_is_left_to_the_library(tmp_path):
    whole = write(tmp_path / "a.mp4").read_bytes()
    for length in range(0, len(whole) - 200, 97):
        (tmp_path / "b.mp4").write_bytes(whole[:length])
        assert mp4_side(tmp_path / "b.mp4") in {0, 322}
