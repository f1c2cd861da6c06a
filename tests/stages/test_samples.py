"""The listing of a corpus in which some recordings have no label: refused, left out, or kept and counted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.datasets import is_labelled, pieces_of
from mtpkd_cli.errors import DataError
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Extraction, Job
from mtpkd_cli.stages.samples import build, list_samples
from mtpkd_cli.training.splits import class_names_of, final_fold, read_folds

PEOPLE = [f"p{number}" for number in range(9)]
UNLABELLED = {"p1-1", "p4-2", *(f"p7-{i}" for i in range(4)), *(f"p8-{i}" for i in range(4))}
"""Two recordings of people who have labels, and all of two people."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = pd.DataFrame([(f"{who}-{i}", who, i % 2) for who in PEOPLE for i in range(4)])
    rows.columns = pd.Index(["sample_id", "subject", "label"])
    hidden = rows["sample_id"].isin(UNLABELLED)
    rows["label"] = rows["label"].map({0: "calm", 1: "pain"}).mask(hidden, "")
    rows["side"] = rows["subject"].map({"p0": "test", "p6": "test", "p1": "val", "p8": "test"}).fillna("train")
    rows["pain"] = np.where(hidden, np.nan, np.arange(len(rows)))
    rows["fear"] = np.where(hidden | (rows["subject"] == "p3"), np.nan, 1.5 * np.arange(len(rows)))
    rows["eda__mean"] = np.arange(len(rows)) + 0.5
    rows.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path


def _section(unlabelled: str = "refuse", **keys: Any) -> DataSection:
    options = {"file": "t.csv"} | keys.pop("options", {})
    return DataSection(adapter="features", root="unused", unlabelled=unlabelled, options=options, **keys)


def _built(root: Path, out: Path, data: DataSection) -> tuple[dict[str, Any], list[str]]:
    reporter = Collected()
    out.mkdir()
    return build(out, Job(reporter, extraction=Extraction(root=root)), task="classification", data=data), reporter.notes


@pytest.mark.parametrize("options", [{}, {"targets": ["pain", "fear"]}])
def test_they_are_refused_unless_the_study_says_what_becomes_of_them(root: Path, options: dict[str, Any]) -> None:
    task = "regression" if options else "classification"
    with pytest.raises(DataError, match="10 of 36 samples have no label") as caught:
        list_samples(root, task, _section(options=options))
    told = str(caught.value)
    assert told.count("\n  - p") == 10
    assert "  - p1-1 of p1\n" in told
    for word in ("data.unlabelled", '"teach"', '"skip"', '"refuse"', "data.exclude"):
        assert word in told


def test_what_is_excluded_is_not_refused(root: Path) -> None:
    data = _section(exclude={"samples": ["p1-1", "p4-2"], "subjects": ["p7", "p8"]})
    listed, classes = list_samples(root, "classification", data)
    assert (len(listed), classes) == (26, ["calm", "pain"])
    assert is_labelled(listed).all()
    with pytest.raises(DataError, match="1 of 27 samples have no label\n  - p4-2 of p4"):
        list_samples(root, "classification", _section(exclude={"samples": ["p1-1"], "subjects": ["p7", "p8"]}))


def test_left_out_they_are_counted_and_the_listing_is_that_of_a_corpus_without_them(root: Path) -> None:
    listed, _ = list_samples(root, "classification", _section("skip"))
    assert listed.attrs["notes"] == {
        'samples without a label, left out by data.unlabelled = "skip"': 10,
        "subjects left out with them, who have no label at all": 2,
    }
    rows = pd.read_csv(root / "t.csv")
    rows[rows["label"].notna()].to_csv(root / "t.csv", index=False)
    without, _ = list_samples(root, "classification", _section())
    pd.testing.assert_frame_equal(listed, without)
    assert _section("skip").content == _section().content != _section("teach").content


def test_kept_they_have_places_behind_all_others(root: Path) -> None:
    """Parts of features that were made before a study knew of them hold what they held."""
    skipped, _ = list_samples(root, "classification", _section("skip"))
    listed, classes = list_samples(root, "classification", _section("teach"))
    assert (len(listed), classes) == (36, ["calm", "pain"])
    assert set(listed.loc[~is_labelled(listed), "sample_id"]) == UNLABELLED
    assert sorted(listed["listed_at"]) == list(range(36))
    before, after = pieces_of(skipped, 13), pieces_of(listed, 13)
    for number in (0, 1):
        assert before[number]["sample_id"].tolist() == after[number]["sample_id"].tolist()
    assert set(after[2]["sample_id"]) == UNLABELLED


@pytest.mark.parametrize("unlabelled", ["skip", "teach"])
def test_exclusion_and_unlabelled_samples_leave_one_another_their_places(root: Path, unlabelled: str) -> None:
    """A class all of whose samples are excluded is none, and no unlabelled sample becomes one of another class."""
    rows = pd.read_csv(root / "t.csv", keep_default_na=False)
    rows.loc[rows["subject"] == "p2", "label"] = "anger"
    rows.to_csv(root / "t.csv", index=False)
    data = _section(unlabelled, exclude={"samples": ["p0-0", "p7-3"], "subjects": ["p2"]})
    listed, classes = list_samples(root, "classification", data)
    assert classes == ["calm", "pain"]
    names = listed["label"].map({0: "calm", 1: "pain", -1: ""})
    expected = rows.set_index("sample_id")["label"]
    assert names.tolist() == expected[listed["sample_id"]].tolist()
    labelled = listed[is_labelled(listed)]
    places = {sample: at for at, sample in enumerate(rows.loc[rows["label"] != "", "sample_id"])}
    assert labelled["listed_at"].tolist() == [places[sample] for sample in labelled["sample_id"]]
    assert len(listed) - len(labelled) == (9 if unlabelled == "teach" else 0)


def test_the_listing_keeps_and_counts_them(root: Path, tmp_path: Path) -> None:
    counts, notes = _built(root, tmp_path / "out", _section("teach", folds=3))
    assert counts["samples"] == 36
    assert counts["labelled"] == {"samples": 26, "subjects": 7}
    assert counts["unlabelled"] == {"samples": 10, "subjects": 2, "partly_labelled_subjects": 2}
    assert counts["classes"] == {"calm": 13, "pain": 13}
    assert any("26 samples of 7 people have labels, 10 have none" in note for note in notes)
    table = read_parquet(tmp_path / "out" / "samples.parquet").to_pandas()
    unlabelled = table["sample_id"].isin(UNLABELLED)
    assert (table.loc[unlabelled, "label"] == -1).all()
    assert (table.loc[unlabelled, "label_name"] == "").all()
    assert set(table.loc[~unlabelled, "label_name"]) == {"calm", "pain"}
    assert class_names_of(table) == ["calm", "pain"]
    folds = read_folds(tmp_path / "out" / "splits.json")
    for fold in folds:
        assert fold.unlabelled == ["p7", "p8"]
        assert sorted([*fold.train, *fold.validation, *fold.test]) == PEOPLE[:7]
    assert sorted(name for fold in folds for name in fold.test) == PEOPLE[:7]
    skipped, _ = _built(root, tmp_path / "skipped", _section("skip", folds=3))
    assert "unlabelled" not in skipped
    kept = [(fold.train, fold.validation, fold.test) for fold in folds]
    without = read_folds(tmp_path / "skipped" / "splits.json")
    assert kept == [(fold.train, fold.validation, fold.test) for fold in without]
    assert "unlabelled" not in (tmp_path / "skipped" / "splits.json").read_text()


@pytest.mark.parametrize("split", ["group-kfold", "loso"])
def test_people_without_labels_make_no_fold(root: Path, tmp_path: Path, split: str) -> None:
    """Seven people have labels: by default, which is five folds, and leave-one-subject-out, seven of them."""
    counts, _ = _built(root, tmp_path / "out", _section("teach", split=split))
    assert counts["folds"] == {"group-kfold": 5, "loso": 7}[split]
    folds = json.loads((tmp_path / "out" / "splits.json").read_text())["folds"]
    assert all("p7" not in fold["test"] and fold["unlabelled"] == ["p7", "p8"] for fold in folds)


def test_who_is_set_aside_by_an_official_split_teaches_nobody(root: Path, tmp_path: Path) -> None:
    """p8 is on the test side and has no label: no fold trains with it, nor tests it; p7 is on the training side."""
    options = {"split_column": "side"}
    _built(root, tmp_path / "out", _section("teach", split="official", options=options))
    [fold] = read_folds(tmp_path / "out" / "splits.json")
    assert (fold.train, fold.validation, fold.test) == (["p2", "p3", "p4", "p5"], ["p1"], ["p0", "p6"])
    assert fold.unlabelled == ["p7"]


def test_a_model_of_all_people_learns_from_all_but_those_who_validate(root: Path, tmp_path: Path) -> None:
    _built(root, tmp_path / "out", _section("teach"))
    table = read_parquet(tmp_path / "out" / "samples.parquet").to_pandas()
    fold = final_fold(table, _section("teach"))
    assert (sorted([*fold.train, *fold.validation]), fold.unlabelled) == (PEOPLE[:7], ["p7", "p8"])
    official = _section("teach", split="official", options={"split_column": "side"})
    _built(root, tmp_path / "official", official)
    table = read_parquet(tmp_path / "official" / "samples.parquet").to_pandas()
    fold = final_fold(table, official)
    assert (fold.validation, fold.unlabelled) == (["p1"], ["p7", "p8"])
    table.loc[table["subject"] == "p8", "split"] = "validation"
    assert final_fold(table, official).unlabelled == ["p7"]


def test_targets_of_which_some_are_missing_are_labels_and_counted(root: Path) -> None:
    data = _section("teach", options={"targets": ["pain", "fear"]})
    listed, classes = list_samples(root, "regression", data)
    assert classes == []
    assert set(listed.loc[~is_labelled(listed), "sample_id"]) == UNLABELLED
    assert listed.attrs["notes"] == {"samples without 'fear' that have other targets": 4}


@pytest.mark.parametrize("unlabelled", ["refuse", "skip", "teach"])
def test_a_corpus_without_any_label_is_refused(root: Path, unlabelled: str) -> None:
    rows = pd.read_csv(root / "t.csv")
    rows.assign(label="", pain="").to_csv(root / "t.csv", index=False)
    for task, options in (("classification", {}), ("regression", {"targets": ["pain"]})):
        with pytest.raises(DataError, match="36 of 36 samples have no label") as caught:
            list_samples(root, task, _section(unlabelled, options=options))
        assert "look at the labels" in str(caught.value)


def test_a_class_that_reads_like_no_label_is_asked_for(root: Path) -> None:
    """Whoever says that labels are missing, and whose table writes NaN, means no class of this name."""
    rows = pd.read_csv(root / "t.csv")
    rows.to_csv(root / "t.csv", index=False, na_rep="NaN")
    for unlabelled in ("teach", "skip"):
        with pytest.raises(DataError, match="label 'NaN' reads like no label") as caught:
            list_samples(root, "classification", _section(unlabelled))
        assert "empty cell" in str(caught.value)
    listed = _section("teach", options={"classes": ["NaN", "calm", "pain"]})
    assert list_samples(root, "classification", listed)[1] == ["NaN", "calm", "pain"]
    assert list_samples(root, "classification", _section())[1] == ["NaN", "calm", "pain"]


def test_minus_one_beside_indices_is_asked_for_where_labels_are_missing(root: Path) -> None:
    rows = pd.read_csv(root / "t.csv")
    rows.assign(label=rows["label"].map({"calm": 0, "pain": 1}).fillna(-1).astype(int)).to_csv(
        root / "t.csv", index=False
    )
    for unlabelled in ("teach", "skip"):
        with pytest.raises(DataError, match="label '-1' reads like no label"):
            list_samples(root, "classification", _section(unlabelled))
    listed = _section("teach", options={"classes": ["-1", "0", "1"]})
    assert list_samples(root, "classification", listed)[1] == ["-1", "0", "1"]
    assert list_samples(root, "classification", _section())[1] == ["-1", "0", "1"]


HEADER = "valence,arousal"
MARKED, RATED = "-5,-5", "0.5,-0.25"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Videos of 6 frames at 2 per second: windows are frames 1 to 4 and 3 to 6; c has no frame that counts."""
    lines = {"Train_Set/a": [RATED] * 6, "Train_Set/b": [*[MARKED] * 4, RATED, MARKED], "Train_Set/c": [MARKED] * 6}
    lines |= {"Train_Set/d": [RATED] * 6, "Validation_Set/e": [*[RATED] * 2, *[MARKED] * 4]}
    for name, frames in lines.items():
        path = tmp_path / "VA_Estimation_Challenge" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([HEADER, *frames]) + "\n")
        (tmp_path / "batch1").mkdir(exist_ok=True)
        (tmp_path / "batch1" / f"{path.stem}.mp4").touch()
    return tmp_path


def test_windows_without_a_frame_that_counts_are_samples_whose_frames_are_never_scored(
    videos: Path, tmp_path: Path
) -> None:
    options = {"rate_hz": 2.0, "window_s": 2.0, "hop_s": 1.0}
    tables = {}
    for unlabelled in ("teach", "skip"):
        data = DataSection(adapter="affwild2", root="unused", split="official", unlabelled=unlabelled, options=options)
        out, job = tmp_path / unlabelled, Job(Collected(), extraction=Extraction(root=videos))
        out.mkdir()
        build(out, job, task="regression", data=data)
        tables[unlabelled] = (
            [read_parquet(out / name).to_pandas() for name in ("samples.parquet", "frames.parquet")],
            read_folds(out / "splits.json"),
        )
    (listed, frames), [fold] = tables["teach"]
    assert set(listed.loc[~is_labelled(listed), "sample_id"]) == {"b-000001", "c-000001", "c-000003", "e-000003"}
    assert fold.unlabelled == ["c"]
    assert sorted([*fold.train, *fold.validation]) == ["a", "b", "d"]
    (labelled, frames_of_labelled), [without] = tables["skip"]
    pd.testing.assert_frame_equal(
        labelled, listed[is_labelled(listed)].drop(columns="listed_at").reset_index(drop=True)
    )
    assert (without.train, without.validation, without.test) == (fold.train, fold.validation, fold.test)
    assert not without.unlabelled
    pd.testing.assert_frame_equal(frames, frames_of_labelled)
    counting = frames[frames["valid"]].groupby("recording")["frame"].apply(list).to_dict()
    assert counting == {"a": [*range(1, 7)], "b": [5], "d": [*range(1, 7)], "e": [1, 2]}
    refusing = DataSection(adapter="affwild2", root="unused", split="official", options=options)
    with pytest.raises(DataError, match=r"4 of 10 samples have no label\n  - b-000001 of b"):
        list_samples(videos, "regression", refusing)
