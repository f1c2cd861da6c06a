"""The final student: everybody trains or says when to stop, a unit like the others, predicted and exported by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtpkd_cli
from mtpkd_cli.deploy.choice import choose, threshold_of
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.training.splits import final_fold, read_folds


def test_everybody_trains_or_validates_and_the_student_is_marked(tiny: Any, tmp_path: Path) -> None:
    tested = mtpkd_cli.read_scores(tiny.run.root)
    with pytest.raises(ArtifactError, match="no finished final student") as caught:
        choose(tiny.run, tiny.study, final=True)
    assert f"mtpkd final {tiny.run.root}" in str(caught.value)
    folder = mtpkd_cli.fit_final(tiny.run.root, method="pkdot", device="cpu")
    assert folder == tiny.run.root / "final" / "fold-0" / "seed-0" / "students" / "pkdot"
    (fold,) = read_folds(tiny.run.final.splits)
    people = sorted(pd.read_parquet(tiny.run.samples)["subject"].unique())
    assert (sorted([*fold.train, *fold.validation]), fold.test) == (people, [])
    assert len(fold.validation) == 3  # a quarter of twelve
    predicted = pd.read_parquet(folder / "predictions.parquet")
    assert set(predicted["part"]) == {"validation"}
    assert sorted(predicted["subject"].unique()) == sorted(fold.validation)
    # The folds' students and their scores are what they were.
    pd.testing.assert_frame_equal(mtpkd_cli.read_scores(tiny.run.root), tested)
    (chosen,) = choose(tiny.run, tiny.study, "pkdot", final=True)
    assert "no test score of its own" in chosen.name
    threshold = threshold_of(tiny.run, tiny.study, [chosen])
    exported = mtpkd_cli.export(tiny.run.root, "torchscript", final=True, output=tmp_path / "out")
    about = json.loads((tmp_path / "out" / "features.json").read_text())
    assert about["student"]["final"] is True
    assert about["student"]["fold"] is None
    assert "none of its own" in about["student"]["test_score"]
    assert about["threshold"] == threshold
    assert "It has no test score of its own" in (exported.folder / "MODEL_CARD.md").read_text()
    with pytest.raises(StudyError, match="of no fold"):
        mtpkd_cli.export(tiny.run.root, "torchscript", final=True, fold=0)


def test_it_is_a_unit_like_the_others(tiny: Any) -> None:
    assert not [entry for entry in mtpkd_cli.status(tiny.run.root) if entry.stage == "final"]
    folder = mtpkd_cli.fit_final(tiny.run.root, method="kd", device="cpu")
    made = (folder / "manifest.json").read_text()
    entries = {entry.unit: entry.state for entry in mtpkd_cli.status(tiny.run.root) if entry.stage == "final"}
    assert set(entries) == {"final", *(f"final/fold-0/seed-0/{name}" for name in (
        "teachers/face", "teachers/eda", "teachers/joint", "align", "bank", "students/kd",
    ))}  # fmt: skip
    assert set(entries.values()) == {"done"}
    mtpkd_cli.fit_final(tiny.run.root, method="kd", device="cpu")
    assert (folder / "manifest.json").read_text() == made
    tiny.put("distill.learning_rate=0.002")
    stale = [entry for entry in mtpkd_cli.status(tiny.run.root) if entry.stage == "final" and entry.state == "stale"]
    assert [entry.unit for entry in stale] == ["final/fold-0/seed-0/students/kd"]
    assert "learning_rate was 0.001, is 0.002" in stale[0].reason
    with pytest.raises(StudyError, match="did you mean 'kd'"):
        mtpkd_cli.fit_final(tiny.run.root, method="kds", device="cpu")


def test_without_a_name_it_is_of_the_method_that_validation_people_prefer(tiny: Any) -> None:
    best = choose(tiny.run, tiny.study)[0].method
    assert mtpkd_cli.fit_final(tiny.run.root, device="cpu").name == best


def test_people_who_validate_leave_every_class_and_medium_to_train(tiny: Any) -> None:
    """One person alone shows class 1, another alone has eda beside somebody else: neither may be where it is missed."""
    table = pd.read_parquet(tiny.run.samples)
    people = sorted(table["subject"].unique())
    table["label"] = (table["subject"] == people[0]).astype(int)
    table["label_name"] = table["label"].astype(str)
    table["media_eda"] = np.where(table["subject"].isin(people[1:3]), "t", "")
    for seed in range(12):
        data = tiny.study.data.model_copy(update={"split_seed": seed})
        fold = final_fold(table, data)
        assert people[0] in fold.train
        assert len({*people[1:3]} & set(fold.train)) == 1


def test_the_final_student_says_that_no_label_is_hidden_from_it(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny, notes = make_tiny(tmp_path / "s"), Collected()
    tiny.put("data.label_share=0.5")
    tiny.do("extract")
    mtpkd_cli.fit_final(tiny.run.root, method="kd", device="cpu", reporter=notes)
    assert "final: data.label_share = 0.5 hides nothing here: all labels count" in notes.notes
    bank = pd.read_parquet(tiny.run.final.bank(0, tiny.study.study.seeds[0]) / "joint.parquet")
    assert set(bank["part"]) == {"train", "validation"}
