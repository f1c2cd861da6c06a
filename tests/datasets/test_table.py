"""The reader of tables on small corpora whose files are there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.config.presets import preset_text
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.datasets import SAMPLE_COLUMNS
from mtpkd_cli.datasets.table import Config, classes, samples
from mtpkd_cli.errors import DataError

N = 7
MEDIA = ["video", "physio"]


def _table() -> pd.DataFrame:
    ids = [f"{i:03d}" for i in reversed(range(N))]
    return pd.DataFrame(
        {
            "sample_id": ids,
            "subject": ["01", "01", "1", "1", "c", "c", "c"],
            "label": ["calm", "stress", "joy", "calm", "stress", "joy", "calm"],
            "video": [f"clips/{i}.mp4" for i in ids],
            "physio": ["", *(f"signals/{i}.csv" for i in ids[1:])],
        }
    )


def _write(root: Path, table: pd.DataFrame, name: str = "samples.csv", **csv: str) -> Path:
    for cell in table[[c for c in MEDIA if c in table]].to_numpy().ravel():
        if isinstance(cell, str) and cell and ".." not in cell and not cell.startswith("/"):
            (root / cell).parent.mkdir(parents=True, exist_ok=True)
            (root / cell).touch()
    if name.endswith("parquet"):
        table.to_parquet(root / name)
    else:
        table.to_csv(root / name, index=False, **csv)
    return root


def _problems(root: Path, table: pd.DataFrame, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        samples(_write(root, table), Config(**({"media": MEDIA} | options)))
    return str(caught.value)


def test_the_table_is_as_agreed(tmp_path: Path) -> None:
    result = samples(_write(tmp_path, _table()), Config(media=MEDIA))
    assert list(result.columns) == [*SAMPLE_COLUMNS, "label", "media_video", "media_physio"]
    assert list(result["sample_id"]) == [f"{i:03d}" for i in range(N)]
    assert list(result["recording"]) == list(result["sample_id"])
    assert result[["start_s", "end_s"]].isna().all(axis=None)
    assert result["label"].dtype == np.int64
    assert classes(tmp_path, Config(media=MEDIA)) == ("calm", "joy", "stress")
    assert list(result["label"]) == [0, 1, 2, 0, 1, 2, 0]
    assert result["media_video"][0] == "clips/000.mp4"
    assert result["media_physio"][N - 1] == ""


def test_names_are_kept_as_written(tmp_path: Path) -> None:
    table = _table()
    table.loc[0, ["subject", "label"]] = ["NA", "None"]
    result = samples(_write(tmp_path, table), Config(media=MEDIA)).set_index("sample_id")
    assert set(result["subject"]) == {"NA", "01", "1", "c"}
    assert classes(tmp_path, Config(media=MEDIA))[result.loc["006", "label"]] == "None"


@pytest.mark.parametrize(("name", "csv"), [("t.csv", {"sep": ";"}), ("t.csv", {"sep": "\t"}), ("t.parquet", {})])
def test_every_kind_of_table_gives_the_same_samples(tmp_path: Path, name: str, csv: dict[str, str]) -> None:
    table = _table().assign(start_s=np.arange(N) / 2, end_s=[5.5, np.nan] * 3 + [4])
    _write(_write(tmp_path, table), table, name, **csv)
    pd.testing.assert_frame_equal(
        samples(tmp_path, Config(media=MEDIA)), samples(tmp_path, Config(media=MEDIA, file=name))
    )


def test_times_and_recordings_are_read_where_they_are(tmp_path: Path) -> None:
    table = _table().assign(start_s=np.arange(N) / 2, end_s=[5.5, np.nan] * 3 + [4], recording=list("aababab"))
    result = samples(_write(tmp_path, table), Config(media=["video"])).set_index("sample_id")
    assert result.loc["006", ["start_s", "end_s"]].tolist() == [0, 5.5]
    assert np.isnan(result.loc["005", "end_s"])
    assert set(result["recording"]) == {"01/a", "1/a", "1/b", "c/a", "c/b"}
    assert "media_physio" not in result


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    names = {"sample_id": "clip", "subject": "who", "label": "emotion", "start_s": "from", "end_s": "to"}
    table = _table().assign(start_s=0.5, end_s=2.0)
    config = Config(
        media=["video"],
        sample_column="clip",
        subject_column="who",
        label_column="emotion",
        start_column="from",
        end_column="to",
    )
    result = samples(_write(tmp_path, table.rename(columns=names)), config)
    pd.testing.assert_frame_equal(result, samples(_write(tmp_path, table), Config(media=["video"])))


def test_targets_make_a_regression(tmp_path: Path) -> None:
    config = Config(media=MEDIA, targets=["valence", "arousal"])
    table = _table().assign(valence=np.linspace(-1, 1, N), arousal=1)
    result = samples(_write(tmp_path, table.drop(columns="label")), config)
    assert classes(tmp_path, config) == ()
    assert "label" not in result
    np.testing.assert_allclose(result["target_valence"], np.linspace(1, -1, N))
    assert (result["target_arousal"] == 1).all()


def test_whole_numbers_sort_as_numbers_and_count_as_indices_of_listed_names(tmp_path: Path) -> None:
    table = _table().assign(label=[0, 10, 2, 0, 10, 2, 0])
    assert classes(_write(tmp_path, table), Config(media=MEDIA)) == ("0", "2", "10")
    table["label"] = [0, 1, 1, 0, 0, 1, 1]
    result = samples(_write(tmp_path, table), Config(media=MEDIA, classes=["calm", "stress"]))
    assert list(result["label"]) == [1, 1, 0, 0, 1, 1, 0]


def test_all_bad_rows_are_told_at_once_in_their_order(tmp_path: Path) -> None:
    table = _table().assign(start_s=[0.0, 3, 0, 0, -1, 0, 0], end_s=[1.0, 2, 1, 1, 1, 1, "x"])
    table.loc[0, "subject"] = ""
    table.loc[2, "label"] = "strss"
    table.loc[3, "sample_id"] = "006"
    table.loc[4, "video"] = "clips\\002.mp4"
    message = _problems(tmp_path, table, classes=["calm", "stress", "joy"])
    assert "7 rows are not samples" in message
    expected = [
        "row 1: no 'subject'",
        "row 2: a segment from 3 s to 2 s",
        "row 3: label 'strss'; did you mean 'stress'?",
        "row 4: '006' stands twice",
        "row 5: a segment from -1 s to 1 s",
        "row 5, column 'video': 'clips\\002.mp4' has backslashes: write forward slashes",
        "row 7, column 'end_s': 'x' is not a number",
    ]
    assert [line.removeprefix("  - ") for line in message.splitlines()[1:8]] == expected


def test_ten_bad_rows_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    table = pd.concat([_table()] * 3, ignore_index=True)
    message = _problems(tmp_path, table)
    assert "14 rows are not samples" in message
    assert message.count("stands twice") == 10
    assert "... and 4 more" in message


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("/data/a.mp4", "is not relative"),
        ("C:/data/a.mp4", "is not relative"),
        ("../a.mp4", "leaves the data root"),
        ("clips/../../a.mp4", "leaves the data root"),
    ],
)
def test_files_outside_the_root_are_refused_unless_allowed(tmp_path: Path, cell: str, reason: str) -> None:
    table = _table()
    table.loc[1, "video"] = cell
    assert f"row 2, column 'video': '{cell}' {reason}" in _problems(tmp_path, table)
    result = samples(tmp_path, Config(media=MEDIA, allow_outside=True)).set_index("sample_id")
    assert result.loc["005", "media_video"] == cell


def test_a_path_that_turns_back_within_the_root_is_no_matter(tmp_path: Path) -> None:
    table = _table()
    table.loc[1, "video"] = "clips/../clips/004.mp4"
    assert len(samples(_write(tmp_path, table), Config(media=MEDIA))) == N


def test_a_missing_file_keeps_its_path_and_a_medium_without_any_file_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path, _table())
    for path in (tmp_path / "clips").iterdir():
        if path.stem != "003":
            path.unlink()
    result = samples(tmp_path, Config(media=MEDIA)).set_index("sample_id")
    assert result.loc["000", "media_video"] == "clips/000.mp4"
    (tmp_path / "clips").rename(tmp_path / "clip")
    with pytest.raises(DataError) as caught:
        samples(tmp_path, Config(media=MEDIA))
    assert "column 'video': none of 7 files is there, e.g. clips/006.mp4; did you mean 'clip'?" in str(caught.value)


def test_an_empty_medium_is_an_error(tmp_path: Path) -> None:
    assert "column 'physio' is empty" in _problems(tmp_path, _table().assign(physio=""))


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({"media": ["vidoe"]}, "column 'vidoe'; did you mean 'video'"),
        ({"label_column": "labels"}, "column 'labels'; did you mean 'label'"),
        ({"start_column": "start"}, "column 'start'"),
        ({"recording_column": "session"}, "column 'session'"),
    ],
)
def test_a_column_that_is_named_must_exist(tmp_path: Path, options: dict[str, object], column: str) -> None:
    assert column in _problems(tmp_path, _table(), **options)


def test_a_column_of_times_that_is_spelt_otherwise_is_not_passed_over(tmp_path: Path) -> None:
    assert "'start_s'; did you mean 'Start_s'" in _problems(tmp_path, _table().assign(Start_s=1.0))


def test_a_table_that_is_not_there_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    _write(tmp_path, _table(), "sample.csv")
    with pytest.raises(DataError, match=r"no such table; did you mean 'sample\.csv'"):
        samples(tmp_path, Config(media=MEDIA))


@pytest.mark.parametrize("options", [{}, {"media": []}, {"media": ["video", "video"]}, {"media": "video"}])
def test_options_without_media_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="media"):
        Config(**options)


def test_the_preset_gives_a_study_whose_options_the_reader_takes() -> None:
    study = parse_study(preset_text("table", "mine", "../corpus"), where="preset table")
    config = Config(**study.data.options)
    assert study.data.adapter == "table"
    assert {modality.media or name for name, modality in study.modalities.items()} <= set(config.media)
