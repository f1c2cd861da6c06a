"""Distillation reads what teachers say of training and validation samples, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.pipeline import Choice, units_of
from mtpkd_cli.pipeline.candidates import candidates_of
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Job, distill
from mtpkd_cli.training import tries
from mtpkd_cli.training.bank import fixed_lists, tensor_of


def _spoil(path: Path, parts: tuple[str, ...], value: float) -> int:
    """Fills every number of a teacher's rows of some parts with a value; returns how many rows."""
    rows = torch.from_numpy(np.isin(pq.read_table(path).column("part").to_pylist(), parts))
    _change(path, lambda values: torch.where(rows[:, None], value, values), "embedding", "logits", "crossfit_logits")
    return int(rows.sum())


def _change(path: Path, change: Callable[[Tensor], Tensor], *columns: str) -> None:
    """Changes columns of what a teacher says, each an (N, ...) tensor."""
    table = pq.read_table(path)
    for key in columns:
        changed = fixed_lists(change(tensor_of(table.column(key))))
        table = table.set_column(table.column_names.index(key), key, changed)
    pq.write_table(table, path)


def _student(tiny: Any, method: str, out: Path) -> dict[str, bytes]:
    units = units_of(tiny.run, tiny.study)
    [unit] = [unit for unit in units if unit.label == f"distill fold-0/seed-0 {method}"]
    out.mkdir()
    distill.build(out, Job(Collected()), **unit.arguments)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.mark.parametrize("method", ["kd", "pkdot", "mt-pkdot"])
def test_rows_of_the_test_part_are_never_read(tiny: Any, tmp_path: Path, method: str) -> None:
    before = _student(tiny, method, tmp_path / "before")
    for value in (float("nan"), 1e30):
        for path in tiny.run.bank(0, 0).glob("*.parquet"):
            assert _spoil(path, ("test",), value) == 36
        assert _student(tiny, method, tmp_path / f"after-{value}") == before


@pytest.mark.parametrize("method", ["kd", "pkdot", "mt-pkdot"])
def test_rows_of_the_training_part_are_what_teaches(tiny: Any, tmp_path: Path, method: str) -> None:
    tiny.put("distill.guard=false")
    before = _student(tiny, method, tmp_path / "before")
    for path in tiny.run.bank(0, 0).glob("*.parquet"):
        _change(path, lambda values: -values.flip(0), "embedding", "logits", "crossfit_logits")
    after = _student(tiny, method, tmp_path / "after")
    assert after["model.safetensors"] != before["model.safetensors"]


def test_the_student_alone_hears_no_teacher(tiny: Any, tmp_path: Path) -> None:
    before = _student(tiny, "student-only", tmp_path / "before")
    for path in tiny.run.bank(0, 0).glob("*.parquet"):
        _spoil(path, ("train", "validation", "test"), 7.0)
    assert _student(tiny, "student-only", tmp_path / "after") == before


def test_privileged_features_are_not_opened(tiny: Any, tmp_path: Path) -> None:
    before = _student(tiny, "mt-pkdot", tmp_path / "before")
    for path in tiny.run.features("eda").glob("*.parquet"):
        path.write_bytes(b"nothing to read")
    assert _student(tiny, "mt-pkdot", tmp_path / "after") == before


def test_predictions_cover_validation_and_test_once(finished: Any) -> None:
    rows = read_parquet(finished.run.student(0, 0, "kd") / "predictions.parquet").to_pandas()
    bank: pa.Table = read_parquet(finished.run.bank(0, 0) / "joint.parquet")
    parts = dict(zip(bank.column("sample_id").to_pylist(), bank.column("part").to_pylist(), strict=True))
    assert rows["sample_id"].is_unique
    assert dict(zip(rows["sample_id"], rows["part"], strict=True)) == {s: p for s, p in parts.items() if p != "train"}
    assert {len(row) for row in rows["scores"]} == {2}
    assert {len(row) for row in rows["embedding"]} == {6}


def test_the_guard_keeps_the_student_that_knows_no_teacher_where_teachers_do_harm(tiny: Any, tmp_path: Path) -> None:
    tiny.put("student.init=scratch", "distill.epochs=8", "distill.learning_rate=0.01")
    tiny.put("distill.method.mt-pkdot.task_weight=0.0")
    for path in tiny.run.bank(0, 0).glob("*.parquet"):
        _change(path, lambda logits: -9 * logits, "logits", "crossfit_logits")  # sure of the opposite
    kept = _student(tiny, "mt-pkdot", tmp_path / "kept")
    alone = _student(tiny, "student-only", tmp_path / "alone")
    about = json.loads(kept["model.json"])
    assert about["chosen"]["method"] == "student-only"
    assert [tried["method"] for tried in about["tried"]] == ["student-only", "mt-pkdot"]
    assert about["tried"][0]["validation_loss"] <= about["tried"][1]["validation_loss"]
    assert kept["model.safetensors"] == alone["model.safetensors"]


def test_the_guards_students_are_fitted_once(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.put("distill.candidates=2", 'distill.methods=["student-only", "kd", "mt-pkdot", "self"]')
    fits: list[str] = []
    fit = tries.fit_student

    def counted(*arguments: Any, **options: Any) -> Any:
        fits.append(arguments[3].__module__.split(".")[-1])
        return fit(*arguments, **options)

    monkeypatch.setattr(tries, "fit_student", counted)
    apart = {method: _student(tiny, method, tmp_path / method) for method in ("mt-pkdot", "self")}
    assert fits == [*["student_only"] * 2, *["mt_pkdot"] * 2, *["student_only"] * 2, *["self"] * 2]
    fits.clear()
    tiny.do("distill", overwrite=True)
    each = [*["student_only"] * 2, *["kd"] * 2, *["mt_pkdot"] * 2, *["self"] * 2]
    assert fits == each * (len(fits) // len(each))
    for method, files in apart.items():
        folder = tiny.run.student(0, 0, method)
        assert {name: (folder / name).read_bytes() for name in files} == files
    # One that another process is just replacing is fitted here, to the same end.
    fits.clear()
    (tiny.run.student(0, 0, "student-only") / "model.json").rename(tmp_path / "model.json")
    [unit] = [unit for unit in units_of(tiny.run, tiny.study) if unit.label == "distill fold-0/seed-0 self"]
    (tmp_path / "out").mkdir()
    distill.build(tmp_path / "out", Job(Collected()), **unit.arguments, **unit.spares)
    assert fits == [*["student_only"] * 2, *["self"] * 2]
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == apart["self"]["model.safetensors"]
    (tmp_path / "model.json").rename(tiny.run.student(0, 0, "student-only") / "model.json")
    # A student of the guard that is stale, or of other settings, is none that could be taken.
    fits.clear()
    tiny.put("distill.learning_rate=0.003")
    tiny.do("distill", choice=Choice(0, 0, "mt-pkdot"))
    assert fits == [*["student_only"] * 2, *["mt_pkdot"] * 2]


def test_without_the_guard_a_method_keeps_its_own_student(tiny: Any, tmp_path: Path) -> None:
    tiny.put("distill.guard=false", "distill.method.mt-pkdot.task_weight=0.0")
    about = json.loads(_student(tiny, "mt-pkdot", tmp_path / "kept")["model.json"])
    assert about["chosen"]["method"] == "mt-pkdot"
    assert len(about["tried"]) == 1


def test_every_method_tries_as_many_students_and_the_first_is_the_studys_own(tiny: Any) -> None:
    tiny.put("distill.guard=false", "distill.candidates=3", "distill.learning_rate=0.002")
    tried = {method: candidates_of(tiny.study, method) for method in tiny.study.distill.methods}
    assert {len(candidates) for candidates in tried.values()} == {3}
    for key in ("fit", "sizes"):
        assert len({json.dumps([getattr(one, key) for one in candidates]) for candidates in tried.values()}) == 1
    assert [candidates[0].fit["learning_rate"] for candidates in tried.values()] == [0.002] * 4
    assert len({json.dumps(one.fit) for one in tried["student-only"]}) == 3
    assert tried["kd"][0].options["temperature"] == METHODS.options("kd")["temperature"]


def test_of_several_tries_the_one_that_validation_subjects_like_best_is_kept(tiny: Any, tmp_path: Path) -> None:
    tiny.put("distill.candidates=4", "distill.epochs=1")
    about = json.loads(_student(tiny, "student-only", tmp_path / "kept")["model.json"])
    losses = [one["validation_loss"] for one in about["tried"]]
    assert len(losses) == 4
    best = about["tried"][losses.index(min(losses))]
    assert about["chosen"] == {key: best[key] for key in about["chosen"]}
    assert about["arguments"]["dropout"] == best["sizes"]["dropout"]


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_small_students_hear_teachers_too(tiny: Any, tmp_path: Path, kind: str) -> None:
    tiny.put("distill.guard=false", f"student.kind={kind}")
    kept = {method: _student(tiny, method, tmp_path / method) for method in ("student-only", "kd", "mt-pkdot")}
    assert json.loads(kept["kd"]["model.json"])["arguments"]["kind"] == kind
    assert len({files["model.safetensors"] for files in kept.values()}) == 3
