"""Recordings without a label of people who validate or are tested reach nothing: a poison in them changes no result."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.library import evaluate, export
from mtpkd_cli.pipeline.parallel import Collected

SIDES = {"p00": "test", "p01": "test", "p02": "test", "p03": "validation", "p04": "validation"}
ASIDE = {"p00-1", "p01-4", "p03-2", *(f"p02-{i}" for i in range(6))}
"""p02 is on the test side of the corpus and has no label at all."""
TEACHING = {"p05-0", "p07-3", *(f"p11-{i}" for i in range(6))}
STUDY = {
    'root = "../data"\nfolds = 2\noptions = { file = "table.parquet" }': 'root = "../data"\nsplit = "official"\n'
    'unlabelled = "teach"\noptions = { file = "table.parquet", split_column = "side" }',
    'methods = ["student-only", "kd", "pkdot", "mt-pkdot"]': 'methods = ["student-only", "kd", "mt-pkdot"]',
}
RESULTS = ("predictions.parquet", "metrics.json", "subjects.parquet", "classical.json", "corruption.json")


def _table(table: pd.DataFrame, poisoned: bool) -> pd.DataFrame:
    table["side"] = table["subject"].map(SIDES).fillna("train")
    without = table["sample_id"].isin(ASIDE | TEACHING)
    table["label"] = table["label"].map({0: "calm", 1: "pain"}).mask(without, None)
    if poisoned:
        features = [name for name in table if "__" in name]
        aside = table["sample_id"].isin(ASIDE)
        table.loc[aside, features] = 1e3 * np.random.default_rng(1).normal(size=(int(aside.sum()), len(features)))
    return table


@pytest.mark.slow
@pytest.mark.parametrize("normalise", ["training", "subject"])
def test_what_is_set_aside_reaches_no_result(
    normalise: str,
    tmp_path: Path,
    make_tiny: Callable[..., Any],
    tiny_table: Callable[..., Any],
    only: Callable[..., None],
) -> None:
    only()
    results = []
    for poisoned in (False, True):
        study = STUDY | {"embedding = 6": f'embedding = 6\nnormalise = "{normalise}"'}
        tiny = make_tiny(tmp_path / str(poisoned), _table(tiny_table(), poisoned), study)
        tiny.do()
        evaluate(tiny.run.root, classical=True, corrupt=True, reporter=Collected())
        made = tiny.artifacts()
        results.append({name: made[name] for name in made if name.rpartition("/")[2] in RESULTS})
        scored = pd.read_parquet(tiny.run.evaluation / "predictions.parquet")
        assert set(scored["sample_id"]) == {f"{who}-{i}" for who in ("p00", "p01") for i in range(6)} - ASIDE
        assert set(scored["label_name"]) == {"calm", "pain"}
    assert len(results[0]) == 8
    assert results[0] == results[1]
    _counted_everywhere(tiny)


def _counted_everywhere(tiny: Any) -> None:
    """In the report, in the model card and in the student's description: 8 recordings teach, 9 are set aside."""
    report = (tiny.run.evaluation / "report.html").read_text()
    card = export(tiny.run.root, "torchscript", method="mt-pkdot", output=tiny.root / "card").folder / "MODEL_CARD.md"
    for text in (report, card.read_text()):
        assert "55 samples of 10 people have labels, 17 have none" in text
        assert "8 samples of 3 people teach without a label in a fold" in text
        assert "9 samples of 4 people have no label and are set aside in a fold" in text
    assert "calm, " in card.read_text()
    assert "from what teachers say of 8 without one" in card.read_text()
    about = json.loads((tiny.run.student(0, 0, "student-only") / "model.json").read_text())
    assert about["recordings"] == {"labelled": 34, "unlabelled": 0}
    about = json.loads((tiny.run.student(0, 0, "kd") / "model.json").read_text())
    assert about["recordings"] == {"labelled": 34, "unlabelled": 8}
