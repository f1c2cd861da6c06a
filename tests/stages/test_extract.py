"""Extraction from media: parts that survive, failures that are reported, and only what changed read again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts import MANIFEST, read_manifest, read_parquet
from mtpkd_cli.artifacts.feature_ledgers import allowed_failures
from mtpkd_cli.errors import ArtifactError, DataError, Interrupted, StorageError, StudyError, TooManyFailures
from mtpkd_cli.pipeline import Choice

STUDY = """\
[study]
name = "clips"
[data]
adapter = "biovid"
root = "../data"
folds = 2
[modalities.video]
role = "prevalent"
encoder = "face"
[modalities.eda]
role = "privileged"
encoder = "eda"
media = "biosignals"
[extract]
workers = 0
part_samples = 5
max_failures = "0"
"""
SUBJECTS = [f"90010{i}_w_3{i}" for i in range(6)]
EDA, VIDEO = Choice(name="eda"), Choice(name="video")


def _write_signal(path: Path, column: str = "gsr", seconds: float = 3.0, seed: int = 0) -> None:
    times = np.arange(0, seconds, 1 / 32)
    level = 5 + np.random.default_rng(seed).normal(0, 0.01, len(times)).cumsum()
    pd.DataFrame({"time": (times * 1e6).astype(int), column: level.round(4)}).to_csv(path, sep="\t", index=False)


@pytest.fixture
def clips(tmp_path: Path, make_tiny: Callable[..., Any]) -> Any:
    """Twelve windows of six subjects in the layout of BioVid: three parts of five, five and two."""
    tiny = make_tiny(tmp_path / "clips")
    for number, subject in enumerate(SUBJECTS):
        for level in ("BL1", "PA4"):
            video = tiny.root / "data" / "video" / subject / f"{subject}-{level}-001.mp4"
            signal = tiny.root / "data" / "biosignals_filtered" / subject / f"{subject}-{level}-001_bio.csv"
            for path in (video, signal):
                path.parent.mkdir(parents=True, exist_ok=True)
            video.touch()
            _write_signal(signal, seed=number)
    tiny.run.study.write_text(STUDY)
    return tiny


def _signal(clips: Any, number: int) -> Path:
    path: Path = sorted((clips.root / "data" / "biosignals_filtered").rglob("*.csv"))[number]
    return path


def _parts(clips: Any) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted(clips.run.features("eda").glob("part-*.parquet"))}


def _redone(clips: Any, before: dict[str, int]) -> list[str]:
    return [name for name, time in _parts(clips).items() if before.get(name) != time]


def _failures(clips: Any) -> pd.DataFrame:
    return read_parquet(clips.run.features("eda") / "failures.parquet").to_pandas()


def test_features_are_one_row_per_step_with_what_a_reader_needs(clips: Any) -> None:
    assert clips.do("extract", choice=EDA)[0] == 2
    assert list(_parts(clips)) == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    table = pd.concat([read_parquet(clips.run.features("eda") / name).to_pandas() for name in _parts(clips)])
    assert list(table.columns) == ["sample_id", "t_s", "features"]
    assert table.groupby("sample_id").size().tolist() == [6] * 12
    np.testing.assert_allclose(table.groupby("sample_id")["t_s"].first(), 0.25)
    assert np.isfinite(np.stack(table["features"].to_list())).all()
    assert len(_failures(clips)) == 0
    manifest = read_manifest(clips.run.features("eda"))
    assert manifest is not None
    assert (manifest.counts["samples"], manifest.counts["failed"]) == (12, 0)


def test_only_the_part_that_is_gone_is_made_again_and_the_same(clips: Any) -> None:
    clips.do("extract", choice=EDA)
    before = _parts(clips)
    lost = clips.run.features("eda") / "part-00001.parquet"
    content = lost.read_bytes()
    lost.unlink()
    assert clips.states()["extract eda"].reason == "part-00001.parquet is gone"
    clips.do("extract", choice=EDA)
    assert _redone(clips, before) == ["part-00001.parquet"]
    assert lost.read_bytes() == content


def test_half_a_part_is_no_part(clips: Any) -> None:
    clips.do("extract", choice=EDA)
    half = clips.run.features("eda") / "part-00002.parquet"
    content = half.read_bytes()
    half.write_bytes(content[:-9])
    (clips.run.features("eda") / MANIFEST).unlink()
    before = _parts(clips)
    clips.do("extract", choice=EDA)
    assert _redone(clips, before) == ["part-00002.parquet"]
    assert half.read_bytes() == content


def test_an_interrupt_keeps_the_parts_that_were_whole(clips: Any) -> None:
    class Stops:
        """A reporter that is interrupted at the seventh sample."""

        def note(self, text: str) -> None:
            del text

        def progress(self, label: str, total: int) -> Callable[[], None]:
            del label
            left = iter(range(total))

            def advance() -> None:
                if next(left) == 6:
                    raise Interrupted("stopped by SIGTERM")

            return advance

    from mtpkd_cli.pipeline import do_stage
    from mtpkd_cli.stages import Extraction, Job

    with pytest.raises(Interrupted):
        do_stage(clips.run, clips.study, "extract", EDA, Job(Stops(), extraction=Extraction(root=clips.root / "data")))
    assert list(_parts(clips)) == ["part-00000.parquet"]
    assert clips.states()["extract eda"].kind == "missing"
    before = _parts(clips)
    clips.do("extract", choice=EDA)
    assert _redone(clips, before) == ["part-00001.parquet", "part-00002.parquet"]


def test_one_bad_file_costs_one_sample_and_is_told(clips: Any) -> None:
    bad = _signal(clips, 7)
    _write_signal(bad, column="emg")
    with pytest.raises(TooManyFailures, match="1 of 12 samples") as caught:
        clips.do("extract", choice=EDA)
    assert caught.value.exit_code == 5
    assert "--max-failures" in str(caught.value)
    assert clips.states()["extract eda"].kind == "missing"
    [row] = _failures(clips).to_dict("records")
    assert row["sample_id"] == bad.name.removesuffix("_bio.csv")
    assert row["media"] == bad.relative_to(clips.root / "data").as_posix()
    assert row["kind"] == "raised"
    assert "gsr" in row["error"]
    assert str(clips.root) not in row["error"] + str(caught.value).replace(str(clips.run.root), "")
    before = _parts(clips)
    clips.do("extract", choice=EDA, max_failures="1")
    assert _redone(clips, before) == []
    manifest = read_manifest(clips.run.features("eda"))
    assert manifest is not None
    assert (manifest.counts["samples"], manifest.counts["failed"]) == (11, 1)


def test_a_mended_file_is_read_again_and_nothing_else(clips: Any) -> None:
    _write_signal(_signal(clips, 7), column="emg")
    clips.do("extract", choice=EDA, max_failures="10%")
    before = _parts(clips)
    _write_signal(_signal(clips, 7), seconds=2.0)
    assert clips.states()["extract eda"].reason == "media has changed"
    clips.do("extract", choice=EDA)
    assert _redone(clips, before) == ["part-00001.parquet"]
    assert len(_failures(clips)) == 0


def test_what_failed_is_tried_again_when_asked_for(clips: Any) -> None:
    _write_signal(_signal(clips, 7), column="gsx")
    clips.do("extract", choice=EDA, max_failures="1")
    # The mended file has the size of the bad one, which is all that staleness looks at.
    _write_signal(_signal(clips, 7), column="gsr")
    assert clips.do("extract", choice=EDA)[0] == 0
    before = _parts(clips)
    clips.do("extract", choice=EDA, retry_failed=True)
    assert _redone(clips, before) == ["part-00001.parquet"]
    assert len(_failures(clips)) == 0
    assert clips.do("extract", choice=EDA, retry_failed=True)[0] == 0


def test_a_window_without_a_file_counts_as_failed(clips: Any) -> None:
    _signal(clips, 3).unlink()
    with pytest.raises(TooManyFailures, match="the corpus lists no file"):
        clips.do("extract", choice=EDA)
    assert _failures(clips)["kind"].tolist() == ["missing"]


def test_an_option_of_the_encoder_concerns_its_modality(clips: Any) -> None:
    clips.do("extract", choice=EDA)
    before = _parts(clips)
    clips.put("modalities.eda.options.step_s=1.0")
    assert clips.states()["extract eda"].reason == "modalities.eda.encoder.options.step_s was 0.5, is 1.0"
    clips.do("extract", choice=EDA)
    assert _redone(clips, before) == list(before)


def test_larger_parts_leave_no_old_ones_behind(clips: Any) -> None:
    clips.do("extract", choice=EDA)
    clips.put("extract.part_samples=7")
    clips.do("extract", choice=EDA, overwrite=True)
    assert list(_parts(clips)) == ["part-00000.parquet", "part-00001.parquet"]


def test_a_corpus_that_is_not_there_is_told(clips: Any) -> None:
    clips.do("extract", choice=EDA)
    shutil.move(clips.root / "data", clips.root / "moved")
    assert clips.states()["extract eda"].kind == "done"
    with pytest.raises((DataError, ArtifactError), match="corpus folder is not there") as caught:
        clips.do("extract", choice=EDA, overwrite=True)
    assert caught.value.exit_code == 4
    clips.put("data.root=../moved")
    assert clips.states()["extract eda"].kind == "done"


def test_a_medium_that_the_corpus_lacks_is_told(clips: Any) -> None:
    clips.put("modalities.eda.media=thermal")
    with pytest.raises(StudyError, match="no medium 'thermal'") as caught:
        clips.do("extract", choice=EDA)
    assert "video, biosignals" in str(caught.value)


@pytest.mark.slow
def test_a_truncated_video_costs_one_sample_of_three(clips: Any) -> None:
    """Real clips, real decoders, real worker processes."""
    clips_of_sample = sorted((Path(__file__).parents[2] / "sample_data" / "video").rglob("*.mp4"))[:3]
    videos = sorted((clips.root / "data" / "video").rglob("*.mp4"))
    for video, source in zip(videos, clips_of_sample * 4, strict=True):
        video.write_bytes(source.read_bytes())
    videos[1].write_bytes(videos[1].read_bytes()[:2000])
    with pytest.raises(TooManyFailures, match="1 of 12 samples"):
        clips.do("extract", choice=VIDEO, workers=1)
    failures = read_parquet(clips.run.features("video") / "failures.parquet").to_pandas()
    assert failures["sample_id"].tolist() == [videos[1].stem]
    assert str(clips.root) not in failures["error"][0]
    assert clips.do("extract", choice=VIDEO, workers=1, max_failures="1")[0] == 1
    videos[1].write_bytes(clips_of_sample[1].read_bytes())
    assert clips.do("extract", choice=VIDEO, workers=1)[0] == 1
    assert clips.states()["extract video"].kind == "done"


@pytest.mark.parametrize(("limit", "allowed"), [("0", 0), ("3", 3), ("1%", 2.5), ("0.4%", 1), ("100%", 250)])
def test_a_limit_is_a_count_or_a_share(limit: str, allowed: float) -> None:
    assert allowed_failures(limit, 250) == pytest.approx(allowed)


def test_a_corpus_that_vanishes_while_it_is_read_is_no_failure_of_its_samples(clips: Any) -> None:
    from mtpkd_cli.pipeline import do_stage
    from mtpkd_cli.pipeline.parallel import Collected
    from mtpkd_cli.stages import Extraction, Job

    corpus, away = clips.root / "data", clips.root / "away"

    class Unmounts(Collected):
        """The disk of the corpus goes with the seventh sample, in the second part."""

        def progress(self, label: str, total: int) -> Callable[[], None]:
            del label, total
            steps = iter(range(100))

            def advance() -> None:
                if next(steps) == 6:
                    corpus.rename(away)

            return advance

    with pytest.raises(StorageError, match="a medium has vanished") as caught:
        do_stage(clips.run, clips.study, "extract", EDA, Job(Unmounts(), extraction=Extraction(root=corpus)))
    assert caught.value.exit_code == 74
    away.rename(corpus)
    before = _parts(clips)
    assert list(before) == ["part-00000.parquet"]
    clips.do("extract", choice=EDA)
    assert _failures(clips).empty
    assert before.items() <= _parts(clips).items()


def _use_network(clips: Any, weights: Path) -> None:
    clips.put("modalities.video.encoder=resnet18", f"modalities.video.options={{ weights = '{weights}' }}")


def test_weights_that_are_missing_are_told_before_the_first_sample(clips: Any, tmp_path: Path) -> None:
    """Before, each sample failed by itself, and each failure was kept."""
    weights = tmp_path / "weights.pth"
    _use_network(clips, weights)
    with pytest.raises(DataError, match="a file that the encoder 'resnet18' reads is not there") as caught:
        clips.do("extract", choice=VIDEO)
    assert caught.value.where == weights
    assert not list(clips.run.features("video").glob("part-*"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_gpu_that_is_missing_is_told_before_the_first_sample(clips: Any, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.touch()
    _use_network(clips, weights)
    clips.put("modalities.video.options.device=cuda")
    with pytest.raises(StudyError, match="no CUDA device"):
        clips.do("extract", choice=VIDEO)
    assert not list(clips.run.features("video").glob("part-*"))
