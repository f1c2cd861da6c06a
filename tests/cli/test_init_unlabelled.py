"""`mtpkd init` of ready features beside which a table of recordings without labels lies."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtpkd_cli.cli.setup import init_run
from mtpkd_cli.errors import DataError


@pytest.fixture
def corpus(tmp_path: Path, tiny_table: Callable[..., pd.DataFrame]) -> Path:
    folder, table = tmp_path / "data", tiny_table()
    folder.mkdir()
    labelled = table["subject"] < "p09"
    table[labelled].to_parquet(folder / "features.parquet")
    table.loc[~labelled].drop(columns=["label", "valence"]).to_parquet(folder / "another.parquet")
    return folder


def _options(tmp_path: Path, corpus: Path, *assignments: str) -> dict[str, Any]:
    run = tmp_path / "run"
    init_run(run, "features", corpus, [], list(assignments), [], overwrite=True)
    options: dict[str, Any] = tomllib.loads((run / "study.toml").read_text())["data"]["options"]
    return options


@pytest.mark.parametrize(
    "assignments",
    [
        [],
        ["data.options.unlabelled_file=another.parquet", "data.unlabelled=teach"],
        ['data.options.unlabelled_file="another.parquet"'],
        ["data.options.file=features.parquet", "data.options.unlabelled_file=another.parquet"],
        ["study.task=regression", 'data.options.targets=["valence"]'],
    ],
)
def test_the_table_without_labels_is_the_second_one(tmp_path: Path, corpus: Path, assignments: list[str]) -> None:
    options = _options(tmp_path, corpus, *assignments)
    assert (options["file"], options["unlabelled_file"]) == ("features.parquet", "another.parquet")


def test_one_of_two_tables_with_labels_is_to_be_named(tmp_path: Path, corpus: Path) -> None:
    pd.read_parquet(corpus / "another.parquet").assign(label=1).to_parquet(corpus / "another.parquet")
    with pytest.raises(DataError, match=r"2 tables of features are there \(another.parquet, features.parquet\)") as err:
        _options(tmp_path, corpus)
    assert "data.options.unlabelled_file=TABLE" in str(err.value)
    assert "unlabelled_file" not in _options(tmp_path, corpus, "data.options.file=features.parquet")


def test_a_table_of_other_features_is_no_second_one(tmp_path: Path, corpus: Path) -> None:
    table = pd.read_parquet(corpus / "another.parquet")
    renamed = {name: f"gaze__{i}" for i, name in enumerate(table.columns[2:])}
    table.rename(columns=renamed).to_parquet(corpus / "another.parquet")
    with pytest.raises(DataError, match="2 tables of features are there"):
        _options(tmp_path, corpus)


def test_from_init_to_status_by_the_command_line(tmp_path: Path, corpus: Path, mtpkd: Callable[..., Any]) -> None:
    """Refused until the study says what becomes of them; then listed, counted and told."""
    run = tmp_path / "run"
    assert mtpkd("init", run, "--preset", "features", "--data", corpus).returncode == 0
    refused = mtpkd("extract", run)
    assert refused.returncode == 4
    assert "18 of 72 samples have no label" in refused.stderr
    assert "data.unlabelled" in refused.stderr
    checked = mtpkd("check", run)
    assert checked.returncode == 4
    assert "data.unlabelled" in checked.stderr
    done = mtpkd("extract", run, "--set", "data.unlabelled=teach", "--set", "data.label_share=0.5")
    assert done.returncode == 0, done.stderr
    assert "54 samples of 9 people have labels, 18 have none" in done.stderr
    told = json.loads(mtpkd("status", run, "--json").stdout)["labels"]
    assert told["labelled"] == {"samples": 54, "subjects": 9}
    assert told["unlabelled"] == {"samples": 18, "subjects": 3, "partly_labelled_subjects": 0}
    for fold in told["folds"]:
        seen = fold["train"]["subjects"] + fold["validation"]["subjects"]
        assert seen + fold["hidden"]["subjects"] + fold["test"]["subjects"] == 9
        assert fold["unlabelled"]["subjects"] == 3 + fold["hidden"]["subjects"]
        assert fold["hidden"]["samples"] == 6 * fold["hidden"]["subjects"] > 0
    shown = mtpkd("status", run).stdout
    assert "54 samples of 9 people have labels, 18 have none" in shown
    assert "data.label_share = 0.5 of people: a fold teaches with the labels of" in shown
