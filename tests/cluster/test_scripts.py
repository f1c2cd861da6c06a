"""Batch scripts as text: what is left and nothing else, in an order, and readable to bash."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mtpkd_cli
from mtpkd_cli.cluster import SlurmRequest, plan_jobs, write_scripts
from mtpkd_cli.cluster.scripts import job_script
from mtpkd_cli.pipeline.curve_request import CurveRequest, write_request


def _planned(tiny: Any, **options: int) -> dict[str, Any]:
    return {job.name: job for job in plan_jobs(tiny.run, tiny.study, **{"shards": 4, "array_limit": 1000} | options)}


def test_nothing_is_planned_where_all_is_done(tiny: Any, mtpkd: Callable[..., Any]) -> None:
    assert _planned(tiny) == {}
    done = mtpkd("slurm", tiny.run.root, "--json")
    assert (done.returncode, json.loads(done.stdout)["jobs"]) == (0, [])
    assert "all is done" in done.stderr
    assert not tiny.run.slurm.exists()


def test_only_what_is_left_and_what_rests_on_it_is_planned(tiny: Any) -> None:
    shutil.rmtree(tiny.run.student(1, 0, "kd"))
    jobs = _planned(tiny)
    assert list(jobs) == ["distill", "evaluate"]
    assert jobs["distill"].repetitions == [(1, 0)]
    assert (jobs["distill"].after, jobs["evaluate"].after) == ((), ("distill",))


def test_all_folds_and_seeds_of_a_new_study_are_planned_after_each_other(
    tmp_path: Path, make_tiny: Callable[..., Any], mtpkd: Callable[..., Any]
) -> None:
    # Leave one subject out: how many folds there are is known only once the samples are listed.
    changes = {'name = "tiny"': 'name = "tiny"\nseeds = [0, 7]', "folds = 2\noptions": 'split = "loso"\noptions'}
    tiny = make_tiny(tmp_path / "s", study=changes)
    done = mtpkd("slurm", "s/run", "--partition", "gpu", "--gpus", 1, "--mem", "4G", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["jobs"]
    assert [(row["job"], row["tasks"], row["after"], row["job_id"]) for row in rows] == [
        ("extract", 1, [], None),
        ("train-teachers", 24, ["extract"], None),
        ("align", 24, ["train-teachers"], None),
        ("distill", 24, ["align"], None),
        ("evaluate", 1, ["distill"], None),
    ]
    for path in tiny.run.slurm.iterdir():
        subprocess.run(["bash", "-n", str(path)], check=True)
    text = {path.stem: path.read_text() for path in tiny.run.slurm.iterdir()}
    assert "#SBATCH --array=0-23\n" in text["align"]
    assert all("#SBATCH --partition=gpu\n" in text[row["job"]] for row in rows)
    assert {name for name in text if "--gpus=1" in text[name]} == {"train-teachers", "align", "distill"}
    assert all(str(tmp_path) not in one for one in text.values())
    assert '--dependency="afterok:${train_teachers}"' in text["submit"]


def test_more_tasks_than_an_array_may_have_become_several_arrays(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "s", study={'name = "tiny"': 'name = "tiny"\nseeds = [0, 1, 2, 3, 4]'})
    tiny.do("extract")
    jobs = _planned(tiny, array_limit=4)
    assert [len(jobs[f"align-{number}"].repetitions) for number in (1, 2, 3)] == [4, 4, 2]
    assert jobs["distill-2"].after == ("align-1", "align-2", "align-3")
    assert sorted(pair for n in (1, 2, 3) for pair in jobs[f"align-{n}"].repetitions) == [
        (fold, seed) for fold in (0, 1) for seed in range(5)
    ]


def test_scripts_of_an_earlier_plan_are_taken_away(tiny: Any) -> None:
    tiny.run.slurm.mkdir()
    (tiny.run.slurm / "train-teachers.sbatch").touch()
    shutil.rmtree(tiny.run.student(1, 0, "kd"))
    paths = write_scripts(tiny.run.slurm, "tiny", list(_planned(tiny).values()), SlurmRequest())
    assert set(paths) == set(tiny.run.slurm.iterdir())
    assert {path.name for path in paths} == {"distill.sbatch", "evaluate.sbatch", "submit.sh"}


@pytest.mark.parametrize(
    ("program", "signals", "code", "requeued"),
    [
        ("exit 0", "", 0, False),
        ("exit 4", "", 4, False),
        ("trap 'sleep 0.3; exit 75' USR1; while :; do sleep 0.05; done", "USR1", 75, True),
        ("trap 'sleep 0.3; exit 0' USR1; while :; do sleep 0.05; done", "USR1", 0, False),
        ("trap 'sleep 0.3; exit 75' TERM; while :; do sleep 0.05; done", "TERM", 75, False),
        ("trap '' USR1; trap 'exit 75' TERM; while :; do sleep 0.05; done", "USR1 TERM", 75, True),
    ],
)
def test_a_script_passes_signals_on_and_keeps_the_exit_code(
    tiny: Any, tmp_path: Path, program: str, signals: str, code: int, requeued: bool
) -> None:
    shutil.rmtree(tiny.run.student(1, 0, "kd"))
    text = job_script("tiny", _planned(tiny)["evaluate"], SlurmRequest())
    [command] = [line for line in text.splitlines() if line.endswith(" &")]
    (tmp_path / "script").write_text(text.replace(command, f"bash -c {json.dumps(program)} &"))
    (tmp_path / "scontrol").write_text(f'#!/bin/bash\necho "$@" > {tmp_path}/asked\n')
    (tmp_path / "scontrol").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "17"}
    environment |= {"SLURM_ARRAY_JOB_ID": "15", "SLURM_ARRAY_TASK_ID": "1"}
    with subprocess.Popen(["bash", str(tmp_path / "script")], env=environment, stderr=subprocess.PIPE) as process:
        for name in signals.split():
            subprocess.run(["sleep", "0.5"], check=True)
            subprocess.run(["kill", f"-{name}", str(process.pid)], check=True)
        process.communicate(timeout=60)
    assert process.returncode == code
    assert (tmp_path / "asked").exists() == requeued
    if requeued:
        # Not 17: where this is the last task of an array, that would put back all of its tasks.
        assert (tmp_path / "asked").read_text() == "requeue 15_1\n"


def _shares(jobs: dict[str, Any], name: str) -> list[tuple[float, int, int]]:
    return [(share, *pair) for share, pair in zip(jobs[name].shares, jobs[name].repetitions, strict=True)]


def test_a_curve_is_an_array_over_share_fold_and_seed_and_then_its_scores(tiny: Any) -> None:
    write_request(tiny.run, CurveRequest(shares=[0.5, 1.0], methods=["mt-pkdot", "self"]))
    jobs = _planned(tiny)
    assert list(jobs) == ["curve", "curve-study", "curve-scores"]
    assert _shares(jobs, "curve") == [(0.5, 0, 0), (0.5, 1, 0)]
    assert _shares(jobs, "curve-study") == [(1.0, 0, 0), (1.0, 1, 0)]  # self, which the study does not list
    assert [job.after for job in jobs.values()] == [(), (), ("curve", "curve-study")]
    text = job_script("tiny", jobs["curve"], SlurmRequest(gpus="1"))
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert "shares=(0.5 0.5)\n" in text
    wanted = '-m mtpkd_cli curve . --fold "${folds[$SLURM_ARRAY_TASK_ID]}" --seed "${seeds[$SLURM_ARRAY_TASK_ID]}" '
    assert f'{wanted}--label-shares "${{shares[$SLURM_ARRAY_TASK_ID]}}" --jobs 1 &' in text
    assert "#SBATCH --array=0-1\n" in text
    assert "#SBATCH --gpus=1\n" in text
    scores = job_script("tiny", jobs["curve-scores"], SlurmRequest(gpus="1"))
    assert "-m mtpkd_cli curve . --jobs 1 &" in scores
    assert "--gpus" not in scores


def test_a_curve_waits_for_what_it_reads_and_for_nothing_else(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "s", study={'name = "tiny"': 'name = "tiny"\nseeds = [0, 1, 2]'})
    tiny.do("extract")
    write_request(tiny.run, CurveRequest(shares=[0.5, 1.0], methods=["self"]))
    jobs = _planned(tiny, array_limit=4)
    after = {name: job.after for name, job in jobs.items() if job.stage == "curve"}
    # Features are there; what is added at the study's own share needs the run's teachers, banks and students.
    distilled, pieces = ("distill-1", "distill-2"), ("curve-1", "curve-2", "curve-study-1", "curve-study-2")
    assert after == {
        "curve-1": (),
        "curve-2": (),
        "curve-study-1": distilled,
        "curve-study-2": distilled,
        "curve-scores": (*pieces, "evaluate"),
    }
    assert sorted(_shares(jobs, "curve-1") + _shares(jobs, "curve-2")) == [
        (0.5, fold, seed) for fold in (0, 1) for seed in (0, 1, 2)
    ]
    (tiny.run.features("eda") / "manifest.json").unlink()
    jobs = _planned(tiny)
    assert (jobs["curve"].after, jobs["curve-study"].after) == (("extract",), ("distill",))


def test_of_a_curve_only_what_is_left_is_planned(tiny: Any) -> None:
    mtpkd_cli.curve(tiny.run.root, [0.5, 1.0], methods=["kd"], folds=[0], device="cpu", jobs=1)
    jobs = _planned(tiny)
    assert list(jobs) == ["curve", "curve-scores"]
    assert _shares(jobs, "curve") == [(0.5, 1, 0)]
    mtpkd_cli.curve(tiny.run.root, folds=[1], device="cpu", jobs=1)
    assert list(_planned(tiny)) == ["curve-scores"]
