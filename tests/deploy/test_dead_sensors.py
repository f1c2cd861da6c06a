"""Prediction on dead sensors: none where nothing was measured, and a word wherever little was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.errors import TooManyFailures

Call = Callable[..., Any]
SAMPLE = Path(__file__).parents[2] / "sample_data"
STUDY = """\
[study]
name = "sensors"
[data]
adapter = "table"
root = "../data"
folds = 2
options = { file = "samples.csv", media = ["video", "physio"] }
[model]
embedding = 4
[train]
epochs = 1
crossfit_folds = 2
[align]
epochs = 1
[distill]
methods = ["student-only"]
epochs = 1
anchors_k = 2
[modalities.gsr]
role = "privileged"
encoder = "eda"
media = "physio"
options = { column = "gsr" }
"""
HEARD = '[modalities.voice]\nrole = "prevalent"\nencoder = "audio"\nmedia = "video"\n'
FELT = """\
[modalities.ecg]
role = "prevalent"
encoder = "ecg"
media = "physio"
[modalities.emg]
role = "prevalent"
encoder = "emg"
media = "physio"
"""


def _people(root: Path) -> Path:
    """A clip of each level of six people of the sample study, as a table of samples."""
    rows = ["sample_id,subject,label,video,physio"]
    for folder in sorted((SAMPLE / "video").iterdir())[:6]:
        for level in ("BL1", "PA4"):
            clip = next(folder.glob(f"*-{level}-*.mp4"))
            signals = SAMPLE / "biosignals_filtered" / folder.name / f"{clip.stem}_bio.csv"
            rows.append(f"{clip.stem},{folder.name},{level},{clip.name},{signals.name}")
            for path in (clip, signals):
                shutil.copy(path, root)
    (root / "samples.csv").write_text("\n".join(rows) + "\n")
    return root


def _trained(tiny: Any, prevalent: str) -> None:
    _people(tiny.table.parent)
    tiny.run.study.write_text(STUDY + prevalent)
    tiny.do("extract", "train-teachers", "align", "distill", workers=0)


@pytest.fixture(scope="module")
def heard(made_once: Callable[..., Path], make_tiny: Callable[..., Any]) -> RunFolder:
    """A student of the voice."""
    return RunFolder(made_once("heard", lambda folder: _trained(make_tiny(folder / "study"), HEARD)) / "study" / "run")


@pytest.fixture(scope="module")
def felt(made_once: Callable[..., Path], make_tiny: Callable[..., Any]) -> RunFolder:
    """A student of heart and muscle."""
    return RunFolder(made_once("felt", lambda folder: _trained(make_tiny(folder / "study"), FELT)) / "study" / "run")


def _predicted(here: Call, run: RunFolder, path: Path, *more: object) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    done = here("predict", run.root, path, "--json", "--workers", 0, *more)
    printed = json.loads(done.stdout)
    return done, printed["windows"][0], printed["recordings"][0]


def _table(path: Path, **columns: np.ndarray) -> Path:
    whole = pd.read_csv(sorted((SAMPLE / "biosignals_filtered").rglob("*.csv"))[0], sep="\t")
    whole.assign(**columns).to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize(
    ("samples", "lacks"),
    [
        (np.zeros(80_000), "there is no sound"),
        (np.full(80_000, 0.2), "there is no sound"),
        (np.random.default_rng(0).normal(0, 10 ** (-90 / 20), 80_000), "there is no sound"),
        (np.zeros(1), "it is shorter than one frame"),
        (
            np.random.default_rng(0).normal(0, 0.1, (80_000, 1)) * [1, -1],
            "its channels cancel each other in their mean",
        ),
    ],
)
def test_sound_in_which_nothing_is_heard(
    heard: RunFolder, here: Call, tmp_path: Path, samples: np.ndarray, lacks: str
) -> None:
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    done, window, recording = _predicted(here, heard, tmp_path / "a.wav")
    assert done.returncode == 4
    assert "predicted" not in window
    assert (window["quality"], window["missing"]) == ({"voice": 0.0}, "voice")
    assert window["error"].startswith(f"nothing was measured: {lacks}")
    assert recording["error"] == window["error"]
    assert f"a.wav: nothing was measured: {lacks}" in done.stderr


def test_a_dead_sensor_beside_a_live_one_is_told_and_two_dead_ones_are_refused(
    felt: RunFolder, here: Call, tmp_path: Path
) -> None:
    times_s = np.arange(640) / 128
    dead = {
        "the signal never changes": np.zeros(640),
        "only a hum of 50 Hz": 1000 * np.sin(2 * np.pi * 50 * times_s),
        "no heart beat was detected": np.random.default_rng(0).normal(size=640),
    }
    for lacks, ecg in dead.items():
        path = _table(tmp_path / "ecg.csv", ecg=ecg)
        done, window, recording = _predicted(here, felt, path)
        assert done.returncode == 0, done.stderr
        assert window["quality"] == {"ecg": 0.0, "emg": 1.0}
        assert (window["missing"], recording["doubt"]) == ("ecg", window["doubt"])
        assert window["doubt"] == f"ecg: nothing was measured: {lacks}"
        assert f"doubtful, 1 of 1 recordings:\n  - {path}: {window['doubt']}" in done.stderr
    done, window, _ = _predicted(
        here, felt, _table(tmp_path / "all.csv", ecg=np.zeros(640), emg_trapezius=np.zeros(640))
    )
    assert done.returncode == 4
    assert window["error"] == "ecg: nothing was measured: the signal never changes; " + (
        "emg: nothing was measured: the signal never changes"
    )


def test_what_is_measured_in_part_is_flagged_everywhere(felt: RunFolder, here: Call, tmp_path: Path) -> None:
    whole = _table(tmp_path / "whole.csv")
    muscle = pd.read_csv(whole, sep="\t")["emg_trapezius"].to_numpy().copy()
    muscle[256:] = muscle[256]
    path = _table(tmp_path / "stuck.csv", emg_trapezius=muscle)
    done, window, recording = _predicted(here, felt, path, "-o", tmp_path / "out.csv")
    assert done.returncode == 0
    assert window["quality"]["emg"] == recording["quality"]["emg"] == pytest.approx(0.4, abs=0.01)
    assert (
        window["doubt"]
        == recording["doubt"]
        == ("emg: the signal does not change (only 40% of the window was measured)")
    )
    stored = pd.read_csv(tmp_path / "out.csv")
    assert stored["quality_emg"].tolist() == pytest.approx([0.4, 0.4], abs=0.01)
    assert stored["doubt"].tolist() == [window["doubt"]] * 2
    done = here("predict", felt.root, path, whole, "--workers", 0)
    assert "quality emg" in done.stdout
    assert "doubtful, 1 of 2 recordings" in done.stderr
    done, window, recording = _predicted(here, felt, whole)
    assert (window["doubt"], recording["doubt"], "doubtful" in done.stderr) == ("", "", False)
    # Of several windows the later ones are dead.
    done, _, recording = _predicted(here, felt, path, "--window", 2)
    assert recording["doubt"].startswith(
        "2 of 2 windows, such as: ecg: nothing was measured: fewer than three heart beats"
    )
    assert recording["quality"]["emg"] == 0.5


def test_samples_in_which_nothing_was_measured_are_left_out_and_told_or_kept(
    make_tiny: Callable[..., Any], here: Call, tmp_path: Path
) -> None:
    tiny = make_tiny(tmp_path / "study")
    _people(tiny.table.parent)
    tiny.run.study.write_text(STUDY + FELT + "[extract]\nworkers = 0\n")
    files = sorted(tiny.table.parent.glob("*_bio.csv"))
    for path in files[0], files[2]:
        table = pd.read_csv(path, sep="\t")
        table.assign(ecg=0).to_csv(path, sep="\t", index=False)
    stuck = pd.read_csv(files[3], sep="\t")
    stuck.loc[200:, "emg_trapezius"] = stuck["emg_trapezius"][200]
    stuck.to_csv(files[3], sep="\t", index=False)
    names = [path.name.removesuffix("_bio.csv") for path in files]
    dead = [names[0], names[2]]
    _, notes = tiny.do("extract", choice=None)
    fate = "left out (failures.parquet): the signal never changes (2)"
    assert f"extract ecg: nothing was measured in 2 of 12 samples, {fate}" in notes
    assert any(note.startswith("extract ecg: done") and "not measured 2" in note for note in notes)
    assert any(note.startswith("extract emg: less than 50% was measured of 1 of 12 samples") for note in notes)
    folder = tiny.run.features("ecg")
    failures = pd.read_parquet(folder / "failures.parquet")
    assert failures["sample_id"].tolist() == dead
    assert set(failures["kind"]) == {"not measured"}
    quality = pd.read_parquet(folder / "quality.parquet").set_index("sample_id")
    assert len(quality) == 12
    assert quality.loc[dead, "quality"].tolist() == [0.0, 0.0]
    assert quality.loc[sorted(set(names) - set(dead)), "quality"].min() > 0.8
    parts = pd.concat([pd.read_parquet(path) for path in folder.glob("part-*.parquet")])
    assert set(parts["sample_id"]) == set(names) - set(dead)
    # The other modalities keep the samples, and training goes on without this one.
    muscle = pd.read_parquet(tiny.run.features("emg") / "quality.parquet").set_index("sample_id")
    assert len(muscle) == 12
    assert muscle.loc[names[3], "quality"] == pytest.approx(0.31, abs=0.01)
    assert muscle.loc[names[3], "lacks"] == "the signal does not change"
    tiny.do("train-teachers")
    done = here("check", tiny.run.root, "--trial", 11, "--workers", 0)
    assert f"sample {names[0]}: nothing was measured: the signal never changes" in done.stdout
    tiny.put("extract.unmeasured=keep")
    assert 'quality.unmeasured was "refuse", is "keep"' in tiny.states()["extract ecg"].reason
    _, notes = tiny.do("extract")
    assert any("2 of 12 samples, kept, as extract.unmeasured says" in note for note in notes)
    parts = pd.concat([pd.read_parquet(path) for path in folder.glob("part-*.parquet")])
    assert set(parts["sample_id"]) == set(names)
    tiny.put("extract.unmeasured=refuse", "extract.max_unmeasured=1")
    with pytest.raises(TooManyFailures, match="nothing was measured in 2 of 12 samples, 1 allowed"):
        tiny.do("extract")
