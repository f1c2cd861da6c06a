"""Videos with a drawn clock: each frame shows its own number, so that what was read says which moment it is of."""

import contextlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mtpkd_cli.errors import DataError
from mtpkd_cli.media import _decord_rule
from mtpkd_cli.media.probe import probe
from mtpkd_cli.media.seeking import seek_frames
from mtpkd_cli.media.video import VideoFrames, read_frames

SIZE, RATE, FRAMES = (128, 96), 25, 75
_FORMS = {"mts": "mpegts", "mpg": "mpeg", "wmv": "asf"}


@dataclass(frozen=True)
class Kind:
    """How a video is written: the suffix of its name is the container, `gop` the most frames between key frames."""

    name: str
    codec: str
    options: dict[str, str] = field(default_factory=dict)
    b_frames: int = 0
    gop: int = 25
    uneven: bool = False
    mux: dict[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"

    @property
    def times_s(self) -> np.ndarray:
        """(FRAMES,) when each frame is shown."""
        if not self.uneven:
            return np.arange(FRAMES) / RATE
        return np.cumsum(np.random.default_rng(0).integers(15, 90, FRAMES)) / 1000 - 0.015


def draw(number: int) -> np.ndarray:
    """The clock: eight bits as blocks, (96, 128, 3) uint8."""
    bits = (number >> np.arange(8)) & 1
    return np.kron(40 + 175 * bits.reshape(2, 4), np.ones((48, 32)))[..., None].repeat(3, 2).astype(np.uint8)


def read_clock(frames: np.ndarray) -> np.ndarray:
    """(T,) the numbers that frames show."""
    n, height, width, _ = frames.shape
    blocks = frames.reshape(n, 2, height // 2, 4, width // 4, 3)[:, :, 8:-8, :, 8:-8].mean(axis=(2, 4, 5))
    return ((blocks.reshape(n, 8) > 128) << np.arange(8)).sum(axis=1)


def write(folder: Path, kind: Kind) -> Path:
    """Writes a clock."""
    path = folder / kind.name
    with av.open(str(path), "w", format=_FORMS.get(path.suffix[1:]), options=kind.mux) as container:
        stream = container.add_stream(kind.codec, rate=RATE, options=kind.options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, kind.pixels
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = kind.gop, kind.b_frames
        unit = Fraction(1, 1000 if kind.uneven else RATE)
        stream.codec_context.time_base = unit
        for number, time_s in enumerate(kind.times_s):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = round(time_s / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut(source: Path, path: Path, start_s: float, end_s: float) -> Path:
    """Cuts as `ffmpeg -ss START -to END -c copy` does: from the key frame before, with START as zero."""
    form = _FORMS.get(path.suffix[1:])
    with av.open(str(source)) as whole, av.open(str(path), "w", format=form) as part:
        stream: Any = whole.streams.video[0]
        copy = part.add_stream_from_template(stream)
        begin = int(start_s / stream.time_base) + (stream.start_time or 0)
        whole.seek(begin, stream=stream, backward=True)
        for packet in whole.demux(stream):
            if packet.size and (packet.dts - begin) * stream.time_base <= end_s - start_s:
                packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, copy
                part.mux(packet)
    return path


X264 = {"preset": "veryfast", "crf": "18", "threads": "1"}
OPEN = X264 | {"x264-params": "open-gop=1:keyint=13:min-keyint=13:scenecut=0:b-adapt=0"}
REFRESH = X264 | {"x264-params": "intra-refresh=1:keyint=25:bframes=0"}
X265 = "log-level=none:pools=1:frame-threads=1:bframes=3:keyint=25:min-keyint=25:scenecut=0:open-gop="
HEVC, HEVC_OPEN = ({"preset": "ultrafast", "x265-params": X265 + end} for end in "01")
VPX = {"deadline": "realtime", "cpu-used": "8"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}


def kinds_of(codec: str, options: dict[str, str], names: str, **more: Any) -> list[Kind]:
    return [Kind(name, codec, options, **more) for name in names.split()]


# By the reader that is right for them.
BY_DECORD = [
    *kinds_of("libx264", X264, "h264.mp4 h264.mov h264.mkv h264.3gp", b_frames=3),
    *kinds_of("libx264", X264, "h264-no-b.mp4 h264-no-b.mkv"),
    Kind("h264-fragments.mp4", "libx264", X264, 3, mux=FRAGMENTS),
    Kind("h264-one-key.mp4", "libx264", X264, 3, gop=1000),
    *kinds_of("libx264", X264, "h264-uneven.mp4 h264-uneven.mkv", b_frames=3, uneven=True),
    *kinds_of("libvpx", VPX, "vp8.webm vp8.mkv"),
    *kinds_of("libvpx-vp9", VPX, "vp9.webm vp9.mp4 vp9.mkv"),
    Kind("vp9-hidden.webm", "libvpx-vp9", {"deadline": "good", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    *kinds_of("prores_ks", {}, "prores.mov prores.mkv", pixels="yuv422p10le"),
]
BY_PYAV = [
    *kinds_of("libx264", X264, "h264.avi h264.flv h264.ts h264.mts h264.mpg", b_frames=3),
    *kinds_of("libx264", X264, "h264-uneven.ts h264-uneven.flv", b_frames=3, uneven=True),
    Kind("h264-live.mkv", "libx264", X264, 3, mux={"live": "1"}),
    *kinds_of("libx264", OPEN, "open.mp4 open.mkv open.mts", b_frames=3, gop=13),
    *kinds_of("libx264", REFRESH, "refresh.mp4 refresh.mkv refresh.ts"),
    *kinds_of("libx265", HEVC, "hevc.mp4 hevc.ts", b_frames=3),
    *kinds_of("libx265", HEVC_OPEN, "hevc-open.mp4 hevc-open.mkv hevc-open.mts", b_frames=3),
    *kinds_of("mpeg4", {"qscale": "3"}, "mpeg4.mp4 mpeg4.avi mpeg4.mkv mpeg4.mpg mpeg4.3gp", b_frames=2),
    *kinds_of("mpeg4", {"qscale": "3"}, "mpeg4-no-b.avi mpeg4-no-b.mp4"),
    *kinds_of("mpeg2video", {}, "mpeg2.mpg mpeg2.vob mpeg2.ts mpeg2.mkv mpeg2.mp4 mpeg2.avi", b_frames=2, gop=15),
    *kinds_of("mpeg1video", {}, "mpeg1.mpg mpeg1.avi", b_frames=2, gop=15),
    *kinds_of("wmv2", {}, "wmv2.wmv wmv2.avi"),
    Kind("wmv2-uneven.wmv", "wmv2", uneven=True),
    *kinds_of("msmpeg4", {}, "msmpeg4.avi msmpeg4.wmv"),
    *kinds_of("libsvtav1", {"preset": "10", "crf": "8", "svtav1-params": "lp=1"}, "av1.mp4 av1.webm"),
    *kinds_of("mjpeg", {}, "mjpeg.avi mjpeg.mov", pixels="yuvj420p"),
    *kinds_of("h263", {}, "h263.3gp h263.avi"),
    Kind("flv1.flv", "flv"),
    Kind("ffv1.mkv", "ffv1"),
]
# As with `-c copy`: source, name of the cut, its start and end in seconds.
CUTS = [
    (source, f"cut-{source.rpartition('.')[0]}-{at}.{suffix}", at / 100, 2.8)
    for source, suffixes in {
        "h264.mp4": "mp4 mov mkv flv ts",
        "open.mp4": "mp4 mkv",
        "refresh.mp4": "mp4 mkv",
        "hevc-open.mp4": "mp4 mkv",
        "mpeg4.mp4": "mp4 mkv",
        "mpeg2.ts": "ts mkv mpg",
        "vp9.webm": "webm mp4",
        "prores.mov": "mov",
        "mjpeg.mov": "mov",
        "wmv2.wmv": "wmv",
    }.items()
    for suffix in suffixes.split()
    for at in (100, 130)
]


def make_clocks(folder: Path) -> None:
    """Writes all of them, a file of each kind."""
    with contextlib.redirect_stderr(io.StringIO()):
        for kind in [*BY_DECORD, *BY_PYAV]:
            write(folder, kind)
    for source, name, start_s, end_s in CUTS:
        cut(folder / source, folder / name, start_s, end_s)
    for name in BETWEEN_KEYS:
        content = (folder / name).read_bytes()
        (folder / f"middle-{name}").write_bytes(content[len(content) // 5 * 2 // 188 * 188 :])


# Begun in the middle, as a recording of a broadcast is.
BETWEEN_KEYS = ("h264.ts", "open.mts", "hevc-open.mts", "mpeg2.ts", "mpeg2.mpg")


@pytest.fixture(scope="module")
def folder(made_once: Callable[..., Path]) -> Path:
    return made_once("clocks", make_clocks)


def from_the_start(path: Path) -> np.ndarray:
    """The numbers that a plain decode of the whole file shows."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return read_clock(np.stack(frames))


def check_part(path: Path, times_s: np.ndarray, start_s: float, end_s: float, **more: Any) -> VideoFrames:
    """Reads a part of a video whose frames are shown at these times (number -> seconds from the first one shown)."""
    part = read_frames(path, start_s=start_s, end_s=end_s, **more)
    shown_s = times_s[read_clock(part.frames)]
    np.testing.assert_allclose(part.times_s + start_s, shown_s, atol=2e-3)
    wanted = (times_s >= start_s - 1e-3) & (times_s < end_s - 1e-3) & ~np.isnan(times_s)
    assert len(part.frames) == wanted.sum()
    return part


@pytest.mark.parametrize("kind", [*BY_DECORD, *BY_PYAV], ids=lambda kind: kind.name)
def test_frames_are_of_their_time(folder: Path, kind: Kind) -> None:
    path, times_s = folder / kind.name, kind.times_s - kind.times_s[0]
    whole = check_part(path, times_s, 0.0, math.inf)
    assert whole.reader == ("decord" if kind in BY_DECORD else "pyav")
    assert whole.missing == 0
    assert whole.length_s == pytest.approx(times_s[-1] * FRAMES / (FRAMES - 1), abs=2e-3)
    for start_s, end_s in ((2.5, 2.8), (0.52, 0.92), (1.3, 1.6), (times_s[-1] - 0.1, math.inf)):
        check_part(path, times_s, start_s, end_s)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut[1])
def test_a_cut_shows_what_a_player_shows(folder: Path, cut: tuple[str, str, float, float]) -> None:
    path = folder / cut[1]
    shown = from_the_start(path)
    assert len(shown) > 25
    assert (np.diff(shown) > 0).all()
    times_s = np.full(FRAMES, np.nan)
    times_s[shown] = (shown - shown[0]) / RATE
    whole = check_part(path, times_s, 0.0, math.inf)
    assert whole.length_s == pytest.approx((shown[-1] - shown[0] + 1) / RATE, abs=0.01)
    for start_s in (0.12, 0.6, float(times_s[shown[-8]])):
        check_part(path, times_s, start_s, start_s + 0.2)


@pytest.mark.parametrize("name", BETWEEN_KEYS)
def test_a_film_that_begins_between_key_frames_begins_with_the_first_that_can_be_decoded(
    folder: Path, name: str
) -> None:
    path = folder / f"middle-{name}"
    shown = from_the_start(path)
    assert shown[0] > 0
    times_s = np.full(FRAMES, np.nan)
    times_s[shown] = (shown - shown[0]) / RATE
    whole = check_part(path, times_s, 0.0, math.inf)
    assert whole.missing > 0 or name == "mpeg2.mpg"  # which has to be counted: no more is known than what is decoded
    check_part(path, times_s, float(times_s[shown[12]]), math.inf)
    medium = probe(path)
    assert medium.lost == whole.missing
    assert medium.tail_read


@pytest.mark.parametrize(
    "name", ["h264.mts", "h264.ts", "hevc-open.mts", "mpeg2.vob", "h264.mpg", "refresh.ts", "h264.avi"]
)
def test_a_whole_film_is_not_called_cut_short(folder: Path, name: str) -> None:
    medium = probe(folder / name)
    assert medium.tail_read
    assert medium.length_s == pytest.approx(FRAMES / RATE, abs=0.09)
    assert medium.picture_hz == pytest.approx(RATE, rel=0.02)


@pytest.mark.parametrize("name", ["h264.ts", "mpeg2.mpg"])
def test_joined_recordings_whose_time_begins_anew_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (tmp_path / name).write_bytes(content + content)
    with pytest.raises(DataError, match=r"its time stamps (go back|jump)"):
        read_frames(tmp_path / name)


def test_a_part_taken_at_a_rate_is_the_same_whoever_reads(folder: Path) -> None:
    for name in ("h264.mp4", "h264.mts", "mpeg2.vob", "hevc-open.mkv", "mpeg4.avi"):
        part = read_frames(folder / name, start_s=0.5, end_s=2.5, rate_hz=10.0)
        assert read_clock(part.frames).tolist() == [
            13,
            15,
            18,
            20,
            23,
            25,
            28,
            30,
            33,
            35,
            38,
            40,
            43,
            45,
            48,
            50,
            53,
            55,
            58,
            60,
        ]


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mts", "mpeg2.mpg", "wmv2.wmv"])
def test_seeking_agrees_with_a_decode_from_the_start(folder: Path, name: str) -> None:
    sought = seek_frames(folder / name)
    assert (sought.frames, sought.off_s) == (4, 0.0)
    assert sought.reader == ("decord" if name == "h264.mp4" else "pyav")


@pytest.mark.parametrize("name", ["h264.ts", "mpeg2.mkv", "wmv2.wmv"])
def test_seeking_tells_a_reader_that_is_wrong(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # decord reads what it is known to read wrongly.
    monkeypatch.setattr(_decord_rule, "inexact", lambda _packets: "")
    _decord_rule._judged.cache_clear()
    sought = seek_frames(folder / name)
    _decord_rule._judged.cache_clear()
    assert sought.reader == "decord"
    assert abs(sought.off_s) > 0.02
