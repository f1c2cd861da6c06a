"""evaluate --classical: a table that says whether networks are worth their trouble."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mtpkd_cli.cli.app import app


@pytest.fixture
def said(finished: Any, tmp_path: Path) -> tuple[dict[str, Any], str]:
    tiny = finished.copy(tmp_path / "copy")
    result = CliRunner().invoke(app, ["evaluate", str(tiny.run.root), "--classical", "--quiet"])
    assert result.exit_code == 0, result.output
    return json.loads((tiny.run.classical / "classical.json").read_text()), result.output


def test_every_teacher_and_the_student_alone_meet_both_models(said: tuple[dict[str, Any], str]) -> None:
    content, output = said
    assert [row["network"] for row in content["rows"]] == [
        "teacher face",
        "teacher eda",
        "teacher joint",
        "student-only",
    ]
    for row in content["rows"]:
        assert row["network"] in output
        assert list(row["rivals"]) == ["logistic regression", "random forest"]
        for rival in row["rivals"].values():
            difference = rival["difference"]
            assert difference["value"] == pytest.approx(row["score"]["value"] - rival["score"]["value"])
            assert difference["low"] <= difference["value"] <= difference["high"]
            assert 0 < difference["p"] <= 1


def test_the_student_and_the_teacher_that_see_the_same_meet_the_same_model(said: tuple[dict[str, Any], str]) -> None:
    rows = {row["network"]: row for row in said[0]["rows"]}
    for model in ("logistic regression", "random forest"):
        assert rows["teacher face"]["rivals"][model]["score"] == rows["student-only"]["rivals"][model]["score"]
