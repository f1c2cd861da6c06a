"""The sample study's videos, damaged and encoded anew: undamaged they give the cache, damaged they cost faces."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mtpkd_cli.artifacts import RunFolder, replaced_folder
from mtpkd_cli.artifacts.feature_parts import part_about
from mtpkd_cli.cli import app
from mtpkd_cli.config import read_study
from mtpkd_cli.errors import StorageError
from mtpkd_cli.evaluation.robustness import prior, read_robustness
from mtpkd_cli.media.damage import KINDS
from mtpkd_cli.pipeline import STAGES, Choice, do_stage
from mtpkd_cli.pipeline.optional_units import corrupt_unit
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.report import page as whole
from mtpkd_cli.report.drawing import Block
from mtpkd_cli.stages import Extraction, Job, corrupt

SAMPLE = Path(__file__).parents[2] / "sample_data"
STUDY = """\
[study]
name = "small"

[data]
adapter = "biovid"
root = "../data"
folds = 2
options = { levels = ["BL1", "PA4"] }

[modalities.video]
role = "prevalent"
encoder = "face"
options = { rate_hz = 4.0, frame_side_px = 120 }

[modalities.eda]
role = "privileged"
encoder = "signal"
media = "biosignals"
options = { column = "gsr" }

[model]
embedding = 6

[extract]
unmeasured = "keep"

[train]
epochs = 1
crossfit_folds = 2

[align]
epochs = 1

[distill]
methods = ["student-only", "kd"]
epochs = 1

[evaluate]
metrics = ["accuracy"]
resamples = 100
"""


@pytest.fixture(autouse=True)
def _few_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds at one level each are enough here: tests/media goes through all of them."""
    few = {"frame-drop": (0.6,), "occlusion": (0.6,)}
    kinds = {kind: replace(KINDS["pictures"][kind], levels=levels) for kind, levels in few.items()}
    monkeypatch.setitem(KINDS, "pictures", kinds)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two clips of six of the sample study's people, one of them without a face, and everything done with them."""
    root = tmp_path_factory.mktemp("small")
    for folder in sorted((SAMPLE / "video").iterdir())[:6]:
        for level in ("BL1", "PA4"):
            clip = next(folder.glob(f"*-{level}-*.mp4"))
            signals = SAMPLE / "biosignals_filtered" / folder.name / f"{clip.stem}_bio.csv"
            for path in (clip, signals):
                target = root / "data" / path.relative_to(SAMPLE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    _grey_clip(next((root / "data" / "video").rglob("*-BL1-*.mp4")))
    run = RunFolder(root / "run")
    run.root.mkdir()
    run.study.write_text(STUDY)
    for stage in STAGES:
        do_stage(run, read_study(run.study), stage, Choice(), _job(run))
    return run


def _grey_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 128, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _job(run: RunFolder) -> Job:
    return Job(Collected(), extraction=Extraction(root=run.data_root("../data"), workers=0))


def _corrupt(run: RunFolder, job: Job) -> dict[str, Any]:
    """What the stage writes, whatever the state of the features that it reads."""
    unit = corrupt_unit(run, read_study(run.study))
    with replaced_folder(run.corruption) as out:
        corrupt.build(out, job, **unit.arguments)
    return read_robustness(run).plain()


@pytest.mark.slow
def test_undamaged_media_give_the_cache_and_the_evaluation_and_damage_is_counted(small: RunFolder) -> None:
    scores = _corrupt(small, _job(small))
    about = {"sense": "pictures", "reason": "", "encoded": 12, "same": 11, "kept": 1}
    assert scores["media"]["video"] == about
    kinds = {kind["kind"]: kind for kind in scores["kinds"]}
    assert list(kinds) == [*KINDS["pictures"], "missing"]
    stored = json.loads((small.evaluation / "metrics.json").read_text())["methods"]
    for kind in KINDS["pictures"]:
        row = kinds[kind]
        assert (row["on"], row["modalities"], row["failed"][0]) == ("pictures", ["video"], 0.0)
        assert len(row["ticks"]) == len(row["levels"]) == len(row["failed"]) == len(row["unmeasured"]) == 2
        for method, line in row["methods"].items():
            assert line[0]["value"] == pytest.approx(stored[method]["scores"]["accuracy"]["value"], abs=1e-9)
            assert all(0 <= point["value"] <= 1 for point in line)
    hidden = kinds["occlusion"]
    assert 0 < hidden["failed"][-1] <= 11 / 12  # over three fifths of a picture there is no face left in some of them
    assert max(kinds["frame-drop"]["failed"]) == 0

    # A second call reads what is there, whatever has happened to the files' age; an interrupted one goes on.
    times = {path: path.stat().st_mtime_ns for path in small.damaged("video").iterdir()}
    lost = next(path for path in times if path.name.startswith("frame-drop"))
    about = part_about(lost)
    lost.unlink()
    assert _corrupt(small, _job(small)) == scores
    again = {path: path.stat().st_mtime_ns for path in small.damaged("video").iterdir()}
    assert {path for path in times if again[path] != times[path]} == {lost}
    assert part_about(lost).without_seconds == about.without_seconds


def test_a_failure_says_what_failed_first_as_in_extraction(small: RunFolder, tmp_path: Path) -> None:
    """Before, a clip that could not be read was reported as one that could not be encoded."""
    shutil.copytree(small.root.parent, tmp_path, dirs_exist_ok=True)
    run = RunFolder(tmp_path / "run")
    faceless = next((tmp_path / "data" / "video").rglob("*-BL1-*.mp4"))
    broken = next(path for path in sorted((tmp_path / "data" / "video").rglob("*.mp4")) if path != faceless)
    broken.write_bytes(b"no video")
    _corrupt(run, _job(run))
    failures = part_about(run.damaged("video") / "undamaged.parquet").failures
    errors = {failure.media: failure[2:4] for failure in failures}
    assert errors == {
        faceless.relative_to(tmp_path / "data").as_posix(): ("encode", "not measured"),
        broken.relative_to(tmp_path / "data").as_posix(): ("read", "raised"),
    }
    assert not [failure for failure in failures if str(tmp_path) in failure.error]


def test_media_that_vanish_meanwhile_are_no_failures_of_their_samples(small: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(small.root.parent, tmp_path, dirs_exist_ok=True)
    run, corpus = RunFolder(tmp_path / "run"), tmp_path / "data"
    shutil.rmtree(run.damaged("video"), ignore_errors=True)

    class Unmounts(Collected):
        """The disk of the corpus goes within the second level."""

        def progress(self, label: str, total: int) -> Callable[[], None]:
            del label, total
            steps = iter(range(100))
            return lambda: corpus.rename(tmp_path / "away") if next(steps) == 14 else None

    with pytest.raises(StorageError, match="a medium has vanished"):
        _corrupt(run, replace(_job(run), reporter=Unmounts()))
    assert [path.name for path in run.damaged("video").glob("*.parquet")] == ["undamaged.parquet"]


def test_where_the_media_are_gone_features_are_damaged_and_that_is_said(small: RunFolder, tmp_path: Path) -> None:
    reporter = Collected()
    scores = _corrupt(small, Job(reporter, extraction=Extraction(root=tmp_path / "gone")))
    assert "the corpus folder is not there" in scores["media"]["video"]["reason"]
    assert {kind["on"] for kind in scores["kinds"]} == {"features", "modalities"}
    assert any("features are damaged, not media" in note for note in reporter.notes)
    (tmp_path / "half").mkdir()
    scores = _corrupt(small, Job(reporter, extraction=Extraction(root=tmp_path / "half")))
    assert "12 of 12 media files are not there" in scores["media"]["video"]["reason"]


def test_the_command_line_prints_a_table_and_draws_curves(small: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {name: lambda _: Block(absent="") for name in whole.FIGURES}
    monkeypatch.setattr(whole, "FIGURES", absent | {"robustness": whole.FIGURES["robustness"]})
    options = ["--corrupt-samples", "4", "--workers", "1", "--quiet"]
    done = CliRunner().invoke(app, ["evaluate", str(small.root), *options], catch_exceptions=False)
    printed = " ".join(done.stdout.split())
    assert done.exit_code == 0
    assert "4 of 12 test samples of 4 subjects as they get worse" in printed
    assert "video pictures: occlusion, picture hidden (%)" in printed
    page = " ".join((small.evaluation / "report.html").read_text().split())
    assert "Of video the pictures themselves were damaged" in page
    assert "of 4 samples gave the stored features bit for bit" in page
    assert (small.evaluation / "figures" / "corrupt-video-occlusion.svg").exists()


def test_who_sees_nothing_says_what_is_frequent() -> None:
    assert prior(torch.tensor([0, 2, 2, 2]), 4).tolist() == [0.25, 0, 0.75, 0]
    assert prior(torch.tensor([[1.0, 4.0], [3.0, torch.nan]]), 2).tolist() == [2, 4]
