"""What evaluation writes: tests against reference and control, thresholds of validation subjects, classes, targets."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli import metrics
from mtpkd_cli.cli.tables import print_gains
from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.summary import Summary
from mtpkd_cli.registry import METRICS


def summary_of(study: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((study.run.evaluation / "metrics.json").read_text())
    return content


def test_differences_have_p_and_students_a_corrected_one(finished: Any) -> None:
    rows = summary_of(finished)["methods"]
    for method, row in rows.items():
        for versus in row["differences"].values():
            assert 0 < versus["p"] <= 1
            assert versus["from"] == "student-only"
            assert (versus["p_holm"] is None) == method.startswith("teacher ")
    assert rows["student-only"]["differences"] == {}
    assert "permutation test over 12 subjects, 2001 random exchanges" in summary_of(finished)["test"]


def test_the_threshold_is_that_of_validation_subjects(finished: Any) -> None:
    row = summary_of(finished)["methods"]["kd"]
    labels = pd.read_parquet(finished.run.samples).set_index("sample_id")["label"]
    tuned = []
    for fold in (0, 1):
        table = pd.read_parquet(finished.run.student(fold, 0, "kd") / "predictions.parquet")
        validation, test = (table[table["part"] == part] for part in ("validation", "test"))
        assert not set(validation["subject"]) & set(test["subject"])
        threshold = metrics.best_threshold(labels[validation["sample_id"]].to_numpy(), np.stack(validation["scores"]))
        assert row["thresholds"][f"fold-{fold}/seed-0"] == threshold
        predicted = np.stack(test["scores"])[:, 1].astype(float) > threshold
        true = labels[test["sample_id"]].to_numpy()
        tuned.append(np.mean([(predicted[true == c] == c).mean() for c in (0, 1)]))
    assert row["scores"]["balanced-accuracy-tuned"]["value"] == pytest.approx(np.mean(tuned))


def test_predictions_say_what_is_predicted_and_how_surely(finished: Any) -> None:
    table = pd.read_parquet(finished.run.evaluation / "predictions.parquet")
    scores = np.stack(table["scores"])
    assert (table["predicted"] == scores.argmax(1)).all()
    np.testing.assert_array_equal(table["confidence"], scores.max(1))
    assert set(table["predicted_tuned"]) <= {0, 1}


def test_who_loses_is_told_and_agrees_with_the_subjects_table(finished: Any) -> None:
    subjects = pd.read_parquet(finished.run.evaluation / "subjects.parquet")
    for method, gains in subjects.groupby("method"):
        row = summary_of(finished)["methods"][str(method)]
        assert row["transfer"]["lose"] == pytest.approx((gains["gain"] < -1e-12).mean())
        assert row["fell_back"] + row["kept_and_worse"] <= 2
    assert set(subjects["method"]) == {"kd", "pkdot", "mt-pkdot"}


@pytest.mark.slow
def test_gains_are_told_over_the_best_control_and_the_own_placebo(
    make_tiny: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = '["student-only", "kd", "kd-placebo", "placebo", "label-structure"]'
    tiny = make_tiny(tmp_path / "study", study={'["student-only", "kd", "pkdot", "mt-pkdot"]': methods})
    tiny.do()
    summary = summary_of(tiny)
    assert summary["controls"] == ["placebo", "label-structure"]
    values = {name: summary["methods"][name]["scores"]["auroc"]["value"] for name in summary["controls"]}
    over = summary["methods"]["kd"]["over_control"]
    assert values[over["auroc"]["from"]] == max(values.values())
    difference = summary["methods"]["kd"]["scores"]["auroc"]["value"] - max(values.values())
    assert over["auroc"]["value"] == pytest.approx(difference)
    assert set(over) == set(summary["metrics"])
    assert all(0 < row["p"] <= row["p_holm"] <= 1 for row in over.values())
    assert not summary["methods"]["placebo"]["over_control"]
    # A placebo of one method is no control of the others.
    assert summary["placebos"] == {"kd": "kd-placebo"}
    assert not summary["methods"]["kd-placebo"]["over_control"]
    over_placebo = summary["methods"]["kd"]["over_placebo"]
    pair = [summary["methods"][name]["scores"]["auroc"]["value"] for name in ("kd", "kd-placebo")]
    assert over_placebo["auroc"]["from"] == "kd-placebo"
    assert over_placebo["auroc"]["value"] == pytest.approx(pair[0] - pair[1])
    assert over_placebo["auroc"]["p"] == over_placebo["auroc"]["p_holm"]
    assert summary["methods"]["kd"]["scores"] != summary["methods"]["kd-placebo"]["scores"]
    print_gains(Summary.model_validate(summary))
    assert "minus its placebo" in capsys.readouterr().out


def test_a_threshold_is_for_two_classes(make_tiny: Any, tiny_table: Any, tmp_path: Any) -> None:
    table = tiny_table()
    table["label"] = np.arange(len(table)) % 3
    tiny = make_tiny(tmp_path / "study", table, {'["student-only", "kd", "pkdot", "mt-pkdot"]': '["student-only"]'})
    tiny.do()
    summary = summary_of(tiny)
    assert "balanced-accuracy-tuned" not in summary["metrics"]
    assert np.array(summary["methods"]["student-only"]["confusion"]).sum() == 72
    tiny.put("evaluate.metrics=['balanced-accuracy-tuned']")
    with pytest.raises(DataError, match="is for two classes"):
        tiny.do("evaluate")


def test_every_metric_of_a_study_is_in_its_summary(finished: Any) -> None:
    usual = {name for name in METRICS.names() if METRICS.constant(name, "TASK") == "classification"}
    assert set(summary_of(finished)["metrics"]) == usual
    assert summary_of(finished)["headline"] == "balanced-accuracy"


def test_the_calibration_error_is_one_number_everywhere_and_lies_in_its_interval(finished: Any) -> None:
    predictions = pd.read_parquet(finished.run.evaluation / "predictions.parquet")
    for method, row in summary_of(finished)["methods"].items():
        score, figure = row["scores"]["ece"], row["reliability"]
        assert score["value"] == figure["ece"]
        assert score["low"] <= score["value"] <= score["high"]
        gaps = sum(one["samples"] * abs(one["accuracy"] - one["confidence"]) for one in figure["bins"])
        assert gaps / sum(one["samples"] for one in figure["bins"]) == pytest.approx(score["value"])
        rows = predictions[predictions["method"] == method]
        error = METRICS.load("ece").metric(rows["label"].to_numpy(), np.stack(rows["scores"].to_list()))[0]
        assert error == pytest.approx(score["value"])
        for versus in row["differences"].values():
            assert versus["low"] <= versus["value"] <= versus["high"]


def test_scores_by_another_definition_of_a_metric_are_stale(tiny: Any) -> None:
    path = tiny.run.evaluation / "manifest.json"
    content = json.loads(path.read_text())
    assert content["study"]["evaluate"].pop("versions") == {"ece": 2}
    path.write_text(json.dumps(content))
    state = tiny.states()["evaluate evaluation"]
    assert (state.kind, state.reason) == ("stale", "evaluate.versions.ece was null, is 2")
