"""On a real Slurm of one node: a study through arrays and dependencies, a failure, and a time limit."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
# Python runs this as it starts: before a fit asks whether it has to stop, as it does after every step, a while passes.
# check(), which comes next, keeps to the plain question, or a signal in between would find no checkpoint written.
SLOW = """
import time, types
from mtpkd_cli import interruption
asked = interruption.asked
interruption.check = types.FunctionType(interruption.check.__code__, dict(vars(interruption)))
interruption.asked = lambda: (time.sleep(0.5), asked())[1]
"""


def _mtpkd(slurm: Any, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = slurm.commands.run(
        *arguments, environment=slurm.environment, timeout_s=300, cwd=ROOT
    )
    assert done.returncode == code, done.stderr
    return done


def _submitted(slurm: Any, run: Path, *options: object, modules: Path = ROOT) -> dict[str, dict[str, Any]]:
    # The program is that of this checkout, wherever the job begins.
    setup = ("--setup", f"export PYTHONPATH={modules}:{ROOT}", "--cpus", 1)
    rows = json.loads(_mtpkd(slurm, "slurm", run, "--submit", "--json", *setup, *options).stdout)["jobs"]
    return {row["job"]: row for row in rows}


def _units(slurm: Any, run: Path) -> dict[str, dict[str, Any]]:
    units = json.loads(_mtpkd(slurm, "status", run, "--json").stdout)["units"]
    return {f"{unit['stage']} {unit['unit']}": unit for unit in units}


@pytest.fixture(scope="module", autouse=True)
def limited(
    slurm: Any, tmp_path_factory: pytest.TempPathFactory, make_tiny: Callable[..., Any]
) -> tuple[Any, dict[str, Any]]:
    """A study with a job that meets its time limit, and its jobs: submitted before all else, as it mostly waits."""
    folder = tmp_path_factory.mktemp("limited")
    tiny = make_tiny(folder / "s", study={'["student-only", "kd", "pkdot", "mt-pkdot"]': '["student-only"]'})
    tiny.do("extract", "train-teachers", "align")
    # Longer than a limit of one minute allows that warns 20 s before it, or some seconds earlier.
    tiny.put("distill.epochs=100", "distill.patience=100")
    (folder / "sitecustomize.py").write_text(SLOW)
    return tiny, _submitted(slurm, tiny.run.root, "--time", "1", "--warn", 20, modules=folder)


def test_the_sample_study_runs_through_arrays_and_dependencies_to_its_report(slurm: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["data.folds=2", "train.epochs=3", "align.epochs=2", "distill.epochs=2", "extract.part_samples=24"]
    small += ['distill.methods=["student-only", "mt-pkdot"]']
    sets = [word for key in small for word in ("--set", key)]
    _mtpkd(slurm, "init", run, "--preset", "sample", "--data", ROOT / "sample_data", *sets)
    jobs = _submitted(slurm, run, "--time", "0:30:00", "--shards", 2)
    assert [(name, row["tasks"]) for name, row in jobs.items()] == [
        ("extract", 2),
        ("train-teachers", 2),
        ("align", 2),
        ("distill", 2),
        ("evaluate", 1),
    ]
    numbers = [row["job_id"] for row in jobs.values()]
    assert numbers == sorted(set(numbers))
    again = _mtpkd(slurm, "slurm", run, "--submit", code=73)
    assert "in the queue already" in again.stderr
    slurm.wait_for(jobs, 600)
    assert {unit["state"] for unit in _units(slurm, run).values()} == {"done"}
    assert (run / "evaluation" / "report.html").stat().st_size > 10_000
    shards = {path.name for path in (run / "slurm" / "out").glob("*extract*")}
    assert len(shards) == 2
    lines = [json.loads(line) for path in (run / "logs").iterdir() for line in path.read_text().splitlines()]
    assert {str(number) for number in numbers[1:4]} <= {line.get("array_job") for line in lines}
    assert json.loads(_mtpkd(slurm, "slurm", run, "--submit", "--json").stdout)["jobs"] == []


def test_a_task_that_fails_stops_its_dependents_and_the_rest_is_submitted_later(slurm: Any, tiny: Any) -> None:
    run = tiny.run.root
    tiny.put("train.epochs=1")
    teachers = tiny.run.teacher(1, 0, "eda").parent
    shutil.rmtree(teachers)
    teachers.touch()  # a file where a folder has to be
    jobs = _submitted(slurm, run)
    slurm.wait_for(jobs, 300)
    assert slurm.state_of(jobs["train-teachers"]["job_id"])["JobState"] in ("COMPLETED", "FAILED")
    for name in ("align", "distill", "evaluate"):
        state = slurm.state_of(jobs[name]["job_id"])
        assert (state["JobState"], state["Reason"]) == ("CANCELLED", "DependencyNeverSatisfied"), name
    units = _units(slurm, run)
    assert units["train-teachers fold-0/seed-0/teachers/eda"]["state"] == "done"
    failed = units["train-teachers fold-1/seed-0/teachers/face"]
    assert (failed["state"], failed["failure"]["exit_code"]) == ("failed", 74)
    assert failed["failure"]["batch"]["array_job"] == str(jobs["train-teachers"]["job_id"])
    teachers.unlink()
    jobs = _submitted(slurm, run)
    assert jobs["train-teachers"]["tasks"] == 1
    slurm.wait_for(jobs, 300)
    assert tiny.undone() == set()


def test_a_curve_runs_as_an_array_beside_the_study_to_its_table(
    slurm: Any, tmp_path: Path, make_tiny: Callable[..., Any]
) -> None:
    tiny = make_tiny(tmp_path / "s", study={'["student-only", "kd", "pkdot", "mt-pkdot"]': '["student-only", "kd"]'})
    run = tiny.run.root
    tiny.do("extract")
    call = ["curve", run, "--label-shares", "0.5,1", "--method", "kd", "--method", "self"]
    _mtpkd(slurm, *call, "--plan")
    jobs = _submitted(slurm, run)
    assert {name: row["tasks"] for name, row in jobs.items() if row["stage"] == "curve"} == {
        "curve": 2,
        "curve-study": 2,
        "curve-scores": 1,
    }
    slurm.wait_for(jobs, 300)
    assert {unit["state"] for unit in _units(slurm, run).values()} == {"done"}
    table = json.loads((run / "curve" / "curve.json").read_text())
    assert [one["share"] for one in table["shares"]] == [0.5, 1]
    assert {tuple(one["methods"]) for one in table["shares"]} == {("student-only", "kd", "self")}
    again = _mtpkd(slurm, "curve", run, "--json")
    assert json.loads(again.stdout) == table
    assert "curve: nothing to train" in again.stderr


def test_a_job_that_meets_its_time_limit_goes_back_into_the_queue_and_completes(
    slurm: Any, limited: tuple[Any, dict[str, Any]]
) -> None:
    tiny, jobs = limited
    # Slurm holds a job back for a while before each new attempt; a busy machine may need more of them.
    slurm.wait_for(jobs, 900)
    texts = [path.read_text() for path in (tiny.run.slurm / "out").glob("*distill*")]
    assert any("back into the queue" in text for text in texts), texts
    assert tiny.undone() == set()
    assert int(slurm.state_of(f"{jobs['distill']['job_id']}_0")["Restarts"]) >= 1
