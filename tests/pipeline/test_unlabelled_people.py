"""People whose recordings nobody labelled, through all stages: classes, classes in an order, and targets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.evaluation.summary import read_summary
from mtpkd_cli.training.splits import read_folds

ROOT = 'root = "../data"'
TEACH = {ROOT: f'{ROOT}\nunlabelled = "teach"', '["student-only", "kd", "pkdot", "mt-pkdot"]': "METHODS"}
EVERY = [
    "student-only",
    "kd",
    "mt-kd",
    "generalised-distillation",
    "pkdot",
    "mt-pkdot",
    "self",
    "placebo",
    "dkd",
    "rkd",
]
EVERY += ["sp", "pkt", "sm", "crd", "cosine", "fitnet", "label-structure", "random-teacher", "mt-pkdot-released"]
WITHOUT = ["p02", "p07", "p11"]


def study_of(methods: list[str], extra: dict[str, str] | None = None) -> dict[str, str]:
    names = ", ".join(f'"{name}"' for name in methods)
    return TEACH | {'["student-only", "kd", "pkdot", "mt-pkdot"]': f"[{names}]"} | (extra or {})


def without_labels(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The labels of some people are gone, and of one recording of everybody else."""
    table = table.copy()
    table[column] = table[column].astype(object)
    table.loc[table["subject"].isin(WITHOUT) | table["sample_id"].str.endswith("-0"), column] = None
    return table


def fits_of(tiny: Any) -> dict[str, Any]:
    """What a fit wrote, but manifests."""
    return {
        name: content
        for name, content in tiny.artifacts().items()
        if name.startswith(("fold-", "evaluation/predictions")) and not name.endswith("manifest.json")
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "ordered", "targets"])
def test_they_teach_are_never_scored_and_move_every_method_that_listens(
    make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame], tmp_path: Path, kind: str
) -> None:
    table, column = tiny_table(), "valence" if kind == "targets" else "label"
    options = '{ file = "table.parquet" }'
    extra: dict[str, str] = {}
    if kind == "targets":
        extra |= {
            options: '{ file = "table.parquet", targets = ["valence"] }',
            'name = "tiny"': 'task = "regression"\nname = "tiny"',
        }
    if kind == "ordered":
        extra |= {'name = "tiny"': 'ordinal = true\nname = "tiny"'}
    methods = [name for name in EVERY if name != "mt-pkdot-released"]  # whose 31 samples a batch does not have
    tiny = make_tiny(tmp_path / "with", without_labels(table, column), study_of(methods, extra))
    tiny.do()
    assert tiny.undone() == set()
    samples, folds = read_parquet(tiny.run.samples).to_pandas(), read_folds(tiny.run.splits)
    assert all(fold.unlabelled == WITHOUT for fold in folds)
    scored = set(read_parquet(tiny.run.evaluation / "predictions.parquet").column("sample_id").to_pylist())
    labelled = {name for name in samples["sample_id"] if name[:3] not in WITHOUT and not name.endswith("-0")}
    assert scored == labelled
    summary = read_summary(tiny.run.evaluation)
    assert np.isfinite(summary.methods["mt-pkdot"].scores[summary.headline].value)
    skipped = make_tiny(
        tmp_path / "skipped",
        without_labels(table, column),
        study_of(methods, extra | {ROOT: f'{ROOT}\nunlabelled = "skip"'}),
    )
    skipped.do("extract", "train-teachers", "align", "distill")
    one, other = fits_of(tiny), fits_of(skipped)
    same = {
        name
        for name in methods
        if one[f"fold-0/seed-0/students/{name}/model.safetensors"]
        == other[f"fold-0/seed-0/students/{name}/model.safetensors"]
    }
    assert same == set()


def test_recordings_without_labels_of_tested_and_validation_people_are_used_by_nobody(
    make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    """Their features are poisoned: nothing that is fitted, predicted or scored is another one."""
    table = without_labels(tiny_table(), "label")
    study = study_of(["student-only", "kd", "mt-pkdot", "self", "placebo"])
    honest = make_tiny(tmp_path / "honest", table, study)
    honest.do()
    fold = read_folds(honest.run.splits)[0]
    poisoned_table = table.copy()
    aside = table["subject"].isin([*fold.test, *fold.validation]) & table["label"].isna()
    assert aside.sum() == len(fold.test) + len(fold.validation)
    columns = [name for name in table if "__" in name]
    poisoned_table.loc[aside, columns] = 1e6
    poisoned = make_tiny(tmp_path / "poisoned", poisoned_table, study)
    poisoned.do()
    one, other = (
        {name: content for name, content in fits_of(tiny).items() if name.startswith("fold-0/")}
        for tiny in (honest, poisoned)
    )
    assert one
    assert one == other
