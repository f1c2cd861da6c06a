"""Files of a user's that are cut, changed or of another kind: read, or refused by an error of this program."""

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.config import read_study
from mtpkd_cli.datasets import affwild2, biovid, features, table
from mtpkd_cli.errors import MtpkdError
from mtpkd_cli.media.given_faces import COLUMNS, GivenFaces

N = 6
EACH = 60
"""Damages of each kind of file."""


def _rows() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"sample_id": [f"s{i}" for i in range(N)], "subject": list("aabbcc"), "label": ["x", "ü"] * 3})
    return rows.assign(start_s=0.5, end_s=2.5, video="v.mp4", eda__f0=rng.normal(size=N), eda__f1=1)


def _parquet(rows: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    rows.to_parquet(sink)
    return sink.getvalue()


def _npz(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


def _read_table(root: Path, file: str) -> None:
    (root / "v.mp4").touch()
    config = table.Config(media=["video"], file=file)
    table.samples(root, config)
    table.classes(root, config)


def _read_features(root: Path, file: str) -> None:
    config = features.Config(file=file)
    features.samples(root, config)
    features.feature_table(root, config, "eda")


def _read_arrays(root: Path, file: str) -> None:
    _rows().to_csv(root / "t.csv", index=False)
    config = features.Config(file="t.csv", arrays={"video": file})
    features.samples(root, config)
    features.feature_table(root, config, "video")


def _read_affwild2(root: Path, file: str) -> None:
    top = root / "VA_Estimation_Challenge"
    for side in ("Train_Set", "Validation_Set"):
        (top / side).mkdir(parents=True, exist_ok=True)
    (top / "Validation_Set" / "b.txt").write_text("valence,arousal\n0.5,0.5\n")
    (root / file).replace(top / "Train_Set" / "a.txt")
    (root / "batch1").mkdir(exist_ok=True)
    (root / "batch1" / "a.mp4").touch()
    affwild2.samples(root, affwild2.Config())


def _read_rates(root: Path, file: str) -> None:
    (root / "labels.txt").write_text("valence,arousal\n0.5,0.5\n")
    (root / file).rename(root / "rates.csv")
    _read_affwild2(root, "labels.txt")
    affwild2.samples(root, affwild2.Config(rates="rates.csv"))


def _read_biovid(root: Path, file: str) -> None:
    for level in ("BL1", "PA4"):
        for folder, suffix in (("video", ".mp4"), ("biosignals_filtered", "_bio.csv")):
            path = root / folder / "071309_w_21" / f"071309_w_21-{level}-081{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (root / "starting_point").mkdir(exist_ok=True)
    (root / file).replace(root / "starting_point" / "samples.csv")
    biovid.samples(root, biovid.Config())


def _boxes(root: Path, file: str) -> None:
    GivenFaces(root / file, 0.0, 1)


def _study(root: Path, file: str) -> None:
    read_study(root / file)


LISTING = "subject_id\tsubject_name\tclass_id\tclass_name\tsample_id\tsample_name\n" + "".join(
    f"1\t071309_w_21\t{c}\t{level}\t{i}\t071309_w_21-{level}-081\n"
    for i, (c, level) in enumerate([(0, "BL1"), (4, "PA4")])
)
BOXES = pd.DataFrame([[t, 10, 10, 50, 60] for t in range(5)], columns=list(COLUMNS))
STUDY = """[study]
name = "s"
[data]
adapter = "features"
root = "../data"
options = { file = "t.parquet" }
[modalities.a]
role = "prevalent"
[modalities.b]
role = "privileged"
"""
READERS: dict[str, tuple[Callable[[Path, str], None], bytes]] = {
    "samples.csv": (_read_table, _rows().to_csv(index=False).encode()),
    "semicolons.csv": (_read_table, _rows().to_csv(index=False, sep=";", decimal=",").encode("cp1252")),
    "utf16.csv": (_read_table, _rows().to_csv(index=False).encode("utf-16")),
    "samples.parquet": (_read_table, _parquet(_rows())),
    "features.csv": (_read_features, _rows().to_csv(index=False).encode()),
    "features.parquet": (_read_features, _parquet(_rows().set_index("sample_id"))),
    "video.npz": (
        _read_arrays,
        _npz(ids=np.array([f"s{i}" for i in range(N)]), features=np.ones((N, 3, 2)), lengths=np.full(N, 2)),
    ),
    "labels.txt": (_read_affwild2, b"valence,arousal\n0.5,-0.25\n-5,-5\n1,1\n"),
    "rates.csv.part": (_read_rates, b"video,rate_hz\na,29.97\nb,25\n"),
    "listing.csv": (_read_biovid, LISTING.encode()),
    "boxes.csv": (_boxes, BOXES.to_csv(index=False).encode()),
    "boxes.parquet": (_boxes, _parquet(BOXES)),
    "study.toml": (_study, STUDY.encode()),
}


_PIECES = [b",", b";", b"\n", b'"', b"\0", b"\xff\xfe", b"\r", b"1e999", b"=", b"["]
_OTHERS = [b"", b"\n", b"\0" * 50, b"PK\x03\x04 of zip", b"\x93NUMPY", b"{}", b"," * 40, bytes(range(256))]


def _damaged(content: bytes, draws: random.Random) -> bytes:
    """The content cut, with other bytes in it, pieces doubled or gone, or in another encoding."""
    at, span = draws.randrange(len(content)), draws.randrange(1, 9)
    before, after = content[:at], content[at:]
    ways = [
        before,
        before + draws.randbytes(span) + after[span:],
        before + after[span:],
        before + before[-20:] * span + after,
        before + draws.choice(_PIECES) + after,
        content.decode("latin-1").encode(draws.choice(["utf-16", "utf-32", "utf-8", "utf-7"])),
        draws.choice(_OTHERS),
    ]
    return draws.choice(ways)


def _refusal(read: Callable[[Path, str], None], root: Path, file: str) -> MtpkdError | None:
    """How a reader refuses a file; None where it reads it. What libraries raise gets through."""
    try:
        read(root, file)
    except MtpkdError as err:
        return err
    return None


@pytest.mark.parametrize("file", READERS)
def test_an_undamaged_file_is_read(tmp_path: Path, file: str) -> None:
    read, content = READERS[file]
    (tmp_path / file).write_bytes(content)
    read(tmp_path, file)


@pytest.mark.parametrize("file", READERS)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, file: str) -> None:
    read, content = READERS[file]
    draws, refusals = random.Random(file), []
    for _ in range(EACH):
        damaged = _damaged(content, draws)
        (tmp_path / file).write_bytes(damaged)
        refusals.append(_refusal(read, tmp_path, file))
    refused = [err for err in refusals if err is not None]
    assert len(refused) > EACH / 5
    assert {err.exit_code for err in refused} <= {2, 4}
    assert all(err.where for err in refused)


WRONG: dict[str, object] = {
    "words": ["x"] * N,
    "nothing": [None] * N,
    "lists": [[1, 2]] * N,
    "tables": [{"a": 1}] * N,
    "dates": pd.date_range("2024-01-01", periods=N),
    "zones": pd.date_range("2024-01-01", periods=N, tz="Europe/Paris"),
    "spans": pd.to_timedelta(range(N), "s"),
    "infinite": [np.inf] * N,
    "bytes": [b"\xff"] * N,
    "truth": [True, False] * (N // 2),
    "categories": pd.Categorical(["u", "v"] * (N // 2)),
    "huge": [1e300] * N,
    "nanoseconds": [1_700_000_000_000_000_000] * N,
    "nullable": pd.array([1, 2, None] * (N // 3), dtype="Int64"),
    "periods": pd.period_range("2024-01", periods=N, freq="M"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_column_of_any_type_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    for column in _rows().columns:
        try:
            content = _parquet(_rows().assign(**{column: WRONG[kind]}))
        except Exception:  # what Parquet does not take
            continue
        (tmp_path / "t.parquet").write_bytes(content)
        for read in (_read_table, _read_features):
            refusal = _refusal(read, tmp_path, "t.parquet")
            assert refusal is None or refusal.exit_code == 4


def test_studies_of_other_editors_are_read(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    assert read_study(tmp_path / "study.toml").study.name == "s"
    (tmp_path / "study.toml").write_bytes(STUDY.encode("utf-16"))
    with pytest.raises(MtpkdError, match="cannot be read"):
        read_study(tmp_path / "study.toml")


@pytest.mark.parametrize("name", ["splits.json", "evaluation/metrics.json", "evaluation/predictions.parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff\xfe", b'{"folds": 3}', json.dumps({"folds": [{}]}).encode()]
)
def test_a_run_of_another_that_is_damaged_is_refused_by_compare(tiny: Any, name: str, content: bytes) -> None:
    from mtpkd_cli import library

    (tiny.run.root / name).write_bytes(content)
    with pytest.raises(MtpkdError) as caught:
        library.compare([tiny.run.root])
    assert caught.value.exit_code in (2, 3, 4)
