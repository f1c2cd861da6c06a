"""Results that are no part of `run` are units: locked while they are made, shown by `status`, stale with a reason."""

from collections.abc import Callable
from typing import Any

import pytest

from mtpkd_cli import library
from mtpkd_cli.artifacts.locks import locked
from mtpkd_cli.errors import Busy
from mtpkd_cli.pipeline import Choice, UnitStatus
from mtpkd_cli.pipeline.grid import write_grid


@pytest.fixture(autouse=True)
def _no_figures(only: Callable[..., None]) -> None:
    only()


def _rows(tiny: Any, stage: str) -> list[UnitStatus]:
    return [entry for entry in library.status(tiny.run.root) if entry.stage == stage]


def test_nobody_is_told_of_what_nobody_asked_for(tiny: Any) -> None:
    assert {entry.stage for entry in library.status(tiny.run.root)} == {
        "extract", "train-teachers", "align", "distill", "evaluate",
    }  # fmt: skip


def test_one_process_makes_it_and_status_says_who(tiny: Any) -> None:
    with locked(tiny.run.lock(tiny.run.classical), "classical"):
        [row] = _rows(tiny, "classical")
        assert (row.state, len(row.running)) == ("running", 1)
        with pytest.raises(Busy) as caught:
            library.evaluate(tiny.run.root, classical=True)
    assert caught.value.exit_code == 73
    library.evaluate(tiny.run.root, classical=True)
    [row] = _rows(tiny, "classical")
    assert (row.state, row.counts) == ("done", {"networks": 4, "models": 2})
    before = (tiny.run.classical / "manifest.json").read_bytes()
    library.evaluate(tiny.run.root, classical=True)
    assert (tiny.run.classical / "manifest.json").read_bytes() == before


def test_an_ablation_is_shown_from_its_first_student_on_and_stale_with_its_reason(tiny: Any) -> None:
    over = ["distill.anchors_k=4,5"]
    assert library.ablate(tiny.run.root, over, name="k", folds=[0], device="cpu", jobs=1) is None
    states = [row.state for row in _rows(tiny, "ablate")]
    assert (states.count("done"), states.count("missing")) == (2, 2 + 3)
    assert library.ablate(tiny.run.root, over, name="k", device="cpu", jobs=1) is not None
    assert {row.state for row in _rows(tiny, "ablate")} == {"done"}
    tiny.put("distill.epochs=1")
    table = next(row for row in _rows(tiny, "ablate") if row.unit == "ablation/k")
    students = [row for row in _rows(tiny, "ablate") if "/students/" in row.unit]
    assert table.state == "stale"
    assert {(row.state, row.reason) for row in students} == {("stale", "distill.epochs was 2, is 1")}


def test_an_ablation_that_the_study_does_not_allow_any_more_says_why(tiny: Any) -> None:
    write_grid(tiny.run, "gone", "mt-pkdot", ["distill.anchorz=least,most"])
    (tiny.run.ablation("earlier")).mkdir()  # of a version that wrote no grid
    [row] = _rows(tiny, "ablate")
    assert (row.unit, row.state) == ("ablation/gone", "stale")
    assert "anchorz" in row.reason


def test_damaged_recordings_of_another_number_are_made_again_and_status_remembers_it(tiny: Any) -> None:
    evaluation = library.evaluate(tiny.run.root, corrupt=True, corrupt_samples=8)
    assert evaluation.robustness is not None
    assert (evaluation.robustness.samples, evaluation.robustness.all_samples) == (8, 72)
    assert [row.state for row in _rows(tiny, "corrupt")] == ["done"]
    again = library.evaluate(tiny.run.root, corrupt=True, corrupt_samples=12)
    assert again.robustness is not None
    assert again.robustness.samples == 12
    tiny.do("distill", overwrite=True, choice=Choice(fold=0, name="student-only"))
    assert [row.state for row in _rows(tiny, "corrupt")] == ["done"]  # the same student again
