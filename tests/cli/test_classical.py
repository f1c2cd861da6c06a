"""evaluate --classical: a table that says whether networks are worth their trouble."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mtpkd_cli import library
from mtpkd_cli.cli.app import app
from mtpkd_cli.report import page
from mtpkd_cli.report.drawing import Block


@pytest.fixture(scope="module")
def classical(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Any]:
    tiny = finished.copy(tmp_path_factory.mktemp("classical") / "copy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "FIGURES", {name: lambda _results: Block(absent="not drawn") for name in page.FIGURES})
        result = CliRunner().invoke(app, ["evaluate", str(tiny.run.root), "--classical", "--quiet"])
    assert result.exit_code == 0, result.output
    return json.loads((tiny.run.classical / "classical.json").read_text()), result.output, tiny


def test_every_teacher_and_the_student_alone_meet_both_models(classical: tuple[dict[str, Any], str, Any]) -> None:
    content, output, _ = classical
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


def test_the_student_and_the_teacher_that_see_the_same_meet_the_same_model(
    classical: tuple[dict[str, Any], str, Any],
) -> None:
    rows = {row["network"]: row for row in classical[0]["rows"]}
    for model in ("logistic regression", "random forest"):
        assert rows["teacher face"]["rivals"][model]["score"] == rows["student-only"]["rivals"][model]["score"]


def test_the_report_shows_the_table_until_it_is_of_other_networks(
    classical: tuple[dict[str, Any], str, Any], tmp_path: Path, only: Callable[..., None]
) -> None:
    only()
    content, tiny = classical[0], classical[2].copy(tmp_path / "copy")
    report = tiny.run.evaluation / "report.html"
    section = report.read_text().partition('id="classical"')[2].partition("</section>")[0]
    for row in content["rows"]:
        assert f'<th scope="row">{row["network"]}<span class="note">{", ".join(row["modalities"])}</span>' in section
        for rival in row["rivals"].values():
            assert f"<td>{100 * rival['score']['value']:.1f}</td>" in section
    # Seen before: the table went on showing the old reference and the old number of exchanges, and nothing said so.
    tiny.put("evaluate.reference=kd", "evaluate.permutations=500")
    done = CliRunner().invoke(app, ["evaluate", str(tiny.run.root)])
    assert done.exit_code == 0, done.output
    assert 'classical: stale, evaluate.reference was "student-only", is "kd"' in done.stderr.replace("\n", " ")
    section = report.read_text().partition('id="classical"')[2].partition("</section>")[0]
    assert "Measured before something changed (evaluate.reference was" in section
    assert "evaluate.permutations was 2000, is 500" in section.replace("\n", " ")
    assert "<table" not in section
    [row] = [row for row in library.status(tiny.run.root) if row.stage == "classical"]
    assert (row.state, "evaluate.reference was" in row.reason) == ("stale", True)
    again = library.evaluate(tiny.run.root, classical=True)
    assert again.classical is not None
    assert again.classical.rows[-1].network == "kd"
    assert "12 subjects, 501 random exchanges" in again.classical.test
    section = report.read_text().partition('id="classical"')[2].partition("</section>")[0]
    assert '<th scope="row">kd<span class="note">face</span>' in section
