"""Every corpus goes from its folder to its scores by the real command line, as its preset stands but for sizes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]

SMALL = (
    "study.seeds=[0]", "model.embedding=4", "train.epochs=1", "train.crossfit_folds=2", "align.epochs=1",
    "distill.epochs=1", "distill.anchors_k=2", 'distill.methods=["student-only", "mt-pkdot"]', "evaluate.resamples=100",
)  # fmt: skip
FACE = ("frame_side_px=64", "crop_side_px=48", "rate_hz=4.0")


def _run(mtpkd: Call, root: Path, preset: str, *assignments: str) -> dict[str, object]:
    """Makes a run folder beside the corpus, does all stages and returns metrics.json."""
    run = root.parent / "run"
    keys = [part for key in (*SMALL, *assignments) for part in ("--set", key)]
    made = mtpkd("init", run, "--preset", preset, "--data", root, *keys)
    assert (made.returncode, made.stderr) == (0, "")
    done = mtpkd("run", run, "--workers", 0, "--jobs", 1, "--device", "cpu", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "mt-pkdot" in done.stdout
    status = json.loads(mtpkd("status", run, "--json").stdout)
    assert {unit["state"] for unit in status["units"]} == {"done"}
    return json.loads((run / "evaluation" / "metrics.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(("challenge", "media"), [("VA", "crops"), ("EXPR", "video")])
def test_affwild2(challenge: str, media: str, tmp_path: Path, mtpkd: Call, affwild2_tree: Callable[..., Path]) -> None:
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
    found = _run(mtpkd, tmp_path / "corpus", "affwild2", *options)
    assert len(pd.read_parquet(tmp_path / "run" / "samples.parquet")) == 20
    assert (found["samples"], found["subjects"], found["repetitions"]) == (6, 2, ["fold-0/seed-0"])
    assert found["frames"]["frames"] == 3 * 27
    for row in found["frames"]["methods"].values():
        assert (row["scored"], row["unscored"]) == (81, 0)
        assert set(row["scores"]) == set(found["metrics"])
    [fold] = json.loads((tmp_path / "run" / "splits.json").read_text())["folds"]
    assert fold["test"] == ["v0", "v1"]
    assert len(fold["validation"]) == 1
    said = pd.read_parquet(tmp_path / "run" / "evaluation" / "frames" / "mt-pkdot.parquet")
    assert list(said["recording"].unique()) == ["v0", "v1_left", "v1_right"]
    assert len(said) == 90
