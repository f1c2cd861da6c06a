"""What the packets of a video say, and what is believed of it: broken stamps, odd names, tracks of two lengths."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._mp4 import mp4_packets
from mtpkd_cli.media._packets import list_packets
from mtpkd_cli.media._video_request import Request, choose
from mtpkd_cli.media.audio import read_audio
from mtpkd_cli.media.length import length_s
from mtpkd_cli.media.probe import probe
from mtpkd_cli.media.video import read_frames


def write(
    path: Path,
    pts: list[int],
    unit: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    sound_s: float = 0.0,
    **mux: str,
) -> Path:
    """Grey frames at these times; with sound_s, a tone as long as that beside them."""
    with av.open(str(path), "w", options=mux) as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.time_base = 64, 48, "yuv420p", unit
        track = container.add_stream("aac", rate=16000, layout="mono") if sound_s else None
        for number, stamp in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 + number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for second in range(round(sound_s)):
            tone = (8000 * np.sin(np.arange(16000) / 10)).astype(np.int16)[None]
            block = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = 16000, second * 16000, Fraction(1, 16000)
            container.mux(track.encode(block))
        if track is not None:
            container.mux(track.encode())
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "late.mp4"])
def test_the_tables_of_an_mp4_say_what_its_packets_say(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, list(range(7, 47)) if "late" in name else list(range(40)))
    table, packets = mp4_packets(path), list_packets(path).packets
    if "late" in name:  # an edit says that nothing is shown at first: the packets are asked
        assert table is None
        return
    assert table is not None
    np.testing.assert_allclose(table.stamps_s, packets.stamps_s)
    np.testing.assert_array_equal(table.key, packets.key)
    assert table.clean
    assert packets.clean
    assert table.closed
    assert packets.closed
    assert packets.shown.all()


def with_last_stamp(path: Path, duration: int) -> Path:
    """Puts a duration into the table of times of an mp4, so that the frames after it come that much later."""
    content = bytearray(path.read_bytes())
    place = content.index(b"stts") + 8
    count, old = struct.unpack_from(">II", content, place + 4)
    assert struct.unpack_from(">I", content, place) == (1,)
    assert count > 1
    struct.pack_into(">II", content, place + 4, count, duration)
    assert old != duration
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_time_stamps_of_a_thousand_years_are_refused_and_cost_no_memory(tmp_path: Path, codec: str) -> None:
    path = with_last_stamp(write(tmp_path / "a.mp4", list(range(20)), codec=codec), 0x7FFFFFFF)
    with pytest.raises(DataError, match="time stamps"):
        read_frames(path, rate_hz=10.0)
    with pytest.raises(DataError, match="time stamps"):
        probe(path)


def test_ticks_cost_as_much_as_there_are_frames() -> None:
    request = Request(Path("a"), 0.0, np.inf, 1000.0, None, 1)
    assert choose(np.array([0.0, 0.5, 1e14]), request).tolist() == [0, 1, 2]


@pytest.mark.parametrize("unlike", [3, 40])
def test_a_film_may_pause(tmp_path: Path, unlike: int) -> None:
    path = write(tmp_path / "a.mp4", [0, 1, 2, 25 * unlike, 25 * unlike + 1])
    np.testing.assert_allclose(read_frames(path).times_s, [0, 0.04, 0.08, unlike, unlike + 0.04], atol=1e-6)


@pytest.mark.parametrize("name", ["2024-03-01T10:15:00.mp4", "http:clip.mkv", "10:15.ts", "concat:a|b.mp4"])
def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write(tmp_path / "plain.mp4", list(range(12)), sound_s=2)
    form = {"mkv": "matroska", "ts": "mpegts", "mp4": "mp4"}[name.rpartition(".")[2]]
    with av.open(str(tmp_path / "plain.mp4")) as whole, av.open(str(tmp_path / "copy"), "w", format=form) as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    (tmp_path / "copy").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (Path(name), tmp_path / name):
        assert len(read_frames(path).frames) == 12
        assert probe(path).frames == 12
        assert len(read_audio(path, 8000).samples) == pytest.approx(16000, abs=1100)
        assert length_s(path, {"image_rate_hz": 25.0}) == pytest.approx(0.48, abs=0.01)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("picture", ["shorter", "longer"])
def test_the_length_is_that_of_the_track_that_is_read(tmp_path: Path, suffix: str, picture: str) -> None:
    picture_s, sound_s = (1.0, 5.0) if picture == "shorter" else (5.0, 1.0)
    path = write(tmp_path / f"a.{suffix}", list(range(round(picture_s * 25))), sound_s=sound_s)
    assert length_s(path, {"image_rate_hz": 25.0}) == pytest.approx(picture_s, abs=0.03)
    # An AVI counts packets: it knows no delay of a codec.
    assert length_s(path, {}) == pytest.approx(sound_s, abs=0.35)
    for sound_only, expected in ((False, picture_s), (True, sound_s)):
        medium = probe(path, sound_only=sound_only)
        assert medium.length_s == pytest.approx(expected, abs=0.5), sound_only
        assert medium.tail_read, sound_only


def test_a_film_without_sound_has_no_length_for_who_listens(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no audio track"):
        length_s(write(tmp_path / "a.mp4", list(range(5))), {})


def test_a_title_in_another_encoding_makes_no_file_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", list(range(9)), codec="mpeg4")
    with av.open(str(path)) as whole, av.open(str(tmp_path / "b.avi"), "w", format="avi") as copy:
        copy.metadata["title"] = "Grosse"
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    content = (tmp_path / "b.avi").read_bytes()
    assert content.count(b"Grosse") == 1
    (tmp_path / "b.avi").write_bytes(content.replace(b"Grosse", b"Gro\xdfe\0"))
    assert len(read_frames(tmp_path / "b.avi").frames) == 9
