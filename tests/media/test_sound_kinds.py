"""The same chirp lies at the same place in every kind of file, whatever the file states about itself."""

import struct
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.signal import hilbert

from mtpkd_cli.checks.media import Modality, look_at_media
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.audio import read_audio, sound_length_s
from mtpkd_cli.media.length import length_s
from mtpkd_cli.media.probe import probe

RATE, SECONDS = 16_000, 4.0
# A codec's own delay, where the file does not state it: no more than two blocks of MP3 or AAC.
UNSTATED_S = 0.030


def _chirp(t: np.ndarray) -> np.ndarray:
    """300 Hz at 0 s, 100 Hz more each second."""
    return 0.5 * np.sin(2 * np.pi * (300 * t + 50 * t**2))


def _late_s(samples: np.ndarray, start_s: float) -> float:
    """By how much a stretch of the chirp is late, from the slope of its phase against the chirp's."""
    t = start_s + np.arange(len(samples)) / RATE
    beat = hilbert(samples) * np.exp(-2j * np.pi * (300 * t + 50 * t**2))
    inner = slice(len(t) // 5, -len(t) // 5)
    phase = np.unwrap(np.angle(np.convolve(beat, np.ones(64), "same")[inner]))
    return float(-np.polyfit(t[inner], phase, 1)[0] / (2 * np.pi * 100))


class _Pipe:
    """A file that cannot be wound back, so that no length is written into its header."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Kind:
    name: str
    codec: str
    rate: int = 44_100
    muxer: str | None = None
    pipe: bool = False
    picture: str = ""
    options: dict[str, str] = field(default_factory=dict)
    codec_options: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    def write(self, folder: Path, *, picture_s: float = SECONDS, sound_start_s: float = 0.0) -> Path:
        path = folder / self.name
        with ExitStack() as opened:
            target = opened.enter_context(closing(_Pipe(path))) if self.pipe else str(path)
            container = opened.enter_context(av.open(target, "w", format=self.muxer, options=self.options))
            if self.picture:
                film = container.add_stream(self.picture, rate=25)
                film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
            track = container.add_stream(self.codec, rate=self.rate, layout="mono", options=self.codec_options)
            if self.picture:
                for _ in range(round(picture_s * 25)):
                    picture = np.full((48, 64, 3), 90, np.uint8)
                    container.mux(film.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(film.encode(None))
            sound = _chirp(np.arange(round(sound_start_s * self.rate), round(SECONDS * self.rate)) / self.rate)
            resampler = av.AudioResampler(format=track.format, rate=self.rate)
            for i in range(0, len(sound), 1024):
                frame = av.AudioFrame.from_ndarray(sound[None, i : i + 1024].astype(np.float32), "fltp", "mono")
                frame.rate, frame.pts = self.rate, round(sound_start_s * self.rate) + i
                for converted in resampler.resample(frame):
                    container.mux(track.encode(converted))
            container.mux(track.encode(None))
        return path


_RAW = {"delay_s": UNSTATED_S}
KINDS = [
    _Kind("a.aac", "aac", muxer="adts", **_RAW),
    _Kind("a.mp3", "libmp3lame"),
    _Kind("vbr.mp3", "libmp3lame", codec_options={"global_quality": "472", "flags": "+qscale"}),
    _Kind("no-length.mp3", "libmp3lame", options={"write_xing": "0"}, **_RAW),
    _Kind("pipe.mp3", "libmp3lame", muxer="mp3", pipe=True, **_RAW),
    _Kind("a.m4a", "aac", muxer="ipod"),
    _Kind("alac.m4a", "alac", muxer="ipod"),
    _Kind("fragments.mp4", "aac", options={"movflags": "frag_keyframe+empty_moov"}, **_RAW),
    _Kind("pipe.mp4", "aac", muxer="mp4", pipe=True, options={"movflags": "frag_keyframe+empty_moov"}, **_RAW),
    _Kind("a.mka", "aac", muxer="matroska", **_RAW),
    _Kind("a.webm", "libopus", 48_000),
    _Kind("pipe.webm", "libopus", 48_000, muxer="webm", pipe=True),
    _Kind("a.ogg", "libopus", 48_000),
    _Kind("a.opus", "libopus", 48_000, muxer="ogg"),
    _Kind("pipe.opus", "libopus", 48_000, muxer="ogg", pipe=True),
    _Kind("a.flac", "flac", RATE),
    _Kind("pipe.flac", "flac", RATE, muxer="flac", pipe=True),
    _Kind("a.wav", "pcm_s16le", RATE),
    _Kind("pipe.wav", "pcm_s16le", RATE, muxer="wav", pipe=True),
    _Kind("a.rf64", "pcm_s16le", RATE, muxer="wav", options={"rf64": "always"}),
    _Kind("pipe.rf64", "pcm_s16le", RATE, muxer="wav", pipe=True, options={"rf64": "always"}),
    _Kind("law.wav", "pcm_mulaw", 8000),
    _Kind("adpcm.wav", "adpcm_ima_wav", RATE),
    _Kind("mp3-inside.wav", "libmp3lame", **_RAW),
    _Kind("a.w64", "pcm_s16le", RATE),
    _Kind("pipe.w64", "pcm_s16le", RATE, muxer="w64", pipe=True),
    _Kind("a.aiff", "pcm_s16be", RATE),
    _Kind("pipe.aiff", "pcm_s16be", RATE, muxer="aiff", pipe=True),
    _Kind("a.au", "pcm_s16be", RATE),
    _Kind("pipe.au", "pcm_s16be", RATE, muxer="au", pipe=True),
    _Kind("a.caf", "pcm_s16be", RATE),
    _Kind("pipe.caf", "pcm_s16be", RATE, muxer="caf", pipe=True),
    _Kind("a.wv", "wavpack", RATE),
    _Kind("a.tta", "tta", RATE),
    _Kind("a.ac3", "ac3", **_RAW),
    _Kind("a.mp2", "mp2", **_RAW),
    _Kind("a.ts", "mp2", muxer="mpegts", **_RAW),
    _Kind("a.mpg", "mp2", muxer="mpeg", **_RAW),
    _Kind("film.mp4", "aac", picture="mpeg4"),
    _Kind("film.mov", "pcm_s16le", picture="mpeg4"),
    _Kind("film.mkv", "aac", picture="mpeg4"),
    _Kind("film.avi", "pcm_s16le", picture="mpeg4"),
    _Kind("film.ts", "aac", muxer="mpegts", picture="mpeg2video"),
    _Kind("film.mpg", "mp2", muxer="mpeg", picture="mpeg2video"),
    # Its sound is moved to whole milliseconds, and by as much as Opus reads ahead.
    _Kind("film.webm", "libopus", 48_000, picture="libvpx", codec_options={}, delay_s=0.008),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_sound_lies_where_it_was_recorded_whole_and_in_part(tmp_path: Path, kind: _Kind) -> None:
    path = kind.write(tmp_path)
    tolerance = 0.003 + kind.delay_s
    whole = read_audio(path, RATE)
    assert len(whole.samples) / RATE == pytest.approx(SECONDS, abs=0.1)
    assert abs(_late_s(whole.samples, 0.0)) <= tolerance
    part, rest = read_audio(path, RATE, 2.25, 3.25), read_audio(path, RATE, 3.0)
    assert len(part.samples) == RATE
    assert abs(_late_s(part.samples, 2.25)) <= tolerance
    assert _late_s(part.samples, 2.25) == pytest.approx(_late_s(whole.samples, 0.0), abs=0.0015)
    assert abs(_late_s(rest.samples, 3.0)) <= tolerance
    assert sound_length_s(path) == pytest.approx(len(whole.samples) / RATE, abs=0.07)


@pytest.mark.parametrize("muxer", ["mp4", "matroska", "mpegts", "avi"])
def test_a_listener_gets_the_length_of_the_sound_not_of_the_picture(tmp_path: Path, muxer: str) -> None:
    path = _Kind("call", "mp2" if muxer != "mp4" else "aac", muxer=muxer, picture="mpeg4").write(tmp_path, picture_s=1)
    assert length_s(path, {}) == pytest.approx(SECONDS, abs=0.05)
    assert length_s(path, {"image_rate_hz": 25.0}) == pytest.approx(1.0, abs=0.05)
    assert probe(path, sound_only=True).length_s == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize("muxer", ["mp4", "matroska", "mpegts"])
def test_sound_that_begins_later_keeps_its_place(tmp_path: Path, muxer: str) -> None:
    kind = _Kind("late", "mp2" if muxer == "mpegts" else "aac", muxer=muxer, picture="mpeg2video")
    path = kind.write(tmp_path, sound_start_s=1.0)
    whole = read_audio(path, RATE)
    assert whole.silent_s == pytest.approx(1.0, abs=0.03)
    assert np.abs(whole.samples[: round(0.95 * RATE)]).max() < 1e-6
    assert abs(_late_s(read_audio(path, RATE, 2.5, 3.5).samples, 2.5)) < 0.003
    assert sound_length_s(path) == pytest.approx(SECONDS, abs=0.05)


def test_loud_then_quiet_is_no_shorter_than_its_mean_rate_says(tmp_path: Path) -> None:
    """FFmpeg estimates the length of raw AAC by the bit rate of its beginning, which silence makes much too long."""
    rng, path = np.random.default_rng(3), tmp_path / "quiet-first.aac"
    quiet_then_loud = np.concatenate([np.zeros(5 * RATE), 0.3 * rng.normal(size=5 * RATE)]).astype(np.float32)
    with av.open(str(path), "w", format="adts") as container:
        track = container.add_stream(
            "aac", rate=RATE, layout="mono", options={"flags": "+qscale", "global_quality": "200"}
        )
        for i in range(0, len(quiet_then_loud), 1024):
            frame = av.AudioFrame.from_ndarray(quiet_then_loud[None, i : i + 1024], "fltp", "mono")
            frame.rate, frame.pts = RATE, i
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    assert sound_length_s(path) == pytest.approx(10.0, abs=0.2)
    assert probe(path, sound_only=True).length_s == pytest.approx(10.0, abs=0.2)
    assert len(read_audio(path, RATE).samples) / RATE == pytest.approx(10.0, abs=0.2)
    assert np.std(read_audio(path, RATE, 3.0, 4.5).samples) < 1e-3
    assert np.std(read_audio(path, RATE, 6.0, 7.5).samples) > 0.2


def _wav(tmp_path: Path) -> bytearray:
    soundfile.write(tmp_path / "good.wav", _chirp(np.arange(3 * RATE) / RATE), RATE)
    return bytearray((tmp_path / "good.wav").read_bytes())


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (0x7FFFF024, 0x7FFFF000),
        (0x80000024, 0x80000000),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0, 0),
        (3 * 2 * RATE + 36, 0),
        (3 * 2 * RATE + 36, 0xFFFFFFFF),
        (0x7FFFF024, 3 * 2 * RATE),
        # Written a second after the beginning, and never again.
        (2 * RATE + 36, 2 * RATE),
    ],
)
def test_a_wav_whose_sizes_were_never_written_is_read_to_its_end(tmp_path: Path, riff: int, data: int) -> None:
    content, path = _wav(tmp_path), tmp_path / "a.wav"
    content[4:8], content[40:44] = struct.pack("<I", riff), struct.pack("<I", data)
    path.write_bytes(content)
    assert len(read_audio(path, RATE).samples) == 3 * RATE
    assert sound_length_s(path) == pytest.approx(3.0)
    assert probe(path).length_s == pytest.approx(3.0)
    assert abs(_late_s(read_audio(path, RATE, 1.5, 2.5).samples, 1.5)) < 1e-4


def test_what_follows_the_sound_of_a_wav_is_not_heard(tmp_path: Path) -> None:
    for tail in (b"LIST" + struct.pack("<I", 9000) + bytes(9000), b"ID3\x03" + bytes(9000), bytes(9000)):
        (tmp_path / "tagged.wav").write_bytes(_wav(tmp_path) + tail)
        assert len(read_audio(tmp_path / "tagged.wav", RATE).samples) == 3 * RATE


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "caf", "w64", "rf64"])
def test_a_file_cut_short_is_told_whatever_its_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, _chirp(np.arange(3 * RATE) / RATE), RATE, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 2 * 2 * RATE])
    for read in (sound_length_s, lambda file: read_audio(file, RATE)):
        with pytest.raises(DataError, match=r"its header states \d+ bytes and it holds \d+"):
            read(path)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (24, b"\0\0\0\0", "truncated or damaged"),
        (24, b"\1\0\0\0", "states 1 values of sound per second"),
        (22, b"\0\0", "no audio track"),
        (22, b"\xe7\3", "contradicts itself"),
        (34, b"\7\0", "contradicts itself"),
        (20, b"\x63\0", "truncated or damaged"),
    ],
)
def test_an_absurd_header_is_told(tmp_path: Path, at: int, value: bytes, message: str) -> None:
    content = _wav(tmp_path)
    content[at : at + len(value)] = value
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_audio(tmp_path / "a.wav", RATE)


@pytest.mark.parametrize("name", ["2024-03-01T10:15:00.wav", "a:b.mp3", "pipe:1.m4a", "file:x.wav"])
def test_a_colon_in_a_relative_name_is_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kind = next(kind for kind in KINDS if kind.name == f"a{Path(name).suffix}")
    kind.write(tmp_path).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read_audio(Path(name), RATE).samples) / RATE == pytest.approx(SECONDS, abs=0.02)
    assert probe(Path(name)).length_s == pytest.approx(SECONDS, abs=0.02)
    assert length_s(Path(name), {}) == pytest.approx(SECONDS, abs=0.02)


def test_files_joined_end_to_end_are_told(tmp_path: Path) -> None:
    stream = _Kind("a.ts", "mp2", muxer="mpegts").write(tmp_path)
    (tmp_path / "joined.ts").write_bytes(stream.read_bytes() * 2)
    with pytest.raises(DataError, match=r"stamps of its sound leap from 4\.\d\d s to 0\.00 s"):
        read_audio(tmp_path / "joined.ts", RATE)
    pages = []
    for serial in (1, 2):
        part = _Kind(f"{serial}.ogg", "libopus", 48_000, options={"serial_offset": str(1000 * serial)}).write(tmp_path)
        pages.append(part.read_bytes())
    (tmp_path / "joined.ogg").write_bytes(b"".join(pages))
    with pytest.raises(DataError, match="several recordings are joined"):
        read_audio(tmp_path / "joined.ogg", RATE)


def test_a_name_does_not_say_what_a_file_holds(tmp_path: Path) -> None:
    for kind, name in (("a.wav", "x.mp3"), ("a.mp3", "x.wav"), ("a.m4a", "y.wav"), ("pipe.wav", "x.bin")):
        path = tmp_path / name
        next(k for k in KINDS if k.name == kind).write(tmp_path).rename(path)
        assert len(read_audio(path, RATE).samples) / RATE == pytest.approx(SECONDS, abs=0.02)
        assert abs(_late_s(read_audio(path, RATE, 1.0, 3.0).samples, 1.0)) < 0.003


def test_a_chunk_longer_than_any_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.caf"
    soundfile.write(path, _chirp(np.arange(RATE) / RATE), RATE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[12:20] = ((1 << 62) - 5).to_bytes(8, "big")
    path.write_bytes(content)
    with pytest.raises(DataError, match="truncated or damaged"):
        read_audio(path, RATE)


def test_a_second_track_of_sound_is_told(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "two.mka"), "w", format="matroska") as container:
        tracks = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for i, track in enumerate(tracks):
            frame = av.AudioFrame.from_ndarray(np.full((1, RATE), 1000 * i, np.int16), "s16", "mono")
            frame.rate, frame.pts = RATE, 0
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    medium = probe(tmp_path / "two.mka", sound_only=True)
    assert (medium.sound_tracks, medium.length_s) == (2, pytest.approx(1.0))
    media = pd.DataFrame({"sample_id": ["a"], "start_s": [np.nan], "end_s": [np.nan], "media": ["two.mka"]})
    extract = ExtractSection(workers=1)
    result, _ = look_at_media(tmp_path, Modality("audio", "sound", media, "audio", {}), extract, lambda: None)
    assert result.problems == []
    assert result.notes == ["two.mka: it has 2 tracks of sound; only the default one is read"]


def test_silence_after_a_stated_end_is_no_padding_where_sound_goes_on(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 5 * 16_000)
    samples[16_000:20_000] = 0.0
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (32_000).to_bytes(4, "little")  # written after a second, and never again
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read_audio(tmp_path / "a.wav", 16_000).samples) == len(samples)
