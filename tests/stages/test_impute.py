"""Imputation baselines: the joint teacher called on imputed input, and blind to what is privileged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.models.imputed import ImputedTrunk
from mtpkd_cli.pipeline import Choice
from mtpkd_cli.training.bank import tensor_of
from mtpkd_cli.training.checkpoints import load_model, read_weights
from mtpkd_cli.training.data import read_data
from mtpkd_cli.training.splits import read_folds
from mtpkd_cli.training.teachers import apply

METHODS = ("zero-imputation", "mean-imputation")


@pytest.fixture(scope="module")
def imputed(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The finished study with both baselines beside student-only."""
    tiny = finished.copy(tmp_path_factory.mktemp("imputed") / "copy")
    tiny.put('distill.methods=["student-only", "zero-imputation", "mean-imputation"]', "student.balanced=false")
    tiny.do("distill", "evaluate")
    return tiny


def tuned_teacher(tiny: Any) -> Teacher:
    """The joint teacher with the weights that alignment tuned, as the bank's `joint` column comes from."""
    teacher = load_model(tiny.run.teacher(0, 0, "joint"), Teacher)[0]
    weights = read_weights(tiny.run.align(0, 0) / "alignment.safetensors")
    teacher.load_state_dict({name[6:]: tensor for name, tensor in weights.items() if name.startswith("joint.")})
    return teacher


def predicted(tiny: Any, method: str) -> pd.DataFrame:
    return read_parquet(tiny.run.student(0, 0, method) / "predictions.parquet").to_pandas()


@pytest.mark.parametrize("method", METHODS)
def test_it_is_the_joint_teacher_on_imputed_input(imputed: Any, method: str) -> None:
    run, table = imputed.run, predicted(imputed, method)
    data = read_data(run.samples, {name: run.features(name) for name in ("face", "eda")}, "cpu")
    train = data.rows(read_folds(run.splits)[0].train)
    values, mask = data.sequences["eda"]
    constant = torch.zeros(3) if method == "zero-imputation" else values[train].mean((0, 1))
    data.sequences["eda"] = constant.expand(*values.shape).clone(), torch.ones_like(mask)
    rows = torch.from_numpy(pd.Index(data.samples["sample_id"]).get_indexer(table["sample_id"]))
    output = apply(tuned_teacher(imputed), data, ["face", "eda"], rows)
    np.testing.assert_allclose(np.stack(table["scores"]), torch.softmax(output.logits, 1).numpy(), atol=1e-5)
    np.testing.assert_allclose(np.stack(table["embedding"]), output.embedding.numpy(), atol=1e-5)
    bank = read_parquet(run.bank(0, 0) / "joint.parquet")
    assert not torch.allclose(output.logits, tensor_of(bank.column("logits"))[rows], atol=1e-3)


def test_the_two_say_different_things(imputed: Any) -> None:
    zero, mean = (np.stack(predicted(imputed, method)["scores"]) for method in METHODS)
    assert np.abs(zero - mean).max() > 1e-3


def test_what_is_privileged_does_not_matter_at_test(
    imputed: Any, tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    table = tiny_table()
    tested = table["subject"].isin(read_folds(imputed.run.splits)[0].test)
    privileged = [column for column in table if column.startswith("eda__")]
    table.loc[tested, privileged] = np.random.default_rng(0).normal(40, 100, (int(tested.sum()), len(privileged)))
    table.loc[table.index[tested][:3], privileged] = np.nan
    other = make_tiny(tmp_path / "other", table)
    other.put('distill.methods=["student-only", "zero-imputation", "mean-imputation"]', "student.balanced=false")
    for stage in ("extract", "train-teachers", "align", "distill"):
        other.do(stage, choice=None if stage == "extract" else Choice(fold=0))
    for method in METHODS:
        pd.testing.assert_frame_equal(predicted(other, method), predicted(imputed, method))


@pytest.mark.parametrize("method", METHODS)
def test_it_is_kept_loaded_and_scored_like_a_student(imputed: Any, method: str) -> None:
    student, about = load_model(imputed.run.student(0, 0, method), Student)
    assert about.modalities == student.trunk.modalities == ["face"]
    assert isinstance(student.trunk, ImputedTrunk)
    x = torch.randn(5, 1, 5)
    batch = {"face": (x, torch.ones(5, 1, dtype=torch.bool))}
    together = student(batch).logits
    alone = torch.cat([student({"face": (x[i : i + 1], batch["face"][1][:1])}).logits for i in range(5)])
    torch.testing.assert_close(alone, together)
    row = json.loads((imputed.run.evaluation / "metrics.json").read_text())["methods"][method]
    assert row["scored"] == 72
    assert row["differences"]["auroc"]["value"] is not None
    assert imputed.undone() == set()


def test_it_is_made_again_when_the_alignment_changes_and_not_when_distillation_does(
    imputed: Any, tmp_path: Path
) -> None:
    tiny = imputed.copy(tmp_path / "copy")
    tiny.put("distill.epochs=1")
    assert not [label for label in tiny.undone() if "imputation" in label]
    tiny.put("align.epochs=1")
    assert len([label for label in tiny.undone() if "imputation" in label]) == 4


def test_an_absent_modality_stands_for_as_many_steps_as_the_median_sample_has() -> None:
    trunk = ImputedTrunk(["face"], {"eda": (2, 4), "face": (3, 9)}, embedding=4, heads=2, dropout=0.0).eval()
    trunk.fill("eda").copy_(torch.tensor([1.0, -2.0]))
    full = trunk.completed({"face": (torch.randn(5, 3, 3), torch.ones(5, 3, dtype=torch.bool)), "other": None})
    assert list(full) == ["face", "eda"]
    values, mask = full["eda"]
    assert values.shape == (5, 4, 2)
    assert mask.all()
    assert (values == torch.tensor([1.0, -2.0])).all()
    restored = ImputedTrunk(["face"], {"eda": (2, 4), "face": (3, 9)}, embedding=4, heads=2, dropout=0.0)
    restored.load_state_dict(trunk.state_dict())
    assert torch.equal(restored.fill("eda"), torch.tensor([1.0, -2.0]))
