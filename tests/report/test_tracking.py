"""Trackers are told of every epoch and every score, once, and only where they are asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.cli.work import tell_tracker
from mtpkd_cli.errors import StudyError
from mtpkd_cli.report.tracking import track, tracked_units


def test_all_models_and_the_evaluation_are_logged(finished: Any) -> None:
    units = {unit.unit: unit for unit in tracked_units(finished.run)}
    assert {"evaluation", "fold-0/seed-0/students/kd", "fold-1/seed-0/teachers/eda"} <= set(units)
    history = (finished.run.student(0, 0, "kd") / "history.jsonl").read_text().splitlines()
    values = units["fold-0/seed-0/students/kd"].values
    for epoch, line in enumerate(history):
        entry = json.loads(line)
        assert ("validation", epoch, entry["validation"]) in values
        assert ("train/total", epoch, entry["train"]["total"]) in values


def test_tensorboard_reads_what_was_written(finished: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / "other").mkdir()
    with pytest.raises(StudyError, match="something else"):
        track(finished.run, finished.study, "tensorboard", str(tmp_path / "other"))
    for _ in range(2):  # copied twice, there is one of each
        copied, _place = track(finished.run, finished.study, "tensorboard", str(tmp_path / "board"))
    assert copied == len(list(tracked_units(finished.run)))
    files = list((tmp_path / "board" / "fold-0/seed-0/students/kd").iterdir())
    assert len(files) == 1
    events = EventAccumulator(str(files[0])).Reload()
    assert [event.step for event in events.Scalars("validation")] == [0, 1]


def test_mlflow_is_told_once(finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "runs").as_uri())
    copied, place = track(finished.run, finished.study, "mlflow", None)
    assert copied == len(list(tracked_units(finished.run)))
    assert track(finished.run, finished.study, "mlflow", None) == (0, place)
    client = mlflow.MlflowClient(place)
    number = client.get_experiment_by_name("tiny").experiment_id
    (run,) = client.search_runs([number], "tags.`mtpkd.unit` = 'fold-0/seed-0/students/kd'")
    assert [value.step for value in client.get_metric_history(run.info.run_id, "validation")] == [0, 1]


def test_a_tracker_that_fails_costs_nothing(
    finished: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(StudyError, match="has no address"):
        track(finished.run, finished.study, "mlflow", None)
    tell_tracker(finished.run.root, "mlflow", quiet=False)
    assert "mlflow was not told: MLflow has no address" in capsys.readouterr().err
