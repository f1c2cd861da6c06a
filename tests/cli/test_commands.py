"""The command line as shell scripts see it: exit codes, stdout for results, stderr for all else, interrupts."""

import json
import re
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]


def _fails(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.slow
def test_a_study_runs_from_nothing_to_scores(
    tmp_path: Path, make_tiny: Callable[..., Any], mtpkd: Call, mtpkd_anew: Call
) -> None:
    tiny = make_tiny(tmp_path / "s")
    options = ("--jobs", 1, "--json", "--set", "distill.epochs=1", "--device", "cpu")
    done = mtpkd_anew("run", "s/run", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert set(scores["methods"]) >= {"student-only", "kd", "pkdot", "mt-pkdot", "teacher joint"}
    assert "s/run/study.toml: distill.epochs = 1 (was 2)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    text = tiny.run.study.read_text()
    assert tomllib.loads(text)["distill"]["epochs"] == 1
    assert "# no more than that" in text
    assert (tiny.run.evaluation / "report.html").stat().st_size > 1000

    again = mtpkd("run", "s/run", "-q", "--device", "cpu", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert "student-only" in again.stdout
    assert "report: s/run/evaluation/report.html" in again.stdout

    shown = mtpkd("evaluate", "s/run", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout) == scores


@pytest.mark.slow
def test_what_is_selected_twice_is_done_twice(tiny: Any, mtpkd: Call) -> None:
    """Before, the last one alone was taken, in silence."""
    shutil.rmtree(tiny.run.repetition(0, 0) / "students")
    options = ("--fold", 0, "--fold", 1, "--method", "kd", "--method", "student-only")
    done = mtpkd("distill", tiny.run.root, *options, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "distill: 2 made" in done.stderr
    assert sorted(path.name for path in (tiny.run.repetition(0, 0) / "students").iterdir()) == ["kd", "student-only"]


def test_a_run_folder_may_be_the_folder_where_one_is(tiny: Any, mtpkd: Call) -> None:
    (tiny.run.student(0, 0, "kd") / "manifest.json").unlink()
    before = {path.name for path in tiny.root.iterdir()}
    done = mtpkd("run", ".", "--jobs", 1, "--device", "cpu", cwd=tiny.run.root, figures=())
    assert done.returncode == 0, done.stderr
    assert tiny.undone() == set()
    assert {path.name for path in tiny.root.iterdir()} == before


def test_status_tells_people_and_machines(tiny: Any, mtpkd: Call) -> None:
    tiny.put("distill.epsilon=0.5")
    table = mtpkd("status", tiny.run.root)
    assert (table.returncode, table.stderr) == (0, "")
    assert re.search(r"train-teachers\s+│\s+done\s+│\s+6/6", table.stdout)
    assert re.search(r"distill\s+│\s+stale\s+│\s+4/8", table.stdout)
    units = json.loads(mtpkd("status", tiny.run.root, "--json").stdout)["units"]
    assert {unit["state"] for unit in units if unit["stage"] == "align"} == {"done"}
    stale = [unit for unit in units if unit["state"] == "stale"]
    assert {unit["unit"] for unit in stale} == {
        *(f"fold-{fold}/seed-0/students/{name}" for fold in (0, 1) for name in ("pkdot", "mt-pkdot")),
        "evaluation",
    }
    assert re.search(r"epsilon was 0\.\d+, is 0\.5", stale[0]["reason"])


def test_lists_of_methods_and_presets_go_to_stdout(mtpkd: Call) -> None:
    methods, presets = mtpkd("methods"), mtpkd("presets")
    assert (methods.returncode, methods.stderr, presets.returncode, presets.stderr) == (0, "", 0, "")
    assert all(name in methods.stdout for name in ("student-only", "kd", "pkdot", "mt-pkdot", "temperature"))
    assert "sample" in presets.stdout


def test_the_version_needs_no_command(mtpkd: Call) -> None:
    done = mtpkd("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-command"], ["No such command"]),
        (["run"], ["Missing argument"]),
        (["run", "RUN", "--no-such-option"], ["No such option"]),
        (["distill", "RUN", "--fold", "one"], ["--fold"]),
        (["extract", "RUN", "--workers", "-1"], ["--workers"]),
        (["extract", "RUN", "--max-failures", "some"], ["--max-failures", "a count such as 3, or a share"]),
        (["status", "NOWHERE"], ["there is no study.toml", "mtpkd init"]),
        (["status", "RUN/study.toml"], ["study"]),
        (["evaluate", "RUN", "--set", "distill.epoch=3"], ["distill.epoch: unknown key; did you mean 'epochs'?"]),
        (["evaluate", "RUN", "--set", "distill.epochs"], ["is not key=value"]),
        (["evaluate", "RUN", "--set", "evaluate.reference=oops"], ["'oops' is not among distill.methods"]),
        (["train-teachers", "RUN", "--device", "quantum"], ["there is no device 'quantum'"]),
        (["init", "NEW", "--preset", "sampel", "--data", "."], ["did you mean 'sample'?"]),
        (["init", "NEW", "--preset", "sample", "--data", ".", "--set", "study.task=x"], ["study.task"]),
        (["init", "RUN", "--preset", "sample", "--data", "."], ["there is a study already", "--overwrite"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].islower() else "",
)
def test_usage_and_study_errors_are_2(tiny: Any, mtpkd: Call, arguments: list[str], words: list[str]) -> None:
    before = tiny.run.study.read_text()
    places = {"RUN": "run", "NEW": "new", "NOWHERE": "nowhere"}
    _fails(mtpkd(*(places.get(a, a.replace("RUN/", "run/")) for a in arguments), cwd=tiny.root), 2, *words)
    assert tiny.run.study.read_text() == before
    assert not (tiny.root / "new").exists()


def test_a_missing_stage_is_3_and_names_its_command(tiny: Any, mtpkd: Call) -> None:
    (tiny.run.bank(0, 0) / "manifest.json").unlink()
    done = mtpkd("evaluate", "run", cwd=tiny.root)
    _fails(done, 3, "align fold-0/seed-0 bank, which is missing", "to do: mtpkd align run")


def test_debug_shows_the_traceback_and_keeps_the_code(tiny: Any, mtpkd: Call) -> None:
    for arguments in (("--debug", "status", "nowhere"), ("status", "nowhere", "--debug")):
        done = mtpkd(*arguments, cwd=tiny.root)
        assert done.returncode == 2
        assert "Traceback" in done.stderr
        assert "error: there is no study.toml" in done.stderr


def test_a_missing_corpus_is_4(tmp_path: Path, mtpkd: Call, make_tiny: Callable[..., Any]) -> None:
    _fails(mtpkd("init", "new", "--preset", "sample", "--data", "absent", cwd=tmp_path), 4, "absent is not there")
    assert not (tmp_path / "new").exists()
    tiny = make_tiny(tmp_path / "s")
    tiny.table.unlink()
    _fails(mtpkd("extract", "s/run", cwd=tmp_path), 4, "there is no such table")
    tiny.table.parent.rmdir()
    _fails(mtpkd("extract", "s/run", cwd=tmp_path), 4, "the corpus folder is not there", "--set data.root=FOLDER")


def test_a_class_without_samples_is_4(tmp_path: Path, mtpkd: Call, make_tiny: Callable[..., Any]) -> None:
    study = {'file = "table.parquet"': 'file = "table.parquet", classes = ["0", "1", "2"]'}
    make_tiny(tmp_path / "s", study=study)
    _fails(mtpkd("extract", "s/run", cwd=tmp_path), 4, "class 2 has no samples")


def test_too_many_unreadable_samples_are_5(tmp_path: Path, mtpkd: Call) -> None:
    for subject in range(6):
        for level in ("BL1", "PA4"):
            name = f"90010{subject}_w_30"
            for folder, suffix in (("video", ".mp4"), ("biosignals_filtered", "_bio.csv")):
                (tmp_path / "data" / folder / name).mkdir(parents=True, exist_ok=True)
                (tmp_path / "data" / folder / name / f"{name}-{level}-001{suffix}").touch()
    made = mtpkd("init", "run", "--preset", "sample", "--data", "data", "--set", "data.folds=2", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert "next: mtpkd run run" in made.stdout
    done = mtpkd("extract", "run", "--modality", "eda", "--workers", 0, cwd=tmp_path)
    _fails(done, 5, "12 of 12 samples could not be read", "--max-failures", "and 2 more")
    listed = pd.read_parquet(tmp_path / "run" / "features" / "eda" / "failures.parquet")
    assert len(listed) == 12


def test_a_loss_that_leaves_the_numbers_is_6(tiny: Any, mtpkd: Call) -> None:
    done = mtpkd("distill", "run", "--method", "kd", "--jobs", 1, "--set", "distill.learning_rate=1e30", cwd=tiny.root)
    _fails(done, 6, "expected: a finite number", "lower the learning rate")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGTERM, 1), (signal.SIGINT, 2)])
def test_an_interrupt_is_75_and_the_same_command_goes_on(
    tmp_path: Path, make_tiny: Callable[..., Any], commands: Any, number: signal.Signals, jobs: int
) -> None:
    tiny = make_tiny(tmp_path / "s", study={"epochs = 2\ncrossfit_folds": "epochs = 15\npatience = 15\ncrossfit_folds"})
    tiny.do("extract")
    command = ("train-teachers", tiny.run.root, "--jobs", jobs)
    first = tiny.run.teacher(0, 0, "face") / "manifest.json"
    process = commands.start(*command)
    deadline = time.monotonic() + 60
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.signal(number)
    _fails(process.end(), 75, "interrupted; run the same command again to go on")
    assert not list(tiny.run.root.rglob(".*"))
    kept = first.stat().st_mtime_ns
    assert tiny.undone() > {"align fold-0/seed-0 align"}
    if jobs == 1:
        done = commands.run(*command)
        assert done.returncode == 0, done.stderr
        assert "train-teachers fold-0/seed-0 face: up to date" in done.stderr
    else:
        assert tiny.do("train-teachers")[0] <= 5
    assert first.stat().st_mtime_ns == kept
    assert not [label for label in tiny.undone() if label.startswith("train-teachers")]


def test_init_keeps_a_relative_corpus_relative_to_the_run(tmp_path: Path, mtpkd: Call) -> None:
    (tmp_path / "data").mkdir()
    table = pd.DataFrame({"sample_id": ["a", "b"], "subject": ["a", "b"], "label": [0, 1]})
    for name in ("face__x", "eda__x"):
        table[name] = np.arange(2.0)
    table.to_parquet(tmp_path / "data" / "t.parquet")
    run = tmp_path / "deep" / "run"
    done = mtpkd("init", "deep/run", "--preset", "features", "--data", "data", "--prevalent", "eda", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = tomllib.loads((run / "study.toml").read_text())
    assert study["data"]["root"] == "../../data"
    assert {name: section["role"] for name, section in study["modalities"].items()} == {
        "face": "privileged",
        "eda": "prevalent",
    }
    assert [path.name for path in run.iterdir()] == ["study.toml"]


def test_a_table_that_cannot_be_read_is_told_by_init(tmp_path: Path, mtpkd: Callable[..., Any]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.parquet").write_bytes(b"PAR1 and no more")
    done = mtpkd("init", tmp_path / "run", "--preset", "features", "--data", tmp_path / "data")
    assert done.returncode == 4
    assert "t.parquet: the table cannot be read" in done.stderr
