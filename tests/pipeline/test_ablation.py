"""Ablations: cells over the run's own bank, nothing of the run touched, keys that mean nothing refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.evaluation.ablation import read_ablation
from mtpkd_cli.pipeline import Choice
from mtpkd_cli.pipeline.ablation import cells_of, score_cells, train_cells
from mtpkd_cli.pipeline.grid import swept_values
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Extraction, Job

OVER = ["distill.anchors=least,shared", "distill.selection=batch,sample"]


def _job(tiny: Any) -> Job:
    return Job(Collected(), extraction=Extraction(root=tiny.run.data_root(tiny.study.data.root)))


def _files(root: Path) -> dict[str, bytes]:
    """Every file of a run folder but those of its ablations."""
    kept = [p for p in sorted(root.rglob("*")) if p.is_file() and "ablation" not in p.relative_to(root).parts]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in kept}


def _fell_back(run: RunFolder, fold: int) -> bool:
    about = json.loads((run.student(fold, 0, "mt-pkdot") / "model.json").read_text())
    return bool(about["chosen"]["method"] != "mt-pkdot")


def test_a_grid_is_read_with_the_commas_of_values_left_alone() -> None:
    grid = swept_values(
        ["distill.method.kd.temperature=1,2.5", 'student.x=[1, 2],"a,b",{c = 1, d = "]"}', "student.y=q"]
    )
    assert grid == {
        "distill.method.kd.temperature": ["1", "2.5"],
        "student.x": ["[1, 2]", '"a,b"', '{c = 1, d = "]"}'],
        "student.y": ["q"],
    }


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (["distill.anchors"], "not KEY=V1,V2"),
        (["distill.anchors=least,"], "not KEY=V1,V2"),
        (["distill.anchors=least,least"], "names a value twice"),
        (["distill.anchors=least", "distill.anchors=most"], "names a key twice"),
        (["align.loss=mse,kl"], "only students are trained anew"),
        (["study.seeds=[0],[1]"], "only students are trained anew"),
        (["distill.methods=[1],[2]"], "an ablation is of one method"),
    ],
)
def test_what_cannot_be_swept_is_refused_with_the_reason(over: list[str], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        swept_values(over)


@pytest.mark.parametrize(
    ("method", "over", "message"),
    [
        ("mt-pkdot", "distill.anchorz=least,most", "did you mean 'anchors'"),
        ("mt-pkdot", "distill.anchors=least,mots", "'least', 'most'"),
        ("mt-pkdot", "distill.method.mt-pkdot.temprature=1.0,2.0", "did you mean 'temperature'"),
        ("mt-pkdott", "distill.anchors=least,most", "did you mean 'mt-pkdot'"),
        ("kd", "distill.anchors=least,most", "kd does not read distill.anchors"),
        ("mt-pkdot", "distill.method.kd.temperature=1.0,2.0", "mt-pkdot does not read distill.method.kd.temperature"),
    ],
)
def test_a_key_that_means_nothing_is_told(finished: Any, method: str, over: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        cells_of(finished.run, method, [over], "x")
    assert message in str(caught.value)
    assert not (finished.run.root / "ablation").exists()


def test_what_the_method_itself_tries_is_not_swept_at_the_same_time(tiny: Any) -> None:
    tiny.put("distill.candidates=2")
    over = ["distill.method.kd.temperature=1.0,2.0"]
    with pytest.raises(StudyError, match=r"kd tries values of its own for it(?s:.*)--over distill.candidates=1"):
        cells_of(tiny.run, "kd", over, "x")
    cells = cells_of(tiny.run, "kd", [*over, "distill.candidates=1"], "x")
    assert [cell.study.distill.candidates for cell in cells] == [1, 1]


def test_cells_are_studies_of_their_own_in_folders_of_their_own(finished: Any) -> None:
    cells = cells_of(finished.run, "mt-pkdot", OVER, "x")
    assert [cell.name for cell in cells] == [
        "anchors=least,selection=batch",
        "anchors=least,selection=sample",
        "anchors=shared,selection=batch",
        "anchors=shared,selection=sample",
    ]
    assert [(cell.study.distill.anchors, cell.study.distill.selection) for cell in cells[1:3]] == [
        ("least", "sample"),
        ("shared", "batch"),
    ]
    folders = {cell.run.student(1, 0, "mt-pkdot") for cell in cells}
    assert len(folders) == 4
    assert all(folder.is_relative_to(finished.run.root / "ablation" / "x") for folder in folders)
    assert {cell.run.bank(1, 0) for cell in cells} == {finished.run.bank(1, 0)}
    warm = cells_of(finished.run, "kd", ["distill.method.kd.temperature=1,2.5"], "x")
    assert [cell.study.distill.method["kd"]["temperature"] for cell in warm] == [1, 2.5]


def test_an_ablation_trains_scores_and_touches_nothing_of_the_run(tiny: Any) -> None:
    before = _files(tiny.run.root)
    cells = cells_of(tiny.run, "mt-pkdot", OVER[:1], "x")
    job = _job(tiny)
    assert train_cells(cells, "mt-pkdot", Choice(fold=1), job) == 2
    with pytest.raises(ArtifactError, match="missing"):
        score_cells(tiny.run, tiny.study, cells, "mt-pkdot", "x", job)
    assert train_cells(cells, "mt-pkdot", Choice(), job) == 2
    assert train_cells(cells, "mt-pkdot", Choice(), job) == 0
    score_cells(tiny.run, tiny.study, cells, "mt-pkdot", "x", job)
    table = read_ablation(tiny.run, "x").plain()
    assert _files(tiny.run.root) == before
    assert tiny.undone() == set()
    assert any(note.startswith("anchors=least: distill fold-0/seed-0 mt-pkdot: done") for note in job.reporter.notes)

    assert json.loads((tiny.run.root / "ablation/x/ablation.json").read_text()) == table
    assert (table["reference"], table["first"]) == ("student-only", "anchors=least")
    rows = {row["cell"]: row for row in table["cells"]}
    assert list(rows) == ["student-only", "anchors=least", "anchors=shared"]
    assert [row["fell_back"] for row in table["cells"]] == [
        json.loads((tiny.run.evaluation / "metrics.json").read_text())["methods"]["student-only"]["fell_back"],
        *(sum(_fell_back(cell.run, fold) for fold in (0, 1)) for cell in cells),
    ]
    study = json.loads((tiny.run.evaluation / "metrics.json").read_text())["methods"]["student-only"]["scores"]
    assert rows["student-only"]["scores"]["auroc"] == study["auroc"]
    for name, row in rows.items():
        value = row["scores"]["auroc"]["value"]
        for key, base in (("from_reference", "student-only"), ("from_first", "anchors=least")):
            if name == base:
                assert row[key] == {}
            else:
                gain = value - rows[base]["scores"]["auroc"]["value"]
                assert row[key]["auroc"]["value"] == pytest.approx(gain)
                assert row[key]["auroc"]["low"] <= gain <= row[key]["auroc"]["high"]

    # What a cell scores is what its own predictions say.
    predictions = [
        read_parquet(cells[1].run.student(fold, 0, "mt-pkdot") / "predictions.parquet").to_pandas() for fold in (0, 1)
    ]
    labels = read_parquet(tiny.run.samples).to_pandas().set_index("sample_id")["label"]
    right = []
    for predicted in predictions:
        part = predicted[predicted["part"] == "test"]
        right.append(np.mean(np.stack(part["scores"]).argmax(1) == labels[part["sample_id"]].to_numpy()))
    assert rows["anchors=shared"]["scores"]["accuracy"]["value"] == pytest.approx(np.mean(right))


def test_a_cell_with_the_study_s_own_values_is_the_study_s_own_student(tiny: Any) -> None:
    tiny.put("distill.guard=false")
    tiny.do("distill", choice=Choice(fold=0, name="mt-pkdot"))
    cells = cells_of(tiny.run, "mt-pkdot", ["distill.anchors_k=5,6"], "x")
    train_cells(cells, "mt-pkdot", Choice(fold=0), _job(tiny))
    weights = [run.student(0, 0, "mt-pkdot") / "model.safetensors" for run in (tiny.run, cells[0].run, cells[1].run)]
    study, same, other = (path.read_bytes() for path in weights)
    assert study == same != other


def test_a_cell_is_stale_when_the_study_or_the_bank_changes(tiny: Any) -> None:
    over = ["distill.method.kd.temperature=1.0,2.0"]
    train_cells(cells_of(tiny.run, "kd", over, "x"), "kd", Choice(fold=0), _job(tiny))
    tiny.put("distill.epochs=1")
    cells, job = cells_of(tiny.run, "kd", over, "x"), _job(tiny)
    assert train_cells(cells, "kd", Choice(fold=0), job) == 2
    assert any("epochs was 2, is 1" in note for note in job.reporter.notes)
    tiny.put("align.epochs=1")
    with pytest.raises(ArtifactError, match="mtpkd align") as caught:
        train_cells(cells_of(tiny.run, "kd", over, "x"), "kd", Choice(fold=0), job)
    assert caught.value.exit_code == 3


def test_without_the_reference_student_cells_are_compared_with_the_first(tiny: Any) -> None:
    cells, job = cells_of(tiny.run, "kd", ["distill.method.kd.temperature=1.0,2.0"], "x"), _job(tiny)
    train_cells(cells, "kd", Choice(), job)
    (tiny.run.student(0, 0, "student-only") / "manifest.json").unlink()
    score_cells(tiny.run, tiny.study, cells, "kd", "x", job)
    table = read_ablation(tiny.run, "x").plain()
    assert table["reference"] is None
    assert [row["cell"] for row in table["cells"]] == ["temperature=1.0", "temperature=2.0"]
    assert table["cells"][1]["from_reference"] == {}
    assert set(table["cells"][1]["from_first"]) == set(table["metrics"])
    assert any("student-only is not up to date" in note for note in job.reporter.notes)


def test_a_branch_moves_students_and_evaluation_alone(tmp_path: Path) -> None:
    run, branch = RunFolder(tmp_path), RunFolder(tmp_path, "ablation/a/b")
    assert branch.student(0, 1, "kd") == tmp_path / "ablation/a/b/fold-0/seed-1/students/kd"
    assert branch.evaluation == tmp_path / "ablation/a/b/evaluation"
    for name in ("study", "samples", "splits"):
        assert getattr(run, name) == getattr(branch, name)
    assert run.teacher(0, 1, "x") == branch.teacher(0, 1, "x")
    assert run.bank(0, 1) == branch.bank(0, 1)


@pytest.mark.slow
def test_the_command_prints_a_table_and_json(tiny: Any, mtpkd: Any) -> None:
    call = ["ablate", tiny.run.root, "--over", "distill.anchors_k=4,5", "--device", "cpu"]
    part = mtpkd(*call, "--fold", 0, "--jobs", 1)
    assert (part.returncode, part.stdout) == (0, ""), part.stderr
    assert "2 students trained" in part.stderr
    done = mtpkd(*call, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert "2 students trained" in done.stderr
    assert "anchors_k=4: distill fold-1/seed-0 mt-pkdot: done" in done.stderr
    table = tiny.run.root / "ablation" / "mt-pkdot-by-anchors_k" / "ablation.json"
    assert "student-only" in done.stdout
    assert [line.split("│")[1].strip() for line in done.stdout.splitlines() if "│" in line] == [
        "student-only",
        "4",
        "5",
    ]
    assert f"table: {table}" in done.stdout
    again = mtpkd(*call, "--json", "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout) == json.loads(table.read_text())
    wrong = mtpkd("ablate", tiny.run.root, "--over", "distill.anchors=least,most", "--name", "../x")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr
