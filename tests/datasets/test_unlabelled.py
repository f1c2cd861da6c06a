"""Recordings that nobody has labelled: empty cells, and a second table; what is a typo stays an error."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets import features, is_labelled, table
from mtpkd_cli.datasets._sample_rows import label_indices
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.wide_tables import NOTES

LABELS = ["stress", "", "calm", "stress", "", "None", "calm"]
WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "t.csv": lambda rows, path: rows.to_csv(path, index=False),
    "t.parquet": lambda rows, path: rows.replace({"label": {"": None}}).to_parquet(path),
}


def _rows(first: int = 0, count: int = 7) -> pd.DataFrame:
    """Rows whose features tell which row they are of."""
    number = np.arange(first, first + count)
    rows = pd.DataFrame({"sample_id": [f"s{i:02d}" for i in number], "subject": [f"p{i // 3}" for i in number]})
    return rows.assign(eda__f0=number + 0.25, eda__f1=-number, video__f0=number * 2.0)


def _listed(root: Path, **options: object) -> pd.DataFrame:
    return features.samples(root, features.Config(**{"file": "t.csv"} | options)).set_index("sample_id")


@pytest.mark.parametrize("file", WRITERS)
def test_an_empty_cell_is_no_label_and_no_class(tmp_path: Path, file: str) -> None:
    WRITERS[file](_rows().assign(label=LABELS), tmp_path / file)
    config = features.Config(file=file)
    assert features.classes(tmp_path, config) == ("None", "calm", "stress")
    listed = features.samples(tmp_path, config)
    assert listed["label"].tolist() == [2, -1, 1, 2, -1, 0, 1]
    assert listed["label"].dtype == np.int64
    assert is_labelled(listed).tolist() == [bool(label) for label in LABELS]


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (["False", None, "True"], ["rest", "pain"], [0, -1, 1]),
        ([1.0, np.nan, 0.0], ["rest", "pain"], [1, -1, 0]),
        ([1.0, np.nan, 10.0], [], [0, -1, 1]),
        ([np.nan, 2.0, 0.0], ["nan", "2", "0"], [-1, 1, 2]),
        (["None", None, "pain"], ["pain", "None"], [1, -1, 0]),
        ([None, None, None], ["rest", "pain"], [-1, -1, -1]),
    ],
)
def test_missing_labels_change_no_other(labels: list[object], names: list[str], expected: list[int]) -> None:
    dtype = float if any(isinstance(label, float) for label in labels) else object
    indices, problems = label_indices(pd.Series(labels, dtype=dtype), names)
    assert (indices.tolist(), problems) == (expected, [])


@pytest.mark.parametrize("typo", ["strss", "NA", "-", "?", "."])
def test_a_word_that_is_no_class_is_no_empty_cell(tmp_path: Path, typo: str) -> None:
    WRITERS["t.csv"](_rows().assign(label=[*LABELS[:5], typo, "calm"]), tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"1 rows are not samples\n.*row 6: label"):
        _listed(tmp_path, classes=["calm", "stress"])


def test_targets_may_be_missing_and_a_word_among_them_is_an_error(tmp_path: Path) -> None:
    rows = _rows().assign(pain=[1, "", "NA", 4, 5, "", 7], fear=[0.5, "", 1.5, 1, 1, "", ""])
    WRITERS["t.csv"](rows, tmp_path / "t.csv")
    listed = _listed(tmp_path, targets=["pain", "fear"])
    assert is_labelled(listed).tolist() == [True, False, True, True, True, False, True]
    np.testing.assert_array_equal(listed["target_pain"], [1, np.nan, np.nan, 4, 5, np.nan, 7])
    WRITERS["t.csv"](rows.assign(pain=[1, "", "high", 4, 5, "", 7]), tmp_path / "t.csv")
    with pytest.raises(DataError, match="row 3, column 'pain': 'high' is not a number"):
        _listed(tmp_path, targets=["pain", "fear"])


@pytest.mark.parametrize("more", ["more.csv", "features.parquet"])
def test_a_second_table_holds_recordings_without_a_label(tmp_path: Path, more: str) -> None:
    """Its columns stand in another order, it has no column of labels, and one person is in both tables."""
    WRITERS["t.csv"](_rows().assign(label=["stress", "calm"] * 3 + ["calm"]), tmp_path / "t.csv")
    second = _rows(7, 4)[["video__f0", "eda__f1", "subject", "eda__f0", "sample_id"]]
    (second.to_parquet if more.endswith("parquet") else second.to_csv)(tmp_path / more, index=False)
    listed = _listed(tmp_path, unlabelled_file=more)
    assert listed.index.tolist() == [f"s{i:02d}" for i in range(11)]
    assert listed["label"].tolist() == [1, 0, 1, 0, 1, 0, 0, -1, -1, -1, -1]
    assert listed["label"].dtype == np.int64
    assert listed["subject"].tolist()[5:9] == ["p1", "p2", "p2", "p2"]
    assert listed["media_eda"].tolist() == ["t.csv"] * 7 + [more] * 4
    assert listed.attrs[NOTES] == {}
    config = features.Config(file="t.csv", unlabelled_file=more)
    eda = features.feature_table(tmp_path, config, "eda")
    assert eda["sample_id"].tolist() == listed.index.tolist()
    np.testing.assert_array_equal(np.stack(eda["features"]), [(i + 0.25, -i) for i in range(11)])
    assert eda.attrs["names"] == ("f0", "f1")
    assert features.classes(tmp_path, config) == ("calm", "stress")


def test_labels_in_the_second_table_are_not_read_and_counted(tmp_path: Path) -> None:
    WRITERS["t.csv"](_rows().assign(label=["stress", "calm"] * 3 + ["calm"], pain=1.5), tmp_path / "t.csv")
    second = _rows(7, 4).assign(label=["joy", "", "calm", ""], pain=["", 2, "", ""])
    second.to_csv(tmp_path / "more.csv", index=False)
    listed = _listed(tmp_path, unlabelled_file="more.csv")
    assert listed["label"].tolist()[7:] == [-1] * 4
    assert listed.attrs[NOTES] == {"labels in more.csv, not read": 2}
    assert features.classes(tmp_path, features.Config(file="t.csv", unlabelled_file="more.csv")) == ("calm", "stress")
    rated = _listed(tmp_path, unlabelled_file="more.csv", targets=["pain"])
    assert rated["target_pain"].isna().tolist() == [False] * 7 + [True] * 4
    assert rated.attrs[NOTES] == {"labels in more.csv, not read": 1}


def test_a_sample_in_both_tables_is_an_error_that_names_the_first_ten(tmp_path: Path) -> None:
    WRITERS["t.csv"](_rows(0, 20).assign(label=["stress", "calm"] * 10), tmp_path / "t.csv")
    _rows(8, 20).to_csv(tmp_path / "more.csv", index=False)
    with pytest.raises(DataError, match=r"12 samples are in t\.csv too") as caught:
        _listed(tmp_path, unlabelled_file="more.csv")
    assert "  - s08\n" in str(caught.value)
    assert "... and 2 more" in str(caught.value)
    with pytest.raises(DataError, match=r"20 samples are in t\.csv too"):
        _listed(tmp_path, unlabelled_file="t.csv")


def test_a_second_table_that_lacks_something_is_refused_or_counted(tmp_path: Path) -> None:
    WRITERS["t.csv"](_rows().assign(label=["stress", "calm"] * 3 + ["calm"]), tmp_path / "t.csv")
    second, path = _rows(7, 4), tmp_path / "more.csv"
    second.drop(columns=["eda__f0", "eda__f1"]).assign(gaze__x=1.0).to_csv(path, index=False)
    listed = _listed(tmp_path, unlabelled_file="more.csv")
    assert listed["media_eda"].tolist() == ["t.csv"] * 7 + [""] * 4
    assert listed["media_video"].tolist() == ["t.csv"] * 7 + ["more.csv"] * 4
    assert listed.attrs[NOTES] == {
        "feature columns of more.csv that t.csv does not have, not read": 1,
        "rows of more.csv, which has no column of 'eda'": 4,
    }
    config = features.Config(file="t.csv", unlabelled_file="more.csv")
    assert len(features.feature_table(tmp_path, config, "eda")) == 7
    for broken, message in (
        (second.drop(columns="eda__f1"), "column 'eda__f1'"),
        (second.rename(columns={"eda__f0": "EDA__f0", "eda__f1": "EDA__f1"}), "did you mean 'EDA__f0'"),
        (second.drop(columns="subject"), "column 'subject'"),
        (second.assign(subject=["p9", "", "p9", ""]), "row 2: no 'subject'"),
        (second.assign(eda__f0="x"), "row 1, column 'eda__f0': 'x' is not a number"),
        (second.iloc[:0], "no rows"),
    ):
        broken.to_csv(path, index=False)
        with pytest.raises(DataError, match=message) as caught:
            _listed(tmp_path, unlabelled_file="more.csv")
        assert "more.csv" in str(caught.value)
    with pytest.raises(DataError, match=r"there is no such table; did you mean 'more\.csv'"):
        _listed(tmp_path, unlabelled_file="mor.csv")


def test_arrays_hold_recordings_of_both_tables(tmp_path: Path) -> None:
    rows = _rows(0, 11)[["sample_id", "subject"]]
    rows[:7].assign(label=["stress", "calm"] * 3 + ["calm"]).to_csv(tmp_path / "t.csv", index=False)
    rows[7:].to_csv(tmp_path / "more.csv", index=False)
    values = np.arange(22.0).reshape(11, 2)
    values[9] = np.nan
    np.savez(tmp_path / "eda.npz", ids=rows["sample_id"].to_numpy(str), features=values)
    listed = _listed(tmp_path, unlabelled_file="more.csv", arrays={"eda": "eda.npz"})
    assert listed["media_eda"].tolist() == ["eda.npz"] * 9 + ["", "eda.npz"]
    assert listed.attrs[NOTES] == {}


def test_sides_of_recordings_without_a_label(tmp_path: Path) -> None:
    """Theirs where it is stated, that of their person where it is not, and else the training side."""
    first = _rows().assign(label=["stress", "calm", "", "calm", "stress", "calm", "calm"])
    first["side"] = ["train", "train", "", "test", "test", "test", "val"]
    first.to_csv(tmp_path / "t.csv", index=False)
    _rows(7, 8).assign(side=["", "", "test", "test", "test", "", "", ""]).to_csv(tmp_path / "more.csv", index=False)
    listed = _listed(tmp_path, unlabelled_file="more.csv", split_column="side")
    assert listed["split"].tolist()[:9] == ["train"] * 3 + ["test"] * 3 + ["validation"] * 3
    assert listed["split"].tolist()[9:] == ["test"] * 3 + ["train"] * 3
    _rows(7, 8).to_csv(tmp_path / "more.csv", index=False)
    listed = _listed(tmp_path, unlabelled_file="more.csv", split_column="side")
    assert listed["split"].tolist()[6:] == ["validation"] * 3 + ["train"] * 6
    assert listed.attrs[NOTES] == {"rows of more.csv, which has no column 'side'": 8}
    first.assign(side=["", *first["side"][1:]]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="row 1: 'side' is '', expected train, validation or test"):
        _listed(tmp_path, split_column="side")


def test_the_reader_of_tables_takes_media_of_both(tmp_path: Path) -> None:
    """Media that the second table has no column for are lacking there; times and recordings are of each table."""
    rows = pd.DataFrame({"sample_id": list("abcdefg"), "subject": list("xxyyzzw")})
    rows["video"] = [f"{name}.mp4" for name in rows["sample_id"]]
    rows["physio"] = [f"{name}.csv" for name in rows["sample_id"]]
    for name in [*rows["video"], *rows["physio"]]:
        (tmp_path / name).touch()
    rows[:4].assign(label=["calm", "stress", "", "calm"], start_s=1.0).to_csv(tmp_path / "samples.csv", index=False)
    second = rows[4:].assign(recording="night", end_s=2.0).drop(columns="physio")
    second.to_csv(tmp_path / "more.csv", index=False)
    config = table.Config(media=["video", "physio"], unlabelled_file="more.csv")
    listed = table.samples(tmp_path, config)
    assert listed["label"].tolist() == [0, 1, -1, 0, -1, -1, -1]
    assert listed["media_video"].tolist() == rows["video"].tolist()
    assert listed["media_physio"].tolist() == [*rows["physio"][:4], "", "", ""]
    assert listed["recording"].tolist() == [*"abcd", "z/night", "z/night", "w/night"]
    assert listed["start_s"].tolist()[:4] == [1.0] * 4
    assert listed["end_s"].isna().tolist() == [True] * 4 + [False] * 3
    assert listed.attrs[NOTES] == {"rows of more.csv, which has no column 'physio'": 3}
    second.assign(video="gone.mp4").to_csv(tmp_path / "more.csv", index=False)
    with pytest.raises(DataError, match=r"none of 3 files is there, e\.g\. gone\.mp4"):
        table.samples(tmp_path, config)
