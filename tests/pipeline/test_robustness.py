"""Scores of damaged test samples: no damage is the evaluation itself, and a missing modality is what it says."""

import json
from typing import Any

import pytest

from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.pipeline.robustness import corrupted_scores
from mtpkd_cli.report import page as whole
from mtpkd_cli.report import write_report
from mtpkd_cli.report.drawing import Block
from mtpkd_cli.stages import Job


def test_without_damage_the_scores_are_those_of_the_evaluation(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = corrupted_scores(tiny.run, tiny.study, "auroc", Job(Collected()))
    stored = json.loads((tiny.run.evaluation / "metrics.json").read_text())["methods"]
    assert list(found["kinds"]) == ["drop", "occlusion", "noise", "blur", "rate", "missing"]
    for kind in ("drop", "noise", "rate"):
        lines = found["kinds"][kind]["methods"]
        assert list(lines) == tiny.study.distill.methods
        for method, line in lines.items():
            assert line[0]["value"] == pytest.approx(stored[method]["scores"]["auroc"]["value"], abs=1e-9)
            assert len(line) == len(found["kinds"][kind]["levels"])
    assert list(found["kinds"]["missing"]["methods"]) == ["joint without eda"]
    noisy = [line[-1]["value"] for line in found["kinds"]["noise"]["methods"].values()]
    assert noisy != [line[0]["value"] for line in found["kinds"]["noise"]["methods"].values()]
    assert json.loads((tiny.run.evaluation / "corruption.json").read_text()) == found
    absent = {name: lambda _: Block(absent="") for name in whole.FIGURES}
    monkeypatch.setattr(whole, "FIGURES", absent | {"robustness": whole.FIGURES["robustness"]})
    write_report(tiny.run)
    assert len(list((tiny.run.evaluation / "figures").glob("corrupt-*.svg"))) == 6
    assert "Samples have one step each here" in (tiny.run.evaluation / "report.html").read_text()


def test_the_same_study_gives_the_same_numbers(tiny: Any) -> None:
    one, two = (corrupted_scores(tiny.run, tiny.study, "accuracy", Job(Collected())) for _ in range(2))
    assert one == two
