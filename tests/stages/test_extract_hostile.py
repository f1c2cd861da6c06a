"""Three hundred mutated files from fixed seeds: the run ends, and each is either in the cache or in the ledger."""

import io
import random
import shutil
import tempfile
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
import soundfile

from mtpkd_cli.artifacts import read_manifest, read_parquet

GOOD, BAD, EITHER = "good", "bad", "either"
STUDY = """\
[study]
name = "hostile"
[data]
adapter = "table"
root = "../data"
folds = 2
options = { media = ["video", "sound", "physio"] }
[modalities.video]
role = "prevalent"
encoder = "face"
options = { rate_hz = 2.0, frame_side_px = 64, crop_side_px = 48 }
[modalities.sound]
role = "privileged"
encoder = "logmel"
[modalities.physio]
role = "privileged"
encoder = "signal"
options = { column = "eda", rate_hz = 4.0, time_unit_s = 1.0 }
[extract]
timeout_s = 20
max_failures = "100%"
unmeasured = "keep"  # files are what this is about, whatever they show
"""
Made = tuple[str, bytes, str]


def _mp4(
    rng: random.Random, frames: int = 12, sound: bool = True, irregular: bool = False, first: bool = False
) -> bytes:
    """A clip of 64 x 48 pixels at 12 frames per second; `first` puts its index at the beginning of the file."""
    file = Path(tempfile.mkdtemp()) / "clip.mp4"
    noise = np.random.default_rng(rng.randrange(10**6))
    options = {"movflags": "faststart"} if first else {}
    with av.open(str(file), "w", format="mp4", options=options) as container:
        video = container.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1200)
        track = container.add_stream("aac", rate=16000) if sound else None
        at = 0
        for _ in range(frames):
            picture = av.VideoFrame.from_ndarray(noise.integers(0, 255, (48, 64, 3), np.uint8), format="rgb24")
            picture.pts, picture.time_base = at, Fraction(1, 1200)
            at += rng.choice((40, 100, 190)) if irregular else 100
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if track is not None:
            tone = (0.3 * np.sin(np.arange(16000) * 0.1)).astype(np.float32)[None]
            block = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            block.sample_rate, block.pts = 16000, 0
            container.mux(track.encode(block))
            container.mux(track.encode())
    content = file.read_bytes()
    shutil.rmtree(file.parent)
    return content


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 8, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _turned(content: bytes) -> bytes:
    """The clip with a quarter turn in the matrix of its track header."""
    upright, quarter = (
        [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000],
        [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000],
    )
    old, new = (b"".join(n.to_bytes(4, "big", signed=True) for n in matrix) for matrix in (upright, quarter))
    at = content.index(old, content.index(b"tkhd"))
    return content[:at] + new + content[at + len(old) :]


def _video(rng: random.Random, number: int) -> Made:
    whole = _mp4(rng, sound=False, first=True)
    kinds: list[Callable[[], Made]] = [
        lambda: ("mp4", _mp4(rng), GOOD),
        lambda: ("mp4", _mp4(rng, irregular=True), GOOD),
        lambda: ("mp4", _mp4(rng, frames=1, sound=False), GOOD),
        lambda: ("mp4", _turned(whole), GOOD),
        lambda: ("avi", whole, GOOD),
        lambda: ("mp4", b"", BAD),
        lambda: ("mp4", b"a,b\n1,2\n" * 40, BAD),
        lambda: ("mp4", rng.randbytes(3000), BAD),
        lambda: ("mp4", _mp4(rng, sound=False)[:400], BAD),  # its index was at the end
        lambda: ("mp4", whole[: rng.randrange(30, len(whole))], EITHER),
        *[lambda: ("mp4", _flipped(whole, rng), EITHER)] * 5,
    ]
    return kinds[number % len(kinds)]()


def _wav(rate: int, channels: int, values: np.ndarray | None = None, kind: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    tone = 0.3 * np.sin(np.arange(rate) * 0.1)[:, None].repeat(channels, 1) if values is None else values
    soundfile.write(file, tone, rate, kind, format="WAV")
    return file.getvalue()


def _header_alone() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
    return file.getvalue()


def _sound(rng: random.Random, number: int) -> Made:
    whole = _wav(16000, 1)
    kinds: list[Callable[[], Made]] = [
        lambda: ("wav", _wav(8000, 1), GOOD),
        lambda: ("wav", _wav(48000, 6), GOOD),
        lambda: ("mp4", _mp4(rng), GOOD),
        lambda: ("flac", whole, GOOD),  # renamed
        lambda: ("mp4", _mp4(rng, sound=False), BAD),
        lambda: ("wav", b"", BAD),
        lambda: ("wav", b"RIFF, said the dog\n" * 30, BAD),
        lambda: ("wav", _header_alone(), BAD),
        lambda: ("wav", _wav(16000, 1, np.full((4000, 1), np.nan), "FLOAT"), BAD),
        lambda: ("wav", whole[: len(whole) // 2], BAD),
        lambda: ("mp4", _flipped(_mp4(rng), rng), EITHER),
        *[lambda: ("wav", _flipped(whole, rng), EITHER)] * 3,
    ]
    return kinds[number % len(kinds)]()


def _csv(table: pd.DataFrame, **options: Any) -> bytes:
    text: str = table.to_csv(index=False, **options)
    return text.encode()


def _physio(rng: random.Random, number: int) -> Made:
    values = np.random.default_rng(rng.randrange(10**6)).normal(size=64).cumsum().round(4)
    table = pd.DataFrame({"time": np.arange(64) / 32, "eda": values})
    whole, gaps = _csv(table), table.assign(eda=table["eda"].where(table.index % 30 != 7))
    kinds: list[Callable[[], Made]] = [
        lambda: ("csv", _csv(table, sep=";", decimal=","), GOOD),
        lambda: ("csv", _csv(table, sep="\t", lineterminator="\r\n"), GOOD),
        lambda: ("csv", b"\xef\xbb\xbf" + whole, GOOD),
        lambda: ("csv", _csv(gaps), GOOD),
        lambda: ("csv", _csv(gaps, na_rep="NaN"), GOOD),
        lambda: ("csv", _csv(table.assign(eda=np.nan)), BAD),
        lambda: ("csv", _csv(table.assign(eda=np.nan), na_rep="NaN"), BAD),
        lambda: ("csv", b"", BAD),
        lambda: ("csv", b"\n\n\n", BAD),
        lambda: ("csv", b"time,eda\n", BAD),
        lambda: ("csv", _csv(table.rename(columns={"eda": "ecg"})), BAD),
        lambda: ("csv", _csv(table.assign(eda="none of it")), BAD),
        lambda: ("csv", _csv(table.iloc[::-1]), GOOD),  # put in order, and that is counted
        lambda: ("csv", whole.replace(b",", b",0,", 1), BAD),
        lambda: ("csv", rng.randbytes(2000), BAD),
        lambda: ("parquet", whole, BAD),
        lambda: ("csv", whole[: rng.randrange(3, len(whole))], EITHER),
        *[lambda: ("csv", _flipped(whole, rng), EITHER)] * 4,
    ]
    return kinds[number % len(kinds)]()


MAKERS = {"video": _video, "sound": _sound, "physio": _physio}


@pytest.fixture
def hostile(tmp_path: Path, make_tiny: Callable[..., Any], thinned: Callable[[Any], list[Any]]) -> Any:
    """A hundred samples, each with a mutated video, sound and table; `expected` holds what is known of each."""
    tiny = make_tiny(tmp_path / "hostile")
    rows = []
    for number in thinned(range(100)):
        sample, rng = f"s{number:03d}", random.Random(number)
        row = {"sample_id": sample, "subject": f"p{number % 6}", "label": "ab"[number // 6 % 2]}
        for modality, make in MAKERS.items():
            suffix, content, known = make(rng, number)
            row |= {modality: f"{sample}-{modality}.{suffix}", f"{modality}_known": known}
            (tiny.root / "data" / row[modality]).write_bytes(content)
        rows.append(row)
    expected = pd.DataFrame(rows).set_index("sample_id", drop=False)
    expected.to_csv(tiny.root / "data" / "samples.csv", index=False)
    tiny.run.study.write_text(STUDY)
    return tiny, expected


@pytest.mark.slow
def test_each_of_three_hundred_files_is_in_the_cache_or_in_the_ledger(hostile: Any) -> None:
    tiny, expected = hostile
    tiny.do("extract", workers=2)
    for modality in MAKERS:
        folder = tiny.run.features(modality)
        failures = read_parquet(folder / "failures.parquet").to_pandas().set_index("sample_id")
        parts = pd.concat([read_parquet(path).to_pandas() for path in sorted(folder.glob("part-*"))])
        readers = read_parquet(folder / "readers.parquet").to_pandas().set_index("sample_id")["reader"]
        cached, failed = set(parts["sample_id"]), set(failures.index)
        assert cached | failed == set(expected.index)
        assert not cached & failed
        known = expected[f"{modality}_known"]
        assert not set(known[known == GOOD].index) & failed, failures.loc[
            known[failures.index] == GOOD, "error"
        ].tolist()
        assert not set(known[known == BAD].index) & cached, modality
        assert (known == EITHER).sum() >= len(known) / 5
        assert failures["error"].str.len().min() > 10
        assert failures["media"].tolist() == expected.loc[failures.index.tolist(), modality].tolist()
        assert set(failures["stage"]) <= {"read", "encode", "worker"}
        assert not failures["error"].str.contains("[\x00-\x09\x0b-\x1f]").any()
        assert not failures["error"].str.contains("AttributeError|TypeError|KeyError").any()
        assert set(readers.index) == cached
        assert (readers != "").all()
        assert not failures["error"].str.contains(str(tiny.root), regex=False).any()
        manifest = read_manifest(folder)
        assert manifest is not None
        assert manifest.counts["failed"] == len(failed)
        assert sum(manifest.counts["readers"].values()) == len(cached)
        assert np.isfinite(np.stack(parts["features"].to_list())).all()
