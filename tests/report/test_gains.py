"""Gains over the best control, as the page tells them: in every metric, with p, and the control that is best there."""

import json
from typing import Any

import pytest

from mtpkd_cli.report import page as whole
from mtpkd_cli.report import write_report
from mtpkd_cli.report.drawing import Block
from mtpkd_cli.report.results import read_results
from mtpkd_cli.report.tables import control_table


def test_gains_over_the_best_control_are_told_in_every_metric(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert control_table(read_results(tiny.run)) is None
    path = tiny.run.evaluation / "metrics.json"
    summary = json.loads(path.read_text())
    row = summary["methods"]["mt-pkdot"]
    for number, (metric, versus) in enumerate(row["differences"].items()):
        control = {"from": "placebo" if number else "label-structure", "p": 0.0004, "p_holm": 0.03}
        row["over_control"][metric] = versus | control
    row["over_control"]["ece"] |= {"p": None, "p_holm": None}  # of an evaluation by an earlier version
    path.write_text(json.dumps(summary))
    table = control_table(read_results(tiny.run))
    assert table is not None
    assert len(table["heads"]) == len(table["rows"][0]["cells"]) == len(summary["metrics"])
    assert [row["name"] for row in table["rows"]] == ["mt-pkdot"]
    assert {head["from"] for head in table["heads"]} == {"placebo", "label-structure"}
    monkeypatch.setattr(whole, "FIGURES", {name: lambda _results: Block(absent="not drawn") for name in whole.FIGURES})
    text = write_report(tiny.run).read_text().replace("\u00a0", " ")
    assert text.count("p &lt; .001, Holm .030") == len(summary["metrics"]) - 1
    assert "ECE (%), lower is better" in text


def test_the_gain_over_a_methods_own_placebo_is_told(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "FIGURES", {name: lambda _results: Block(absent="not drawn") for name in whole.FIGURES})
    assert "minus its placebo" not in write_report(tiny.run).read_text()
    path = tiny.run.evaluation / "metrics.json"
    summary = json.loads(path.read_text())
    row, headline = summary["methods"]["mt-pkdot"], summary["headline"]
    placebo = {"from": "placebo", "value": 0.0321, "low": 0.01, "high": 0.05, "p": 0.004, "p_holm": 0.0123}
    row["over_placebo"] = {headline: row["differences"][headline] | placebo}
    path.write_text(json.dumps(summary))
    text = " ".join(write_report(tiny.run).read_text().replace("\u00a0", " ").split())
    assert "minus its placebo" in text
    sentence = (
        "Over placebo, its own loss with the teachers&#39; rows permuted, the difference of mt-pkdot is +3.2 points"
    )
    assert f"{sentence} [+1.0, +5.0], which" in text
    assert "<td>+3.2 [+1.0, +5.0]</td><td>.012</td>" in text
