"""The start of a command that computes: what cannot work is refused before anything is made, defaults give way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mtpkd_cli
from mtpkd_cli.artifacts import read_parquet, write_parquet
from mtpkd_cli.cli.setup import init_run
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.library import do_stages
from mtpkd_cli.pipeline import STAGES
from mtpkd_cli.pipeline.parallel import Collected

FEW = {
    "anchors_k = 5\n": "",
    'methods = ["student-only", "kd", "pkdot", "mt-pkdot"]': 'methods = ["student-only", "pkdot"]',
}


def test_a_default_gives_way_and_the_student_says_so(
    make_tiny: Callable[..., Any], tiny_table: Callable[..., Any], tmp_path: Path
) -> None:
    """Eight people with two samples each in two folds: three train, so a batch has six samples and five others."""
    tiny, reporter = make_tiny(tmp_path / "few", tiny_table(8, 2), FEW), Collected()
    do_stages(tiny.run.root, STAGES[:4], device="cpu", jobs=1, reporter=reporter)
    about = json.loads((tiny.run.student(0, 0, "pkdot") / "model.json").read_text())
    assert [(one["option"], one["asked"], one["used"]) for one in about["adjusted"]] == [("anchors_k", 16, 5)]
    assert about["chosen"]["options"]["anchors_k"] == 5
    assert (
        sum("anchors_k is 16 by default, 5 are used" in note for note in reporter.notes) == 3
    )  # at the start, per fold
    assert not json.loads((tiny.run.student(0, 0, "student-only") / "model.json").read_text())["adjusted"]


def test_what_is_stated_and_cannot_work_is_refused_before_anything_is_made(
    make_tiny: Callable[..., Any], tiny_table: Callable[..., Any], tmp_path: Path
) -> None:
    tiny = make_tiny(tmp_path / "few", tiny_table(8, 2), {"anchors_k = 5": "anchors_k = 30"})
    with pytest.raises(StudyError, match="anchors_k = 30, but the smallest batch has 6") as caught:
        mtpkd_cli.run(tiny.run.root, device="cpu")
    assert "--set distill.anchors_k=5" in str(caught.value)
    assert not tiny.run.samples.exists()
    problems = [text for entry in mtpkd_cli.check(tiny.run.root, trial=0) for text in entry.problems]
    assert any("distill.anchors_k = 30" in text for text in problems)
    reporter = Collected()
    do_stages(tiny.run.root, ["extract"], reporter=reporter)  # does not stumble over it, and tells
    assert any("distill.anchors_k = 30" in note for note in reporter.notes)


def test_text_labels_in_an_order_need_classes(
    make_tiny: Callable[..., Any], tiny_table: Callable[..., Any], tmp_path: Path
) -> None:
    table = tiny_table()
    table["label"] = table["label"].map({0: "none", 1: "mild"})
    ordinal = {'name = "tiny"': 'name = "tiny"\nordinal = true'}
    tiny = make_tiny(tmp_path / "alphabet", table, ordinal)
    with pytest.raises(DataError, match="by the alphabet it would be mild < none"):
        mtpkd_cli.run(tiny.run.root)
    with pytest.raises(DataError, match="by the alphabet"):
        tiny.do("extract")
    assert not tiny.run.samples.exists()
    assert any("mild < none" in text for entry in mtpkd_cli.check(tiny.run.root, trial=0) for text in entry.problems)
    reporter = Collected()
    do_stages(tiny.run.root, ["extract"], set=['data.options.classes=["none", "mild"]'], reporter=reporter)
    assert any(note.endswith("lowest first: none < mild") for note in reporter.notes)
    told = [text for entry in mtpkd_cli.check(tiny.run.root, trial=0) for text in entry.notes]
    assert "classes, lowest first: none < mild" in told


def test_a_new_study_tells_the_order_of_its_classes(tiny: Any, tmp_path: Path) -> None:
    told = init_run(tmp_path / "run", "features", tiny.table.parent, ["face"], ["study.ordinal=true"], [], False)
    assert "classes, lowest first: 0 < 1" in told


def test_a_stage_of_its_own_reads_which_samples_have_no_features(tiny: Any) -> None:
    do_stages(tiny.run.root, ["extract"])
    lost = read_parquet(tiny.run.samples).to_pandas()[["sample_id"]].head(1)
    write_parquet(tiny.run.features("face") / "failures.parquet", lost)
    assert do_stages(tiny.run.root, ["train-teachers"], set=["train.epochs=1"], jobs=1)["train-teachers"] > 0


def test_check_tells_which_keys_do_not_reach_a_released_method(make_tiny: Callable[..., Any], tmp_path: Path) -> None:
    released = {'methods = ["student-only", "kd", "pkdot", "mt-pkdot"]': 'methods = ["mt-pkdot-released"]'}
    tiny = make_tiny(
        tmp_path / "released", None, released | {"[evaluate]": '[evaluate]\nreference = "mt-pkdot-released"'}
    )
    notes = [note for entry in mtpkd_cli.check(tiny.run.root, trial=0) for note in entry.notes]
    assert any("distill.anchors_k = 5 does not reach it" in note for note in notes)
