"""File names and times in the cells of a table: which files and seconds they mean."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets.table import Config, samples
from mtpkd_cli.errors import DataError


def _table(cells: list[str], **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"sample_id": ["s0", "s1"], "subject": "p", "label": ["a", "b"]})
    return table.assign(video=cells, **columns)


def _samples(root: Path, table: pd.DataFrame, file: str = "samples.parquet") -> pd.DataFrame:
    (table.to_parquet if file.endswith("parquet") else table.to_csv)(root / file, index=False)
    return samples(root, Config(media=["video"], file=file))


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_form_of_unicode_are_the_files(tmp_path: Path, stored: str, written: str) -> None:
    name = "Müller/Gerät é.mp4"
    on_disk = unicodedata.normalize(stored, name)
    (tmp_path / on_disk).parent.mkdir()
    (tmp_path / on_disk).touch()
    (tmp_path / "plain.mp4").touch()
    listed = _samples(tmp_path, _table([unicodedata.normalize(written, name), "plain.mp4"]))
    assert list(listed["media_video"]) == [on_disk, "plain.mp4"]
    assert listed.attrs["notes"] == {"file names in 'video' in another form of Unicode than the files": 1}


def test_a_colon_is_part_of_a_name_and_a_drive_is_none(tmp_path: Path) -> None:
    for name in ("2024-03-01T10:15:00.mp4", "a:b.mp4"):
        (tmp_path / name).touch()
    listed = _samples(tmp_path, _table(["2024-03-01T10:15:00.mp4", "a:b.mp4"]))
    assert list(listed["media_video"]) == ["2024-03-01T10:15:00.mp4", "a:b.mp4"]
    with pytest.raises(DataError, match=r"'C:/a.mp4' is not relative to the data root"):
        _samples(tmp_path, _table(["C:/a.mp4", "a:b.mp4"]))


def test_a_suffix_in_other_letters_is_told(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("a.MP4", "b.mp4"):
        (tmp_path / "clips" / name).touch()
    if (tmp_path / "clips" / "a.mp4").exists():
        pytest.skip("this disk knows no capital letters")
    with pytest.raises(DataError, match=r"row 1, column 'video': 'clips/a.mp4' is not there, but 'clips/a.MP4' is"):
        _samples(tmp_path, _table(["clips/a.mp4", "clips/b.mp4"]))


@pytest.mark.parametrize("file", ["samples.parquet", "samples.csv"])
def test_names_that_no_system_takes_are_no_files(tmp_path: Path, file: str) -> None:
    (tmp_path / "b.mp4").touch()
    listed = _samples(tmp_path, _table(["x" * 5000, "b.mp4"]), file)
    assert listed["media_video"].str.len().tolist() == [5000, 5]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (pd.to_datetime(["2024-03-01 10:15:00"] * 2), "2024-03-01 10:15:00 is a date, no number"),
        (np.array([1_709_288_100_000_000_000] * 2), "1.70929e.18 s is more than 30 days: nanoseconds"),
        (["00:10", "00:20"], "'00:10' is not a number"),
    ],
)
def test_times_that_are_no_seconds_of_the_file_are_told(tmp_path: Path, start: object, message: str) -> None:
    for name in "ab":
        (tmp_path / f"{name}.mp4").touch()
    with pytest.raises(DataError, match=message):
        _samples(tmp_path, _table(["a.mp4", "b.mp4"], start_s=start))


def test_spans_of_time_are_seconds(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.mp4").touch()
    table = _table(["a.mp4", "b.mp4"], start_s=pd.to_timedelta([1500, 0], "ms"), end_s=[2, 3])
    assert list(_samples(tmp_path, table)["start_s"]) == [1.5, 0]


def test_decimal_commas_in_times(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "samples.csv").write_text(
        "sample_id;subject;label;video;start_s;end_s\ns0;p;a;a.mp4;0,5;2,25\ns1;p;b;a.mp4;3;\n"
    )
    listed = samples(tmp_path, Config(media=["video"]))
    assert list(listed["start_s"]) == [0.5, 3.0]
    assert listed["end_s"][0] == 2.25
    assert np.isnan(listed["end_s"][1])
    assert listed.attrs["notes"]["decimal commas in column 'start_s'"] == 1
