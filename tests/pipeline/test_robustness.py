"""Scores of damaged test samples: no damage is the evaluation itself, and a missing modality is what it says."""

import json
from typing import Any

import pytest

from mtpkd_cli.artifacts import write_json
from mtpkd_cli.cli.corruption import corrupt
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.pipeline.damaged_scores import chosen_rows
from mtpkd_cli.pipeline.measured import made_of, remove_stale
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.pipeline.robustness import corrupted_scores
from mtpkd_cli.report import page as whole
from mtpkd_cli.report import write_report
from mtpkd_cli.report.drawing import Block
from mtpkd_cli.stages import Job
from mtpkd_cli.training.data import read_data
from mtpkd_cli.training.splits import read_folds


@pytest.mark.slow
def test_without_damage_the_scores_are_those_of_the_evaluation(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = corrupted_scores(tiny.run, tiny.study, "auroc", Job(Collected()))
    stored = json.loads((tiny.run.evaluation / "metrics.json").read_text())["methods"]
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    assert list(kinds) == ["drop", "occlusion", "noise", "blur", "rate", "missing"]
    assert {kind["on"] for kind in found["kinds"]} == {"features", "modalities"}
    assert "reads neither pictures nor sound" in found["media"]["face"]["reason"]
    for kind in ("drop", "noise", "rate"):
        lines = kinds[kind]["methods"]
        assert list(lines) == tiny.study.distill.methods
        for method, line in lines.items():
            assert line[0]["value"] == pytest.approx(stored[method]["scores"]["auroc"]["value"], abs=1e-9)
            assert len(line) == len(kinds[kind]["levels"])
    assert list(kinds["missing"]["methods"]) == ["joint without eda"]
    noisy = [line[-1]["value"] for line in kinds["noise"]["methods"].values()]
    assert noisy != [line[0]["value"] for line in kinds["noise"]["methods"].values()]
    assert json.loads((tiny.run.corruption / "corruption.json").read_text()) == found
    absent = {name: lambda _: Block(absent="") for name in whole.FIGURES}
    monkeypatch.setattr(whole, "FIGURES", absent | {"robustness": whole.FIGURES["robustness"]})
    write_report(tiny.run)
    assert len(list((tiny.run.evaluation / "figures").glob("corrupt-*.svg"))) == 6
    assert "Samples have one step each here" in (tiny.run.evaluation / "report.html").read_text()


def test_the_same_study_gives_the_same_numbers(tiny: Any) -> None:
    one, two = (corrupted_scores(tiny.run, tiny.study, "accuracy", Job(Collected())) for _ in range(2))
    assert one == two


def test_a_new_evaluation_keeps_curves_that_are_still_true_and_removes_others(tiny: Any) -> None:
    path = tiny.run.corruption / "corruption.json"
    write_json(path, {"made_of": made_of(tiny.run, tiny.study, "balanced-accuracy")})
    tiny.put("evaluate.resamples=150")
    tiny.do("evaluate")
    assert remove_stale(tiny.run, tiny.study) is None
    tiny.put("distill.epochs=1")
    tiny.do("distill", "evaluate")
    assert remove_stale(tiny.run, tiny.study) == path
    assert not path.exists()


def test_a_run_without_scores_says_how_to_have_them(tiny: Any) -> None:
    (tiny.run.evaluation / "metrics.json").unlink()
    with pytest.raises(ArtifactError, match="there are no scores") as raised:
        corrupt(tiny.run.root, True, None, None)
    assert "mtpkd evaluate" in str(raised.value)


@pytest.mark.parametrize("normalise", ["training", "subject"])
def test_some_samples_are_drawn_evenly_over_subjects_and_classes(tiny: Any, normalise: str) -> None:
    data = read_data(tiny.run.samples, {"face": tiny.run.features("face")}, "cpu")
    tiny.put(f"model.normalise={normalise}")
    study, folds = tiny.study, read_folds(tiny.run.splits)
    rows = chosen_rows(study, data, folds, 26)
    drawn = data.samples.iloc[rows.numpy()]
    assert rows.tolist() == chosen_rows(study, data, folds, 26).tolist()
    counts = drawn.groupby(["subject", "label"]).size()
    if normalise == "training":
        assert len(rows) == 26
        assert (len(counts), counts.max()) == (24, 2)
    else:  # whole persons, whose recordings are standardised together
        assert len(rows) == 24
        assert set(drawn.groupby("subject").size()) == {6}
    assert len(chosen_rows(study, data, folds, None)) == 72
