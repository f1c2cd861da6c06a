"""`mtpkd check` on whole corpora: nothing to tell of sound ones, everything at once of damaged ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from mtpkd_cli.cli import app
from mtpkd_cli.config import set_keys
from mtpkd_cli.errors import DataError

TABLE = ("modalities.video.options.frame_side_px=64", "modalities.ecg.options.sample_rate_hz=64.0")


def _call(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _init(root: Path, preset: str, *assignments: str) -> Path:
    run = root.parent / "run"
    _call("init", run, "--preset", preset, "--data", root, *(part for key in assignments for part in ("--set", key)))
    return run


def _concerns(text: str) -> dict[str, dict[str, Any]]:
    return {entry["concern"]: entry for entry in json.loads(text)["concerns"]}


def test_a_sound_corpus_has_no_problem_and_nothing_is_written(tmp_path: Path, table_tree: Callable[..., Path]) -> None:
    run = _init(table_tree(tmp_path / "corpus"), "table", *TABLE)
    before = sorted(tmp_path.rglob("*"))
    concerns = _concerns(_call("check", run, "--json", "--trial", 2, "--workers", 0))
    assert sorted(tmp_path.rglob("*")) == before
    assert not [problem for entry in concerns.values() for problem in entry["problems"]]
    assert concerns["labels"]["facts"]["classes"] == {"calm": 10, "stress": 10}
    assert concerns["media video"]["facts"]["rates_hz"] == {"5.0": 10}
    assert concerns["media eda"]["facts"] == {"files": 10, "open": 10, "hours": 0.0111, "rates_hz": {"64.0": 10}}
    folds = concerns["folds"]["facts"]["folds"]
    assert [row["subjects"] for row in folds if row["fold"] == 0] == [6, 2, 2]
    assert folds[0]["classes"] == {"calm": 6, "stress": 6}
    cost = concerns["cost eda"]["facts"]
    assert cost["bytes"] == cost["samples"] * cost["steps"] * cost["features"] * 4
    assert cost["seconds"] > 0
    shown = _call("check", run, "--trial", 0, "--workers", 0)
    assert "10 of 10 files open" in shown
    assert "cost" not in shown


def _damage(root: Path) -> None:
    """One fault of each kind, each in files of its own."""
    clips, signals = root / "clips", root / "signals"
    whole = (clips / "p0.mp4").read_bytes()
    (clips / "p0.mp4").write_bytes(whole[: len(whole) // 3])
    (clips / "p1.mp4").write_bytes(b"")
    (clips / "p2.mp4").write_text("this is no film\n" * 20)
    (clips / "p3.mp4").unlink()
    (clips / "p5.mp4").write_bytes((clips / "p4.mp4").read_bytes())
    table = pd.read_csv(signals / "p6.csv")
    table.rename(columns={"eda": "gsr"}).to_csv(signals / "p6.csv", index=False)
    samples = pd.read_csv(root / "samples.csv")
    samples.loc[samples["subject"] == "p8", "video"] = "clips/p7.mp4"
    samples.loc[samples["sample_id"] == "p9-1", ["start_s", "end_s"]] = 40, 42
    samples.to_csv(root / "samples.csv", index=False)


@pytest.mark.slow
def test_all_faults_are_told_at_once_with_exit_code_4(tmp_path: Path, table_tree: Callable[..., Path]) -> None:
    root = table_tree(tmp_path / "corpus")
    run = _init(root, "table", *TABLE)
    _damage(root)
    with pytest.raises(DataError) as caught:
        _call("check", run, "--trial", 0, "--workers", 1)
    assert caught.value.exit_code == 4
    message = str(caught.value)
    for expected in (
        "media video: clips/p0.mp4: the file cannot be opened",
        "media video: clips/p1.mp4: the file is empty",
        "media video: clips/p2.mp4: the file cannot be opened",
        "media video: clips/p3.mp4: there is no such file",
        "media video: clips/p9.mp4: 1 samples begin after its 4.00 s, e.g. at 40.00 s",
        "media audio: clips/p0.mp4: the sound is truncated or damaged, or this is no media file",
        "media eda: signals/p6.csv: there is no column 'eda'",
        "media eda: signals/p9.csv: there are no rows from 40.0 s to 42.0 s",
        "leakage: clips/p7.mp4 is a medium of 'p7', 'p8', who are on different sides of a fold",
        "leakage: clips/p4.mp4 = clips/p5.mp4: copies of 'p4', 'p5', on different sides of a fold",
    ):
        assert expected in message
    # Their signals lie under other names and are other files.
    assert "media ecg: signals/p6.csv" not in message


def test_a_trial_tells_what_the_encoder_would_fail_at(tmp_path: Path, affwild2_tree: Callable[..., Path]) -> None:
    root = affwild2_tree(tmp_path / "corpus", raw=False)
    (root / "cropped_aligned" / "t0" / "00011.jpg").write_bytes(b"no picture")
    keys = ("data.options.rate_hz=10.0", "modalities.video.options.image_rate_hz=10.0", "modalities.audio.media=crops")
    run = _init(root, "affwild2", *keys, "modalities.audio.encoder=face", "modalities.video.options.frame_side_px=64")
    with pytest.raises(DataError) as caught:
        _call("check", run, "--trial", 1, "--workers", 0)
    assert "cost video: sample t0-000001: the video cannot be read (images: 00011.jpg is empty or damaged)" in str(
        caught.value
    )
    assert "media" not in str(caught.value)


def test_an_encoder_that_cannot_run_here_is_told_with_the_rest(
    tmp_path: Path, affwild2_tree: Callable[..., Path]
) -> None:
    root = affwild2_tree(tmp_path / "corpus", raw=False)
    options = {"video": f"{{ weights = '{tmp_path / 'w.pth'}' }}", "audio": "{ frame_side_px = 64 }"}
    keys = ["modalities.video.encoder=resnet18", "modalities.audio.encoder=face", "modalities.audio.media=crops"]
    keys += [f"modalities.{name}.options={value}" for name, value in options.items()]
    with pytest.raises(DataError) as caught:
        _call("check", _init(root, "affwild2", *keys), "--trial", 1, "--workers", 0)
    assert f"cost video: a file that the encoder 'resnet18' reads is not there: {tmp_path / 'w.pth'}" in str(
        caught.value
    )


def test_labels_that_cannot_be_read_are_a_problem_of_the_corpus(
    tmp_path: Path, table_tree: Callable[..., Path]
) -> None:
    root = table_tree(tmp_path / "corpus")
    run = _init(root, "table", *TABLE, 'data.options.classes=["calm", "stressed"]')
    with pytest.raises(DataError, match=r"corpus: 10 rows are not samples\n.*label 'stress'; did you mean 'stressed'"):
        _call("check", run)


def test_pictures_and_labels_of_other_rates_are_told(tmp_path: Path, affwild2_tree: Callable[..., Path]) -> None:
    root = affwild2_tree(tmp_path / "corpus")
    sizes = ("modalities.video.options.frame_side_px=64",)
    run = _init(root, "affwild2", *sizes, "data.options.rate_hz=5.0", "modalities.video.options.image_rate_hz=10.0")
    with pytest.raises(DataError) as caught:
        _call("check", run, "--trial", 0, "--workers", 0)
    assert (
        "frame rates video: cropped_aligned/t0: 10 pictures per second, its labels are counted at 5: 3.0 s apart"
        in str(caught.value)
    )
    rates = pd.DataFrame({"video": [f"t{i}" for i in range(7)] + ["v0", "v1"], "rate_hz": 10.0})
    rates.to_csv(root / "rates.csv", index=False)
    raw = ("modalities.video.media=video", "data.options.rates=rates.csv")
    set_keys(run / "study.toml", list(raw))
    concerns = _concerns(_call("check", run, "--trial", 0, "--workers", 0, "--json"))
    assert concerns["frame rates video"]["problems"] == []


def test_ready_features_are_checked_without_media(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "s")
    concerns = _concerns(_call("check", tiny.run.root, "--json", "--workers", 0))
    assert concerns["features face"]["found"] == "72 samples"
    assert concerns["leakage"]["problems"] == []
    assert concerns["duplicates"]["facts"]["media"] == 0
    assert not [name for name in concerns if name.startswith(("media", "cost"))]
