"""Every corpus goes from its folder to its scores by the real command line, as its preset stands but for sizes."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from mtpkd_cli.cli import app

SMALL = (
    "study.seeds=[0]", "model.embedding=4", "train.epochs=1", "train.crossfit_folds=2", "align.epochs=1",
    "distill.epochs=1", "distill.anchors_k=2", 'distill.methods=["student-only", "mt-pkdot"]', "evaluate.resamples=100",
)  # fmt: skip
FACE = ("frame_side_px=64", "crop_side_px=48", "rate_hz=4.0")
KEEP = "extract.unmeasured=keep"  # the drawn faces are too small and plain to be found every time


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the report takes as long as all five stages of so small a study, and it has tests of its own."""
    monkeypatch.setattr("mtpkd_cli.report.write_report", lambda _run, _progress: None)


def _call(*arguments: object) -> str:
    """The command line within this process, so that libraries are loaded once; returns what it printed."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _run(root: Path, preset: str, *assignments: str) -> dict[str, Any]:
    """Makes a run folder beside the corpus, does all stages and returns metrics.json."""
    run = root.parent / "run"
    keys = [part for key in (*SMALL, KEEP, *assignments) for part in ("--set", key)]
    _call("init", run, "--preset", preset, "--data", root, *keys)
    _call("run", run, "--workers", 0, "--jobs", 1, "--device", "cpu", "--quiet")
    status = json.loads(_call("status", run, "--json"))
    assert {unit["state"] for unit in status["units"]} == {"done"}
    summary: dict[str, Any] = json.loads((run / "evaluation" / "metrics.json").read_text())
    assert {"student-only", "mt-pkdot", "teacher joint"} <= set(summary["methods"])
    return summary


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(("challenge", "media"), [("VA", "crops"), ("EXPR", "video")])
def test_affwild2(challenge: str, media: str, tmp_path: Path, affwild2_tree: Callable[..., Path]) -> None:
    affwild2_tree(tmp_path / "corpus", challenge, crops=media == "crops")
    options = [
        "data.options.rate_hz=10.0",
        f"modalities.video.media={media}",
        "modalities.video.options.image_rate_hz=10.0",
    ]
    options += [f"modalities.video.options.{key}" for key in FACE]
    if challenge == "EXPR":
        expressions = '["Neutral", "Happiness", "Other"]'
        options += [
            "data.options.challenge=EXPR",
            f"data.options.expressions={expressions}",
            "study.task=classification",
        ]
    summary = _run(tmp_path / "corpus", "affwild2", *options)
    assert len(pd.read_parquet(tmp_path / "run" / "samples.parquet")) == 20
    assert (summary["samples"], summary["subjects"], summary["repetitions"]) == (6, 2, ["fold-0/seed-0"])
    assert summary["frames"]["frames"] == 3 * 27
    for row in summary["frames"]["methods"].values():
        assert (row["scored"], row["unscored"]) == (81, 0)
        assert set(row["scores"]) == set(summary["metrics"])
    [fold] = json.loads((tmp_path / "run" / "splits.json").read_text())["folds"]
    assert fold["test"] == ["v0", "v1"]
    assert len(fold["validation"]) == 1
    frames = pd.read_parquet(tmp_path / "run" / "evaluation" / "frames" / "mt-pkdot.parquet")
    assert list(frames["recording"].unique()) == ["v0", "v1_left", "v1_right"]
    assert len(frames) == 90


def test_a_frame_that_is_labelled_anew_is_noticed(tmp_path: Path, affwild2_tree: Callable[..., Path]) -> None:
    """One frame changes no window's expression, and yet the scores of frames."""
    root, run = affwild2_tree(tmp_path / "corpus", "EXPR", raw=False), tmp_path / "run"
    keys = ["data.options.challenge=EXPR", "study.task=classification", "data.options.rate_hz=10.0"]
    keys += ['data.options.expressions=["Neutral", "Happiness", "Other"]', "modalities.audio.media=crops"]
    keys += ["modalities.audio.encoder=face", "modalities.video.options.image_rate_hz=10.0"]
    keys += [f"modalities.video.options.{key}" for key in FACE]
    _call(
        "init", run, "--preset", "affwild2", "--data", root, *(part for key in [KEEP, *keys] for part in ("--set", key))
    )
    _call("extract", run, "--modality", "video", "--workers", 0, "--quiet")
    units = {unit["unit"]: unit for unit in json.loads(_call("status", run, "--json"))["units"]}
    assert units["."]["state"] == "done"
    assert units["."]["counts"]["frames"] == 300
    labels = root / "EXPR_Recognition_Challenge" / "Validation_Set" / "v0.txt"
    lines = labels.read_text().splitlines()
    lines[30] = "-1"
    labels.write_text("\n".join(lines) + "\n")
    units = {unit["unit"]: unit for unit in json.loads(_call("status", run, "--json"))["units"]}
    assert units["."]["state"] == "stale"


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("images", [False, True], ids=["handed-out", "images"])
def test_biovid(images: bool, tmp_path: Path, biovid_tree: Callable[..., Path]) -> None:
    biovid_tree(tmp_path / "corpus", images)
    faces = [f"modalities.video.options.{key}" for key in FACE]
    summary = _run(tmp_path / "corpus", "biovid", "data.folds=2", *faces)
    assert (summary["samples"], summary["subjects"]) == (20, 10)
    assert summary["repetitions"] == ["fold-0/seed-0", "fold-1/seed-0"]
    assert "frames" not in summary
    counts = json.loads((tmp_path / "run" / "features" / "eda" / "manifest.json").read_text())["counts"]
    assert (counts["notes"]["rows_trimmed"], counts["notes"]["rows_padded"]) == (6, 7)
    assert {"teacher video", "teacher eda", "teacher ecg", "teacher emg"} <= set(summary["methods"])


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_table(tmp_path: Path, table_tree: Callable[..., Path]) -> None:
    table_tree(tmp_path / "corpus")
    options = [f"modalities.video.options.{key}" for key in FACE]
    options += ["modalities.ecg.options.sample_rate_hz=64.0", "data.split=official", "data.options.split_column=side"]
    summary = _run(tmp_path / "corpus", "table", *options)
    assert (summary["samples"], summary["subjects"], summary["outputs"]) == (6, 3, ["calm", "stress"])


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("arrays", [False, True], ids=["wide", "npz"])
def test_features(arrays: bool, tmp_path: Path, features_tree: Callable[..., Path]) -> None:
    root = features_tree(tmp_path / "corpus", arrays)
    official = ("data.split=official", "data.options.split_column=side")
    summary = _run(root, "features", *(official if arrays else ("data.folds=2",)))
    assert (summary["samples"], summary["subjects"]) == ((6, 3) if arrays else (20, 10))
    counts = {
        name: json.loads((tmp_path / "run" / "features" / name / "manifest.json").read_text())["counts"]
        for name in ("video", "eda")
    }
    assert [counts[name]["notes"]["samples_without_it"] for name in ("video", "eda")] == [1, 1]
    study = tomllib.loads((tmp_path / "run" / "study.toml").read_text())
    roles = {name: section["role"] for name, section in study["modalities"].items()}
    # The first one is prevalent: the first prefix, or file by name.
    assert roles == (
        {"eda": "prevalent", "video": "privileged"} if arrays else {"video": "prevalent", "eda": "privileged"}
    )
