"""Scores of damaged test samples: no damage is the evaluation itself, and a missing modality is what it says."""

import json
from typing import Any

import pytest
import torch

from mtpkd_cli import library
from mtpkd_cli.config.recordings import ALL_LABELS
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.evaluation.robustness import RobustnessScores, chosen_rows, read_robustness
from mtpkd_cli.pipeline import State, States, do_optional, units_of
from mtpkd_cli.pipeline.optional_units import corrupt_unit, corrupt_unit_as_made
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.report import page as whole
from mtpkd_cli.report import write_report
from mtpkd_cli.report.drawing import Block
from mtpkd_cli.stages import Job
from mtpkd_cli.training.data import read_data
from mtpkd_cli.training.sides import read_every_side


def _corrupt(tiny: Any, **job: Any) -> RobustnessScores:
    do_optional(tiny.run, tiny.study, [corrupt_unit(tiny.run, tiny.study)], Job(Collected(), **job))
    return read_robustness(tiny.run)


def _state(tiny: Any) -> State:
    unit = corrupt_unit_as_made(tiny.run, tiny.study)
    return States(tiny.run, tiny.study, [*units_of(tiny.run, tiny.study), unit]).of(unit)


@pytest.mark.slow
def test_without_damage_the_scores_are_those_of_the_evaluation(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.put("evaluate.metrics=['auroc']")
    robustness = _corrupt(tiny)
    scores = robustness.plain()
    stored = json.loads((tiny.run.evaluation / "metrics.json").read_text())["methods"]
    kinds = {kind["kind"]: kind for kind in scores["kinds"]}
    assert list(kinds) == ["drop", "occlusion", "noise", "blur", "rate", "missing"]
    assert {kind["on"] for kind in scores["kinds"]} == {"features", "modalities"}
    assert "reads neither pictures nor sound" in scores["media"]["face"]["reason"]
    for kind in ("drop", "noise", "rate"):
        lines = kinds[kind]["methods"]
        assert list(lines) == tiny.study.distill.methods
        for method, line in lines.items():
            assert line[0]["value"] == pytest.approx(stored[method]["scores"]["auroc"]["value"], abs=1e-9)
            assert len(line) == len(kinds[kind]["levels"])
    assert list(kinds["missing"]["methods"]) == ["joint without eda"]
    noisy = [line[-1]["value"] for line in kinds["noise"]["methods"].values()]
    assert noisy != [line[0]["value"] for line in kinds["noise"]["methods"].values()]
    assert json.loads((tiny.run.corruption / "corruption.json").read_text()) == scores
    absent = {name: lambda _: Block(absent="") for name in whole.FIGURES}
    monkeypatch.setattr(whole, "FIGURES", absent | {"robustness": whole.FIGURES["robustness"]})
    write_report(tiny.run)
    assert len(list((tiny.run.evaluation / "figures").glob("corrupt-*.svg"))) == 6
    assert "Samples have one step each here" in (tiny.run.evaluation / "report.html").read_text()


def test_the_same_study_gives_the_same_numbers(tiny: Any) -> None:
    one, two = (_corrupt(tiny, overwrite=True) for _ in range(2))
    assert one == two


def test_a_new_evaluation_keeps_curves_that_are_still_true_and_says_why_others_are_not(tiny: Any) -> None:
    assert _state(tiny).kind == "missing"
    _corrupt(tiny)
    tiny.put("evaluate.resamples=150")
    tiny.do("evaluate")
    assert _state(tiny).kind == "done"
    tiny.put("distill.epochs=1")
    tiny.do("distill", "evaluate")
    assert (_state(tiny).kind, "has changed" in _state(tiny).reason) == ("stale", True)
    rows = {entry.stage: entry for entry in library.status(tiny.run.root)}
    assert (rows["corrupt"].state, rows["corrupt"].reason) == ("stale", _state(tiny).reason)
    _corrupt(tiny)
    assert _state(tiny).kind == "done"


def test_a_run_without_scores_says_how_to_have_them(tiny: Any) -> None:
    with pytest.raises(ArtifactError, match="no damaged recordings were scored") as raised:
        read_robustness(tiny.run)
    assert "mtpkd evaluate" in str(raised.value)
    assert "--corrupt" in str(raised.value)


@pytest.mark.parametrize("normalise", ["training", "subject"])
def test_some_samples_are_drawn_evenly_over_subjects_and_classes(tiny: Any, normalise: str) -> None:
    data = read_data(tiny.run.samples, {"face": tiny.run.features("face")}, "cpu")
    sides = read_every_side(data.samples, tiny.run.splits, ALL_LABELS)

    def _chosen(at_most: int | None) -> torch.Tensor:
        return chosen_rows(data, sides, ["face"], at_most, whole_people=normalise == "subject", seed=0)

    rows = _chosen(26)
    drawn = data.samples.iloc[rows.numpy()]
    assert rows.tolist() == _chosen(26).tolist()
    counts = drawn.groupby(["subject", "label"]).size()
    if normalise == "training":
        assert len(rows) == 26
        assert (len(counts), counts.max()) == (24, 2)
    else:  # whole persons, whose recordings are standardised together
        assert len(rows) == 24
        assert set(drawn.groupby("subject").size()) == {6}
    assert len(_chosen(None)) == 72
