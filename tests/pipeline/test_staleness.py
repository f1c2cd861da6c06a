"""What is done stays done, what changed is made again and says why, and nothing else is touched."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtpkd_cli.artifacts import MANIFEST
from mtpkd_cli.errors import ArtifactError, DataError, StudyError
from mtpkd_cli.pipeline import STAGES, Choice

METHODS = ("student-only", "kd", "pkdot", "mt-pkdot")


def _times(tiny: Any) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in tiny.run.root.rglob("*") if path.is_file()}


def _bytes(tiny: Any, pattern: str) -> dict[str, bytes]:
    return {tiny.run.relative(path): path.read_bytes() for path in sorted(tiny.run.root.rglob(pattern))}


def _students(*methods: str) -> set[str]:
    return {f"distill fold-{fold}/seed-0 {method}" for fold in (0, 1) for method in methods}


def test_every_folder_of_design_is_there_with_its_manifest(finished: Any) -> None:
    run = finished.run
    folders = [run.root, run.features("face"), run.features("eda"), run.evaluation]
    for fold in (0, 1):
        folders += [run.teacher(fold, 0, name) for name in ("face", "eda", "joint")]
        folders += [run.align(fold, 0), run.bank(fold, 0), *(run.student(fold, 0, method) for method in METHODS)]
    assert {path.parent for path in run.root.rglob(MANIFEST)} == set(folders)
    assert not list(run.root.rglob(".*"))
    for fold in (0, 1):
        for folder in [run.teacher(fold, 0, "joint"), run.student(fold, 0, "kd")]:
            names = {path.name for path in folder.iterdir()}
            assert {"model.safetensors", "model.json", "history.jsonl", MANIFEST} <= names
    assert {"metrics.json", "predictions.parquet"} <= {path.name for path in run.evaluation.iterdir()}


def test_no_artifact_holds_a_path_of_this_machine(finished: Any) -> None:
    place = str(finished.root.parent).encode()
    assert not [path for path in finished.run.root.rglob("*") if path.is_file() and place in path.read_bytes()]


def test_a_second_run_does_nothing(tiny: Any) -> None:
    before = _times(tiny)
    made, notes = tiny.do()
    assert made == 0
    assert all(note.endswith("up to date") for note in notes)
    assert _times(tiny) == before


def test_a_run_that_was_moved_stays_done_with_and_without_its_corpus(tiny: Any, tmp_path: Path) -> None:
    elsewhere = type(tiny)(tmp_path / "elsewhere" / "deep")
    elsewhere.root.parent.mkdir()
    shutil.move(tiny.root, elsewhere.root)
    assert elsewhere.undone() == set()
    shutil.rmtree(elsewhere.root / "data")
    assert elsewhere.undone() == set()
    assert elsewhere.do(*STAGES[1:])[0] == 0


@pytest.mark.parametrize(
    ("key", "methods", "reason"),
    [
        ("distill.selection=sample", ("mt-pkdot",), 'selection was "skill", is "sample"'),
        ("distill.epsilon=0.02", ("pkdot", "mt-pkdot"), ", is 0.02"),
        ("distill.method.kd.temperature=4.0", ("kd",), "temperature was 2.0, is 4.0"),
        ("distill.epochs=3", METHODS, "distill.epochs was 2, is 3"),
        ("student.init=scratch", METHODS, 'student.init was "teacher", is "scratch"'),
    ],
)
def test_an_option_of_distillation_makes_only_those_who_read_it_stale(
    tiny: Any, key: str, methods: tuple[str, ...], reason: str
) -> None:
    tiny.put(key)
    states = tiny.states()
    assert {label for label, state in states.items() if state.kind != "done"} == {
        *_students(*methods),
        "evaluate evaluation",
    }
    for label in _students(*methods):
        assert states[label].kind == "stale"
        assert reason in states[label].reason


def test_what_is_made_again_says_why_and_leaves_the_rest_alone(tiny: Any) -> None:
    before = _times(tiny)
    tiny.put("distill.selection=mean")
    made, notes = tiny.do()
    assert made == 3
    [line] = [note for note in notes if note.startswith("distill fold-0") and "made again" in note]
    assert line.startswith("distill fold-0/seed-0 mt-pkdot: made again, ")
    assert 'selection was "skill", is "mean"' in line
    changed = {path for path, time in _times(tiny).items() if before.get(path) != time} - {tiny.run.study}
    allowed = (*(tiny.run.student(fold, 0, "mt-pkdot") for fold in (0, 1)), tiny.run.evaluation)
    assert changed
    assert all(any(path.is_relative_to(folder) for folder in allowed) for path in changed)
    assert tiny.undone() == set()


def test_an_option_that_no_result_depends_on_changes_nothing(tiny: Any) -> None:
    tiny.put("study.name=other", "extract.workers=1", "extract.part_samples=3")
    assert tiny.undone() == set()


def test_the_size_of_the_models_concerns_all_models_and_no_features(tiny: Any) -> None:
    tiny.put("model.embedding=8")
    states = tiny.states()
    assert {label.split()[0] for label, state in states.items() if state.kind == "done"} == {"extract"}
    assert states["train-teachers fold-0/seed-0 eda"].reason == "model.embedding was 6, is 8"
    assert states["align fold-0/seed-0 align"].reason == "teachers/face is stale"


def test_teachers_serve_whatever_modality_is_prevalent(tiny: Any) -> None:
    teachers = _bytes(tiny, "teachers/*/model.safetensors")
    tiny.put("modalities.face.role=privileged", "modalities.eda.role=prevalent")
    assert {label.split()[0] for label in tiny.undone()} == {"align", "distill", "evaluate"}
    tiny.do()
    assert tiny.undone() == set()
    assert _bytes(tiny, "teachers/*/model.safetensors") == teachers


def test_an_option_of_evaluation_concerns_evaluation(tiny: Any) -> None:
    tiny.put("evaluate.reference=kd")
    assert tiny.undone() == {"evaluate evaluation"}
    tiny.put("evaluate.reference=student-only")
    assert tiny.undone() == set()


def test_another_seed_or_method_adds_to_what_is_done(tiny: Any) -> None:
    tiny.put("study.seeds=[0, 5]")
    undone = tiny.undone()
    assert all("seed-5" in label for label in undone - {"evaluate evaluation"})
    assert len(undone) == 2 * (3 + 2 + 4) + 1
    tiny.put("study.seeds=[0]", 'distill.methods=["student-only", "kd"]')
    assert tiny.undone() == {"evaluate evaluation"}


@pytest.mark.parametrize("name", [MANIFEST, "model.safetensors", "history.jsonl"])
def test_a_file_that_is_gone_is_made_again(tiny: Any, name: str) -> None:
    student = tiny.run.student(1, 0, "pkdot")
    before = (student / "model.safetensors").read_bytes()
    (student / name).unlink()
    assert tiny.undone() == {"distill fold-1/seed-0 pkdot", "evaluate evaluation"}
    assert tiny.do("distill")[0] == 1
    assert (student / "model.safetensors").read_bytes() == before
    # What came out is what was there before, so nothing else has to be made.
    assert tiny.undone() == set()


def test_a_damaged_manifest_is_stale_and_mended_by_running_again(tiny: Any) -> None:
    (tiny.run.student(0, 0, "kd") / MANIFEST).write_text("{")
    assert "not a manifest" in tiny.states()["distill fold-0/seed-0 kd"].reason
    assert tiny.do("distill")[0] == 1
    assert tiny.undone() == set()


def test_the_bank_that_is_gone_is_made_again_the_same(tiny: Any) -> None:
    before = _bytes(tiny, "bank/*.parquet")
    shutil.rmtree(tiny.run.bank(0, 0))
    with pytest.raises(ArtifactError, match="needs align fold-0/seed-0 bank, which is missing") as caught:
        tiny.do("distill")
    assert "to do: mtpkd align " in str(caught.value)
    assert tiny.do("align")[0] == 1
    assert _bytes(tiny, "bank/*.parquet") == before
    assert tiny.undone() == set()


@pytest.mark.parametrize(
    ("stage", "command"),
    [("train-teachers", "extract"), ("align", "extract"), ("distill", "extract"), ("evaluate", "extract")],
)
def test_a_stage_before_its_turn_names_the_command_that_comes_first(
    tmp_path: Path, make_tiny: Callable[..., Any], stage: str, command: str
) -> None:
    tiny = make_tiny(tmp_path / "new")
    with pytest.raises(ArtifactError) as caught:
        tiny.do(stage)
    assert caught.value.exit_code == 3
    assert f"to do: mtpkd {command} {tiny.run.root}" in str(caught.value)
    # That the task failed, and why, is remembered in tasks.
    assert {path.name for path in tiny.run.root.iterdir()} <= {"study.toml", "tasks"}


def test_the_command_that_is_named_is_the_first_of_a_chain(tiny: Any) -> None:
    tiny.put("train.epochs=3")
    with pytest.raises(ArtifactError, match=r"train.epochs was 2, is 3") as caught:
        tiny.do("evaluate")
    assert "to do: mtpkd train-teachers" in str(caught.value)


def test_splits_are_frozen(tiny: Any) -> None:
    before = tiny.run.splits.read_bytes()
    tiny.put("data.split_seed=7")
    with pytest.raises(ArtifactError, match=r"frozen.*data.split_seed was 0, is 7") as caught:
        tiny.do("extract")
    assert "--overwrite" in str(caught.value)
    assert tiny.run.splits.read_bytes() == before
    tiny.do("extract", overwrite=True)
    assert tiny.run.splits.read_bytes() != before
    assert "train-teachers fold-0/seed-0 eda" in tiny.undone()


def test_splits_are_not_replaced_when_the_corpus_grows(tiny: Any, tiny_table: Callable[..., pd.DataFrame]) -> None:
    tiny_table(subjects=13).to_parquet(tiny.table)
    assert tiny.states()["extract samples"].reason == "corpus has changed"
    with pytest.raises(ArtifactError, match=r"frozen.*corpus has changed"):
        tiny.do("extract")


def test_a_broken_corpus_is_told_by_status_and_refused_by_extract(tiny: Any) -> None:
    tiny.table.write_text("no table")
    assert "cannot be read" in tiny.states()["extract samples"].reason
    with pytest.raises((ArtifactError, DataError), match="cannot be read"):
        tiny.do("extract")


def test_splits_that_are_damaged_can_be_mended_as_the_message_says(tiny: Any) -> None:
    tiny.run.splits.write_text("{")
    with pytest.raises(ArtifactError, match="delete it and mtpkd extract RUN --overwrite"):
        tiny.do("extract")
    tiny.run.splits.unlink()
    tiny.do("extract", overwrite=True)
    # Splits depend on the corpus and the study only, so all that was made from the old ones still holds.
    assert tiny.undone() == set()


def test_features_that_changed_in_place_are_read_again(tiny: Any, tiny_table: Callable[..., pd.DataFrame]) -> None:
    table = tiny_table()
    table.loc[5, "eda__f1"] += 0.5
    table.to_parquet(tiny.table)
    os.utime(tiny.table, ns=(1, 1))
    undone = tiny.undone()
    assert {"extract face", "extract eda", "train-teachers fold-0/seed-0 eda"} <= undone
    assert "extract samples" not in undone
    tiny.do("extract")
    # The face did not change, so what saw the face alone still holds.
    undone = tiny.undone()
    assert "train-teachers fold-0/seed-0 face" not in undone
    assert "train-teachers fold-0/seed-0 eda" in undone


def test_overwrite_makes_again_what_was_chosen(tiny: Any) -> None:
    before = _bytes(tiny, "*.safetensors")
    times = _times(tiny)
    made, _ = tiny.do("distill", choice=Choice(fold=1, name="kd"), overwrite=True)
    assert made == 1
    changed = {path.parent for path, time in _times(tiny).items() if times.get(path) != time}
    assert changed == {tiny.run.student(1, 0, "kd")}
    assert _bytes(tiny, "*.safetensors") == before


def test_folds_seeds_and_names_select(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "new")
    assert tiny.do("extract", choice=Choice(name="eda"))[0] == 2
    assert tiny.do("extract")[0] == 1
    assert tiny.do("train-teachers", choice=Choice(fold=1))[0] == 3
    assert tiny.do("train-teachers", choice=Choice(fold=1, seed=0, name="eda"))[0] == 0
    assert tiny.do("align", choice=Choice(fold=1))[0] == 2
    assert tiny.do("distill", choice=Choice(fold=1, name="kd"))[0] == 1
    assert tiny.do("distill", choice=Choice(fold=1, name=("kd", "student-only", "pkdot")))[0] == 2
    assert not tiny.run.repetition(0, 0).exists()


@pytest.mark.parametrize(
    ("stage", "choice", "message"),
    [
        ("distill", Choice(name="pkodt"), "there is no name pkodt; did you mean 'pkdot'"),
        ("distill", Choice(fold=2), "there is no fold 2"),
        ("train-teachers", Choice(seed=1), "there is no seed 1"),
        ("train-teachers", Choice(fold=0, name="kd"), "there is no fold 0, name kd"),
        ("extract", Choice(name="gsr"), "there is no name gsr"),
        ("distill", Choice(fold=(0, 1), name=("kd", "pkodt")), "there is no fold 0, name pkodt; did you mean 'pkdot'"),
        ("align", Choice(fold=(0, 7)), "there is no fold 7"),
        ("distill", Choice(fold=7, name="kd"), r"there is no fold 7, name kd\n"),
    ],
)
def test_a_selection_of_nothing_is_an_error_of_usage(tiny: Any, stage: str, choice: Choice, message: str) -> None:
    for jobs in (1, 2):
        with pytest.raises(StudyError, match=message) as caught:
            tiny.do(stage, choice=choice, jobs=jobs)
        assert caught.value.exit_code == 2
        assert "expected: one of: " in str(caught.value)


def test_an_error_keeps_what_was_there_and_leaves_no_half_result(tiny: Any) -> None:
    before = _bytes(tiny, "students/pkdot/*")
    tiny.put("distill.method.pkdot.anchors_k=500")
    with pytest.raises(StudyError, match="anchors_k = 500, but the smallest batch has"):
        tiny.do("distill")
    assert _bytes(tiny, "students/pkdot/*") == before
    assert not list(tiny.run.root.rglob(".*"))
    tiny.put("distill.method.pkdot.anchors_k=5")
    assert tiny.undone() == set()


def test_the_same_study_gives_the_same_bytes_elsewhere(
    finished: Any, tmp_path: Path, make_tiny: Callable[..., Any]
) -> None:
    again = make_tiny(tmp_path / "again")
    again.do()
    for pattern in ("*.safetensors", "*.parquet", "metrics.json", "splits.json", "history.jsonl"):
        assert _bytes(again, pattern) == _bytes(finished, pattern)
        assert _bytes(again, pattern)


@pytest.mark.slow
def test_folds_side_by_side_give_the_same_bytes(finished: Any, tiny: Any) -> None:
    made, notes = tiny.do("train-teachers", jobs=2, overwrite=True)
    assert made == 6
    assert [note for note in notes if "fold-1/seed-0 joint: done" in note]
    assert _bytes(tiny, "teachers/*/*.safetensors") == _bytes(finished, "teachers/*/*.safetensors")
    assert tiny.undone() == set()
