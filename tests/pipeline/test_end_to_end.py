"""Whole studies of other kinds than the tiny one: regression, several prevalent modalities, missing modalities."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.pipeline import STAGES
from mtpkd_cli.training.splits import read_folds

TEACHERS = ["teacher face", "teacher eda", "teacher joint"]
METHODS = ["student-only", "kd", "pkdot", "mt-pkdot"]


def _metrics(tiny: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tiny.run.evaluation / "metrics.json").read_text())
    return content


def _predictions(tiny: Any) -> pd.DataFrame:
    return read_parquet(tiny.run.evaluation / "predictions.parquet").to_pandas()


def _models(tiny: Any, fold: int) -> dict[str, bytes]:
    paths = sorted(tiny.run.repetition(fold, 0).rglob("*.safetensors"))
    return {tiny.run.relative(path): path.read_bytes() for path in paths}


def test_everybody_is_tested_once_by_every_method_and_teacher(finished: Any) -> None:
    predictions, samples = _predictions(finished), read_parquet(finished.run.samples).to_pandas()
    assert sorted(predictions["method"].unique()) == sorted(METHODS + TEACHERS)
    folds = read_folds(finished.run.splits)
    for _, rows in predictions.groupby("method"):
        assert sorted(rows["sample_id"]) == sorted(samples["sample_id"])
        for fold, of_fold in rows.groupby("fold"):
            assert set(of_fold["subject"]) == set(folds[fold].test)
    scores = np.stack(predictions["scores"].to_list())
    assert scores.shape == (len(predictions), 2)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_scores_are_those_of_the_predictions(finished: Any) -> None:
    content, predictions = _metrics(finished), _predictions(finished)
    assert content["reference"] == "student-only"
    assert sorted(content["methods"]) == sorted(METHODS + TEACHERS)
    for method, rows in predictions.groupby("method"):
        right = np.stack(rows["scores"].to_list()).argmax(1) == rows["label"]
        by_fold = right.groupby(rows["fold"]).mean().mean()
        row = content["methods"][method]
        assert row["scores"]["accuracy"]["value"] == pytest.approx(by_fold)
        assert row["scores"]["accuracy"]["low"] <= by_fold <= row["scores"]["accuracy"]["high"]
        assert row["scored"] == 72
        assert bool(row["differences"]) == (method != "student-only")


def test_nothing_of_the_test_subjects_reaches_a_model(
    finished: Any, tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    """Test subjects' features become nonsense and their labels are turned round: every model stays the same bytes."""
    tested = read_folds(finished.run.splits)[0].test
    table = tiny_table()
    rows = table["subject"].isin(tested)
    features = [column for column in table if "__" in column]
    table.loc[rows, features] = np.random.default_rng(9).normal(50, 1000, size=(rows.sum(), len(features)))
    table.loc[rows, "label"] = 1 - table.loc[rows, "label"]
    other = make_tiny(tmp_path / "other", table)
    other.do(*STAGES[:4])
    assert read_folds(other.run.splits) == read_folds(finished.run.splits)
    assert _models(other, 0) == _models(finished, 0)
    assert len(_models(other, 0)) == 3 + 2 + 4
    assert not set(_models(other, 1).values()) & set(_models(finished, 1).values())


def test_a_regression_runs_from_table_to_scores(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    study = {
        'name = "tiny"': 'name = "tiny"\ntask = "regression"',
        'file = "table.parquet"': 'file = "table.parquet", targets = ["valence"]',
    }
    tiny = make_tiny(tmp_path / "r", study=study)
    tiny.do()
    content = _metrics(tiny)
    assert (content["task"], content["outputs"]) == ("regression", ["valence"])
    assert set(content["metrics"]) == {"ccc", "pcc", "rmse"}
    for row in content["methods"].values():
        assert all(np.isfinite(score["value"]) for score in row["scores"].values())
        assert -1 <= row["scores"]["ccc"]["value"] <= 1
    assert np.stack(_predictions(tiny)["scores"].to_list()).shape[1] == 1
    assert tiny.undone() == set()


def test_a_task_that_the_corpus_cannot_serve_is_told(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "a", study={'name = "tiny"': 'name = "tiny"\ntask = "regression"'})
    with pytest.raises(StudyError, match="no targets"):
        tiny.do("extract")
    study = {'file = "table.parquet"': 'file = "table.parquet", targets = ["valence"]'}
    with pytest.raises(DataError, match="no class labels"):
        make_tiny(tmp_path / "b", study=study).do("extract")


@pytest.mark.slow
def test_several_prevalent_modalities_have_a_teacher_of_their_own(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    table = tiny_table()
    rng = np.random.default_rng(5)
    for j in range(4):
        table[f"voice__f{j}"] = rng.normal(size=len(table)) + 0.4 * table["label"]
    study = {"[model]": '[modalities.voice]\nrole = "prevalent"\n\n[model]'}
    tiny = make_tiny(tmp_path / "two", table, study)
    tiny.do()
    assert tiny.study.prevalent_teacher == "face+voice"
    assert tiny.run.teacher(0, 0, "face+voice").is_dir()
    about = json.loads((tiny.run.student(0, 0, "mt-pkdot") / "model.json").read_text())
    assert about["modalities"] == ["face", "voice"]
    assert about["arguments"]["features"] == {"face": 5, "voice": 4}
    assert about["arguments"]["privileged"] == 1
    assert "teacher face+voice" in _metrics(tiny)["methods"]
    assert tiny.undone() == set()


def test_missing_modalities_are_counted_and_nobody_invents_scores(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    table = tiny_table()
    face, eda = ([column for column in table if column.startswith(f"{name}__")] for name in ("face", "eda"))
    table.loc[[0, 7, 40], eda] = np.nan
    table.loc[[3, 20], face] = np.nan
    table.loc[5, face + eda] = np.nan
    table.loc[11, "face__f1"] = np.nan
    tiny = make_tiny(tmp_path / "missing", table)
    _, notes = tiny.do()
    methods = _metrics(tiny)["methods"]
    assert [methods[name]["scored"] for name in ("student-only", "mt-pkdot", "teacher face")] == [69, 69, 69]
    assert [methods[name]["scored"] for name in ("teacher eda", "teacher joint")] == [68, 71]
    assert _metrics(tiny)["samples"] == 72
    predictions = _predictions(tiny)
    assert np.isfinite(np.stack(predictions["scores"].to_list())).all()
    unseen = set(table["sample_id"].iloc[[3, 20, 5]])
    assert not unseen & set(predictions.loc[predictions["method"] == "kd", "sample_id"])
    counts = json.loads((tiny.run.features("eda") / "manifest.json").read_text())["counts"]
    assert counts["notes"] == {"samples_without_it": 4}
    assert [note for note in notes if note.startswith("extract eda") and "samples without it 4" in note]


def test_a_modality_that_nobody_has_is_told(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    study = {"[modalities.eda]": "[modalities.gsr]"}
    with pytest.raises(StudyError, match="no medium 'gsr'") as caught:
        make_tiny(tmp_path / "a", study=study).do()
    assert "expected: face, eda" in str(caught.value)
    table = tiny_table()
    table[[column for column in table if column.startswith("eda__")]] = np.nan
    with pytest.raises(DataError, match="not one sample has a value of 'eda'") as empty:
        make_tiny(tmp_path / "b", table).do("extract")
    assert empty.value.exit_code == 4


def test_a_class_that_is_listed_and_never_seen_is_told(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    study = {'file = "table.parquet"': 'file = "table.parquet", classes = ["0", "1", "2"]'}
    with pytest.raises(DataError, match="class 2 has no samples") as caught:
        make_tiny(tmp_path / "c", study=study).do("extract")
    assert caught.value.exit_code == 4


def test_leave_one_subject_out_has_a_fold_per_subject(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    tiny = make_tiny(tmp_path / "loso", tiny_table(subjects=4), study={"folds = 2\noptions": 'split = "loso"\noptions'})
    tiny.do("extract")
    assert len(read_folds(tiny.run.splits)) == 4
    assert len({label for label in tiny.undone() if label.startswith("distill")}) == 4 * 4


def test_three_subjects_are_too_few(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    tiny = make_tiny(tmp_path / "few", tiny_table(subjects=3), study={"folds = 2\noptions": 'split = "loso"\noptions'})
    with pytest.raises(DataError, match="3 subjects cannot be split"):
        tiny.do("extract")
