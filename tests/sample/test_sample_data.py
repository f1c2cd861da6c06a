"""The committed sample study: its layout, its size, that every file opens, and that the script makes it again."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pandas as pd
import pytest
from decord import VideoReader

from mtpkd_cli.config.presets import preset_text
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.errors import DataError
from mtpkd_cli.stages.samples import list_samples
from mtpkd_cli.training.missing_labels import LabelCounts

ROOT = Path(__file__).parents[2] / "sample_data"
NAME = re.compile(r"^(\d{6}_[wm]_\d{2})(?:-(BL1|PA[1-4]))?-(\d{3})$")
SIGNALS = ["time", "gsr", "ecg", "emg_trapezius"]


@pytest.fixture(scope="module")
def samples() -> pd.DataFrame:
    return pd.read_csv(ROOT / "starting_point" / "samples.csv", sep="\t", dtype={"class_id": "Int64"})


@pytest.fixture(scope="module")
def make_sample():
    """The script as a module, with the files beside it importable only while this file's tests run."""
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "make_sample.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        patch.setattr(sys, "dont_write_bytecode", True)
        spec.loader.exec_module(module)
        yield module
    for name in ("simulate", "sensors", "face"):
        sys.modules.pop(name, None)


def _files(subject_name: str, sample_name: str) -> tuple[Path, Path]:
    return (
        ROOT / "video" / subject_name / f"{sample_name}.mp4",
        ROOT / "biosignals_filtered" / subject_name / f"{sample_name}_bio.csv",
    )


def test_the_table_holds_16_subjects_by_2_levels_by_6_clips_and_8_by_6_without_a_label(samples):
    assert list(samples.columns) == [
        "subject_id",
        "subject_name",
        "class_id",
        "class_name",
        "sample_id",
        "sample_name",
    ]
    assert samples["sample_name"].is_unique
    assert samples["sample_id"].tolist() == list(range(1, 241))
    labelled, unlabelled = samples[:192], samples[192:]
    counts = labelled.groupby(["subject_id", "subject_name", "class_id", "class_name"]).size()
    assert len(counts) == 32
    assert set(counts) == {6}
    assert set(zip(labelled["class_id"], labelled["class_name"], strict=True)) == {(0, "BL1"), (4, "PA4")}
    assert unlabelled[["class_id", "class_name"]].isna().all(axis=None)
    assert dict(unlabelled.groupby("subject_id").size()) == dict.fromkeys(range(17, 25), 6)
    assert not set(labelled["subject_name"]) & set(unlabelled["subject_name"])


def test_names_follow_biovid_and_agree_with_their_columns(samples):
    for row in samples.fillna({"class_name": ""}).itertuples():
        subject, level, _ = NAME.match(row.sample_name).groups(default="")
        assert (subject, level) == (row.subject_name, row.class_name)


def test_people_without_labels_are_drawn_as_the_others_and_their_names_tell_nothing(make_sample: ModuleType):
    simulate = make_sample.simulate
    for number in range(17, 25):
        trials = simulate.make_trials(simulate.make_subject(number))
        assert sorted(trial.level for trial in trials) == ["BL1"] * 3 + ["PA4"] * 3
        assert [trial.name[-3:] for trial in trials] == ["001", "002", "003", "004", "005", "006"]
    first = [simulate.make_trials(simulate.make_subject(number))[0].level for number in range(17, 25)]
    assert set(first) == {"BL1", "PA4"}
    # The same person and the same trial, whether anybody wrote the labels down or not.
    with pytest.MonkeyPatch.context() as patch:
        hidden = simulate.make_subject(17)
        patch.setattr(simulate, "N_SUBJECTS", 24)
        written = simulate.make_subject(17)
        assert (written.labelled, hidden.labelled) == (True, False)
        for name in ("responsiveness", "sway_px", "pitch_hz", "scr_us", "heart_rate_bpm", "muscle_uv"):
            assert getattr(hidden, name) == getattr(written, name), name
        a, b = (simulate.make_trial(subject, "PA4", 2) for subject in (hidden, written))
        assert (a.reaction, a.onset_s, a.peak_s) == (b.reaction, b.onset_s, b.peak_s)


def test_the_tree_holds_the_files_of_the_table_and_no_others(samples):
    promised = {path for row in samples.itertuples() for path in _files(row.subject_name, row.sample_name)}
    found = {path for folder in ("video", "biosignals_filtered") for path in (ROOT / folder).rglob("*.*")}
    assert found == promised


def test_the_whole_study_is_at_most_seven_megabytes():
    sizes = [path.stat().st_size for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(sizes) <= 7_000_000


def test_every_clip_opens_with_five_seconds_of_picture_and_of_sound(samples):
    for row in samples.itertuples():
        video, _ = _files(row.subject_name, row.sample_name)
        reader = VideoReader(str(video), num_threads=1)
        assert (len(reader), reader.get_avg_fps(), reader[0].shape) == (50, 10.0, (128, 128, 3)), row.sample_name
        with av.open(str(video)) as container:
            (sound,) = container.streams.audio
            assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 16_000, 1), row.sample_name
            assert float(sound.duration * sound.time_base) == pytest.approx(5.0, abs=0.1), row.sample_name
            assert container.streams.video[0].codec_context.name == "h264", row.sample_name


def test_every_signal_file_has_640_finite_rows_at_128_hz(samples):
    for row in samples.itertuples():
        _, signals = _files(row.subject_name, row.sample_name)
        table = pd.read_csv(signals, sep="\t")
        assert list(table.columns) == SIGNALS
        assert table["time"].tolist() == [index * 1_000_000 // 128 for index in range(640)], row.sample_name
        assert np.isfinite(table.to_numpy()).all(), row.sample_name
        assert (table[SIGNALS[1:]].std() > 0).all(), row.sample_name


@pytest.mark.parametrize(("subject", "level", "trial"), [(3, "BL1", 5), (14, "PA4", 0), (20, "PA4", 1)])
def test_a_clip_made_again_has_the_same_signals_and_frames(
    make_sample: ModuleType, tmp_path: Path, subject: int, level: str, trial: int
):
    simulate = make_sample.simulate
    clip = simulate.make_trial(simulate.make_subject(subject), level, trial)
    video, signals = make_sample.make_clip(tmp_path, clip)
    assert signals.read_bytes() == (ROOT / signals.relative_to(tmp_path)).read_bytes()
    made, kept = (
        VideoReader(str(path), num_threads=1).get_batch(range(50)).asnumpy().astype(int)
        for path in (video, ROOT / video.relative_to(tmp_path))
    )
    assert np.abs(made - kept).max() <= 2


def test_the_table_made_again_is_the_same(make_sample: ModuleType, tmp_path: Path):
    make_sample.make_table(tmp_path)
    table = Path("starting_point") / "samples.csv"
    assert (tmp_path / table).read_bytes() == (ROOT / table).read_bytes()


def test_the_body_knows_the_reaction_better_than_the_voice_or_any_part_of_the_face(make_sample: ModuleType):
    auroc = make_sample.describe()["auroc"]
    body = auroc["body: mean of the three, standardised"]
    others = auroc[auroc.index.str.startswith(("face:", "mean"))]
    assert auroc["latent reaction"] < 1.0
    assert body > others.max()


def test_the_preset_lists_people_without_a_label_as_such_and_the_default_refuses_them():
    study = parse_study(preset_text("sample", "demo", str(ROOT)), where="sample")
    listed, classes = list_samples(ROOT, study.study.task, study.data)
    assert classes == ["BL1", "PA4"]
    assert LabelCounts.of(listed) == LabelCounts(192, 16, 48, 8, 0)
    assert all((ROOT / cell).is_file() for kind in ("video", "biosignals") for cell in listed[f"media_{kind}"])
    refusing = study.data.model_copy(update={"unlabelled": "refuse"})
    with pytest.raises(DataError, match="48 of 240 samples have no label"):
        list_samples(ROOT, study.study.task, refusing)
