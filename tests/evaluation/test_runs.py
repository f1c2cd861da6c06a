"""Runs side by side: the numbers of their evaluations, refusal of other splits, and what is written."""

import csv
import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from mtpkd_cli.cli import app
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.evaluation.runs import compare_runs, read_evaluated
from mtpkd_cli.evaluation.summary import Summary
from mtpkd_cli.report.numbers import CSV_COLUMNS, csv_table, escaped, latex_table


@pytest.fixture
def other(finished: Any, tmp_path: Any) -> Any:
    """A second run of the same splits."""
    return finished.copy(tmp_path / "other")


def _stored(study: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((study.run.evaluation / "metrics.json").read_text())
    return content


def test_one_run_compared_with_itself_has_the_numbers_of_its_evaluation(finished: Any) -> None:
    comparison = compare_runs(read_evaluated([finished.run.root]), ["kd", "student-only"])
    stored = _stored(finished)
    assert list(comparison.methods) == ["student-only", "kd"]
    assert comparison.reference == "student-only"
    for method, row in comparison.methods.items():
        for metric, score in row.scores.items():
            assert score.value == stored["methods"][method]["scores"][metric]["value"]
        for metric, versus in row.differences.items():
            assert versus.p == stored["methods"][method]["differences"][metric]["p"]


def test_rows_are_named_by_run_and_method(finished: Any, other: Any) -> None:
    runs = read_evaluated([finished.run.root, other.run.root])
    assert runs[0].name == str(finished.run.root)  # both are called run
    comparison = compare_runs(runs, ["kd"])
    assert comparison.reference == f"{finished.run.root}: kd"  # the reference itself was not asked for
    assert comparison.methods[f"{other.run.root}: kd"].differences["auroc"].p == 1.0
    assert comparison.same_splits


def test_other_splits_are_refused_unless_told(finished: Any, other: Any) -> None:
    splits = json.loads(other.run.splits.read_text())
    splits["folds"] = splits["folds"][::-1]
    other.run.splits.write_text(json.dumps(splits))
    runs = read_evaluated([finished.run.root, other.run.root])
    with pytest.raises(StudyError, match="are split differently, of the same people into other folds"):
        compare_runs(runs, [])
    comparison = compare_runs(runs, ["kd"], different_splits=True)
    assert not comparison.same_splits
    assert comparison.repetitions == ["seed-0"]
    assert {row.scored for row in comparison.methods.values()} == {72}


def test_names_labels_and_questions_must_fit(finished: Any, other: Any) -> None:
    one, two = read_evaluated([finished.run.root, other.run.root])
    with pytest.raises(StudyError, match="did you mean 'kd'"):
        compare_runs([one, two], ["kdd"])
    with pytest.raises(StudyError, match="there is no 'nobody'"):
        compare_runs([one, two], [], "nobody")
    otherwise = replace(two, summary=two.summary.model_copy(update={"outputs": ["calm", "pain"]}))
    with pytest.raises(StudyError, match="answer different questions"):
        compare_runs([one, otherwise], [])
    two.predictions["label"] = 1 - two.predictions["label"]
    with pytest.raises(DataError, match="72 samples have another subject or label"):
        compare_runs([one, two], [])


def test_the_command_prints_and_writes_tables_and_a_plot(finished: Any, other: Any, tmp_path: Any) -> None:
    out = tmp_path / "comparison"
    arguments = ["compare", str(finished.run.root), str(other.run.root), "--method", "kd", "-o", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "differences" in done.stdout
    names = {"comparison.json", "differences.pdf", "differences.svg", "scores.csv", "scores.tex"}
    assert {path.name for path in out.iterdir()} == names
    assert (out / "differences.pdf").read_bytes().startswith(b"%PDF")
    assert isinstance(CliRunner().invoke(app, [*arguments[:-1], str(tmp_path)]).exception, StudyError)


def test_csv_holds_all_numbers_and_latex_is_safe(finished: Any) -> None:
    summary = _stored(finished)
    rows = list(csv.DictReader(csv_table(Summary.model_validate(summary)).splitlines()))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == len(summary["methods"]) * len(summary["metrics"])
    kd = next(row for row in rows if row["method"] == "kd" and row["metric"] == "auroc")
    assert {row["placebo"] for row in rows} == {""}
    over_placebo = summary["methods"]["kd"]["differences"]["auroc"] | {"from": "kd-placebo", "value": 0.125}
    summary["methods"]["kd"]["over_placebo"] = {"auroc": over_placebo}
    again = list(csv.DictReader(csv_table(Summary.model_validate(summary)).splitlines()))
    placebos = [(row["placebo"], row["over_placebo"]) for row in again if row["placebo"]]
    assert placebos == [("kd-placebo", "0.125")]
    assert float(kd["p_holm"]) == summary["methods"]["kd"]["differences"]["auroc"]["p_holm"]
    summary["methods"] = {"50 % of {_}\\": summary["methods"]["kd"]}
    assert r"50 \% of \{\_\}\textbackslash{} & " in latex_table(Summary.model_validate(summary))
    assert escaped("a_b") == r"a\_b"
