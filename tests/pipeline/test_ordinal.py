"""A study of classes in an order, from table to scores: heads, metrics, and what an order is refused for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.config.reading import parse_study, with_keys
from mtpkd_cli.errors import StudyError
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.models.heads import OrdinalHead
from mtpkd_cli.training.bank import tensor_of
from mtpkd_cli.training.checkpoints import load_model

METHODS = '["student-only", "kd", "mt-pkdot", "dkd"]'


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> Any:
    table = tiny_table()
    table["label"] = np.tile(["none", "some", "much"], len(table) // 3)
    options = 'options = { file = "table.parquet", classes = ["none", "some", "much"] }'
    changed = {
        'name = "tiny"': 'name = "tiny"\nordinal = true',
        'options = { file = "table.parquet" }': options,
        '["student-only", "kd", "pkdot", "mt-pkdot"]': METHODS,
    }
    tiny = make_tiny(tmp_path_factory.mktemp("ordinal") / "o", table, changed)
    tiny.do()
    return tiny


def test_every_head_is_ordinal_and_what_it_says_is_a_distribution(study: Any) -> None:
    run = study.run
    teacher, student = (
        load_model(run.teacher(0, 0, "joint"), Teacher)[0],
        load_model(run.student(0, 0, "kd"), Student)[0],
    )
    assert isinstance(teacher.head[1], OrdinalHead)
    assert isinstance(student.head[1], OrdinalHead)
    for name in ("face", "eda", "joint"):
        logits = tensor_of(read_parquet(run.bank(0, 0) / f"{name}.parquet").column("logits"))
        torch.testing.assert_close(logits.exp().sum(1), torch.ones(len(logits)), rtol=1e-4, atol=1e-4)
    table = read_parquet(run.student(0, 0, "mt-pkdot") / "predictions.parquet").to_pandas()
    np.testing.assert_allclose(np.stack(table["scores"]).sum(1), 1, atol=1e-5)


def test_its_scores_include_those_of_an_order(study: Any) -> None:
    content = json.loads((study.run.evaluation / "metrics.json").read_text())
    assert {"mae-levels", "qwk", "balanced-accuracy"} <= set(content["metrics"])
    assert content["outputs"] == ["none", "some", "much"]
    for row in content["methods"].values():
        assert 0 <= row["scores"]["mae-levels"]["value"] <= 2
        assert row["scores"]["mae-levels"]["low"] <= row["scores"]["mae-levels"]["high"]
    assert study.undone() == set()


def test_an_order_can_be_scored_with_a_plain_head_and_is_then_another_model(study: Any, tmp_path: Path) -> None:
    tiny = study.copy(tmp_path / "copy")
    tiny.put("model.classifier=softmax")
    assert {label.split()[0] for label in tiny.undone()} == {"train-teachers", "align", "distill", "evaluate"}
    assert "mae-levels" in study_metrics(tiny)


def study_metrics(tiny: Any) -> list[str]:
    from mtpkd_cli.pipeline import units_of

    metrics: list[str] = units_of(tiny.run, tiny.study)[-1].arguments["evaluate"].metrics
    return metrics


def test_a_study_without_order_has_none_of_it(finished: Any) -> None:
    assert not {"mae-levels", "qwk"} & set(study_metrics(finished))
    assert isinstance(load_model(finished.run.teacher(0, 0, "joint"), Teacher)[0].head[1], torch.nn.Linear)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["study.ordinal=true", "study.task=regression"], "study.ordinal = true: a regression has no classes"),
        (
            ["model.classifier=ordinal", "study.task=regression"],
            "model.classifier = 'ordinal': a regression has no classes",
        ),
        (['evaluate.metrics=["qwk"]'], "'qwk' is for classes in an order, which study.ordinal = true says"),
        (['evaluate.metrics=["rmse"]', "study.ordinal=true"], "'rmse' is not for study.task = 'classification'"),
    ],
)
def test_an_order_that_cannot_be_is_refused(finished: Any, assignments: list[str], message: str) -> None:
    text = finished.run.study.read_text()
    with pytest.raises(StudyError) as caught:
        with_keys(text, assignments, where="study")
    assert message in str(caught.value)
    ordered = with_keys(text, ["study.ordinal=true", 'evaluate.metrics=["qwk", "auroc"]'], where="study")[0]
    assert parse_study(ordered, where="study").network.classifier == "ordinal"
