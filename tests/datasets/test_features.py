"""The reader of extracted features on tables of odd sizes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets import SAMPLE_COLUMNS
from mtpkd_cli.datasets.features import Config, classes, feature_table, samples
from mtpkd_cli.errors import DataError

N = 7


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in reversed(range(N))], "subject": list("aabbccc")})
    table["session"] = ["rest", "task"] * 3 + ["rest"]
    table["label"] = ["calm", "stress", "joy", "calm", "stress", "joy", "calm"]
    table["valence"] = np.linspace(-1, 1, N)
    for modality, size in (("eda", 3), ("video", 5)):
        for j in range(size):
            table[f"{modality}__f{j}"] = rng.normal(size=N)
    return table


def _write(root: Path, table: pd.DataFrame, name: str = "t.parquet", **csv: str) -> Path:
    if name.endswith("parquet"):
        table.to_parquet(root / name)
    else:
        table.to_csv(root / name, index=False, **csv)
    return root


def test_the_table_is_as_agreed(tmp_path: Path) -> None:
    result = samples(_write(tmp_path, _table()), Config(file="t.parquet"))
    assert list(result.columns) == [*SAMPLE_COLUMNS, "label", "media_eda", "media_video"]
    assert list(result["sample_id"]) == sorted(result["sample_id"])
    assert list(result["recording"]) == list(result["sample_id"])
    assert result[["start_s", "end_s"]].isna().all(axis=None)
    assert set(result["media_eda"]) == set(result["media_video"]) == {"t.parquet"}
    assert result["label"].dtype == np.int64
    assert list(result["label"]) == [0, 1, 2, 0, 1, 2, 0]


def test_classes_are_the_sorted_labels_or_as_listed(tmp_path: Path) -> None:
    _write(tmp_path, _table())
    free, listed = Config(file="t.parquet"), Config(file="t.parquet", classes=["stress", "joy", "calm", "anger"])
    assert classes(tmp_path, free) == ("calm", "joy", "stress")
    assert classes(tmp_path, listed) == ("stress", "joy", "calm", "anger")
    original = _table().set_index("sample_id")["label"]
    for config in (free, listed):
        result = samples(tmp_path, config)
        names = classes(tmp_path, config)
        assert [names[i] for i in result["label"]] == list(original[result["sample_id"]])


def test_integer_labels_count_as_indices_of_listed_names(tmp_path: Path) -> None:
    table = _table()
    table["label"] = [0, 1, 1, 0, 0, 1, 1]
    _write(tmp_path, table)
    result = samples(tmp_path, Config(file="t.parquet", classes=["calm", "stress"]))
    assert list(result["label"]) == [1, 1, 0, 0, 1, 1, 0]
    assert classes(tmp_path, Config(file="t.parquet")) == ("0", "1")


def test_integer_labels_beyond_the_listed_names_are_an_error(tmp_path: Path) -> None:
    table = _table()
    table["label"] = [0, 1, 2, 0, 0, 1, 1]
    with pytest.raises(DataError, match="row 3: label '2'"):
        samples(_write(tmp_path, table), Config(file="t.parquet", classes=["calm", "stress"]))


def test_targets_make_a_regression(tmp_path: Path) -> None:
    config = Config(file="t.parquet", targets=["valence"])
    result = samples(_write(tmp_path, _table()), config)
    assert classes(tmp_path, config) == ()
    assert "label" not in result
    np.testing.assert_allclose(result["target_valence"], np.linspace(1, -1, N))


def test_recordings_are_told_apart_between_subjects(tmp_path: Path) -> None:
    result = samples(_write(tmp_path, _table()), Config(file="t.parquet", recording_column="session"))
    assert set(result["recording"]) == {"a/rest", "a/task", "b/rest", "b/task", "c/rest", "c/task"}


@pytest.mark.parametrize(("name", "csv"), [("t.csv", {}), ("t.csv", {"sep": ";"}), ("t.csv", {"sep": "\t"})])
def test_csv_gives_what_parquet_gives(tmp_path: Path, name: str, csv: dict[str, str]) -> None:
    _write(_write(tmp_path, _table()), _table(), name, **csv)
    one, other = samples(tmp_path, Config(file="t.parquet")), samples(tmp_path, Config(file=name))
    pd.testing.assert_frame_equal(one.drop(columns=["media_eda", "media_video"]), other[one.columns[:-2]])
    features = [np.stack(feature_table(tmp_path, Config(file=f), "video")["features"]) for f in ("t.parquet", name)]
    np.testing.assert_allclose(*features)


def test_the_feature_table_holds_one_step_per_sample_in_order(tmp_path: Path) -> None:
    result = feature_table(_write(tmp_path, _table()), Config(file="t.parquet"), "video")
    assert list(result.columns) == ["sample_id", "t_s", "features"]
    assert result.attrs["names"] == ("f0", "f1", "f2", "f3", "f4")
    assert list(result["sample_id"]) == [f"s{i}" for i in range(N)]
    assert (result["t_s"] == 0).all()
    values = np.stack(result["features"])
    assert values.dtype == np.float32
    expected = _table().sort_values("sample_id").filter(like="video__")
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_a_row_without_any_value_lacks_the_modality_and_single_cells_stay_missing(tmp_path: Path) -> None:
    table = _table()
    table.loc[table["sample_id"] == "s2", ["eda__f0", "eda__f1", "eda__f2"]] = np.nan
    table.loc[table["sample_id"] == "s4", "eda__f1"] = np.nan
    _write(tmp_path, table)
    result = samples(tmp_path, Config(file="t.parquet")).set_index("sample_id")
    assert result.loc["s2", "media_eda"] == ""
    assert result.loc["s2", "media_video"] == result.loc["s4", "media_eda"] == "t.parquet"
    features = feature_table(tmp_path, Config(file="t.parquet"), "eda").set_index("sample_id")["features"]
    assert "s2" not in features.index
    np.testing.assert_array_equal(np.isnan(features["s4"]), [False, True, False])
    assert int(np.isnan(np.stack(features)).sum()) == 1


def test_an_unknown_modality_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column begins with 'vidoe__'; did you mean 'video'"):
        feature_table(_write(tmp_path, _table()), Config(file="t.parquet"), "vidoe")


@pytest.mark.parametrize("column", ["sample_id", "subject"])
def test_rows_without_name_or_person_are_all_listed(tmp_path: Path, column: str) -> None:
    table = _table()
    table.loc[[1, 4], column] = None
    with pytest.raises(DataError, match="2 rows are not samples") as caught:
        samples(_write(tmp_path, table), Config(file="t.parquet"))
    assert f"row 2: no '{column}'" in str(caught.value)
    assert f"row 5: no '{column}'" in str(caught.value)


def test_a_name_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    table = _table()
    table.loc[5, "sample_id"] = table.loc[0, "sample_id"]
    with pytest.raises(DataError, match="row 6: 's6' stands twice"):
        samples(_write(tmp_path, table), Config(file="t.parquet"))


def test_an_unknown_label_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2: label 'stress'; did you mean 'stres'"):
        samples(_write(tmp_path, _table()), Config(file="t.parquet", classes=["calm", "stres", "joy"]))


@pytest.mark.parametrize(("cell", "message"), [("high", "'high' is not a number"), (np.inf, "infinite")])
def test_features_that_are_no_finite_numbers_are_an_error(tmp_path: Path, cell: object, message: str) -> None:
    table = _table().astype({"eda__f1": object})
    table.loc[2, "eda__f1"] = cell
    _write(tmp_path, table, "t.csv")
    for read in (lambda c: samples(tmp_path, c), lambda c: feature_table(tmp_path, c, "eda")):
        with pytest.raises(DataError, match=f"row 3, column 'eda__f1': {message}"):
            read(Config(file="t.csv"))


def test_missing_columns_are_all_named(tmp_path: Path) -> None:
    config = Config(file="t.parquet", subject_column="subjekt", label_column="emotion")
    with pytest.raises(DataError, match="column 'subjekt'; did you mean 'subject'") as caught:
        samples(_write(tmp_path, _table()), config)
    assert "column 'emotion'" in str(caught.value)


def test_tables_that_cannot_serve_are_errors(tmp_path: Path) -> None:
    _write(tmp_path, _table())
    with pytest.raises(DataError, match=r"no such table; did you mean 't\.parquet'"):
        samples(tmp_path, Config(file="t.parqet"))
    _write(tmp_path, _table().iloc[:0], "empty.parquet")
    with pytest.raises(DataError, match="no rows"):
        samples(tmp_path, Config(file="empty.parquet"))
    _write(tmp_path, _table()[["sample_id", "subject", "label"]], "bare.csv")
    with pytest.raises(DataError, match="no feature columns"):
        samples(tmp_path, Config(file="bare.csv"))
    (tmp_path / "false.parquet").write_text("sample_id\n")
    with pytest.raises(DataError, match="cannot be read"):
        samples(tmp_path, Config(file="false.parquet"))


def test_classes_and_targets_together_are_refused() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        Config(file="t.csv", classes=["a", "b"], targets=["valence"])
