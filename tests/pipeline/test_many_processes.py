"""Many processes on one run folder: nobody waits for ever, nothing is torn, and all end with the same results."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.artifacts import read_manifest
from mtpkd_cli.artifacts.tasks import failure_of, running, task
from mtpkd_cli.errors import Busy, DataError, Interrupted
from mtpkd_cli.pipeline import STAGES, Choice, units_of


def _results(tiny: Any) -> dict[str, str]:
    """Label of each unit -> digest of what it holds."""
    manifests = {unit.label: read_manifest(unit.folder) for unit in units_of(tiny.run, tiny.study)}
    return {label: manifest.digest for label, manifest in manifests.items() if manifest is not None}


def _is_whole(tiny: Any, finished: Any) -> None:
    assert tiny.undone() == set()
    mine, theirs = _results(tiny), _results(finished)
    assert {label: digest for label, digest in mine.items() if not label.startswith("evaluate")} == {
        label: digest for label, digest in theirs.items() if not label.startswith("evaluate")
    }
    half = [path for path in tiny.run.root.rglob(".*") if "@" in path.name]
    assert half == []
    assert [path for path in tiny.run.root.rglob("*.lock")] == []


@pytest.mark.slow
def test_eight_processes_over_disjoint_units_end_as_one_does(
    tmp_path: Path, make_tiny: Callable[..., Any], finished: Any, commands: Any
) -> None:
    tiny = make_tiny(tmp_path / "study")
    tiny.do("extract", "train-teachers", "align")
    methods = ("student-only", "kd", "pkdot", "mt-pkdot")
    pairs = [(fold, method) for fold in (0, 1) for method in methods]
    processes = [commands.start("distill", tiny.run.root, "--fold", fold, "--method", m) for fold, m in pairs]
    ends = [(done.stderr, done.returncode) for done in [process.end() for process in processes]]
    assert [code for _, code in ends] == [0] * 8, ends
    tiny.do("evaluate")
    _is_whole(tiny, finished)


@pytest.mark.slow
def test_four_processes_on_one_fold_share_it_and_the_late_ones_say_so(
    tmp_path: Path, make_tiny: Callable[..., Any], finished: Any, commands: Any
) -> None:
    tiny = make_tiny(tmp_path / "study")
    tiny.do("extract", "train-teachers")
    for stage in ("align", "distill"):
        processes = [commands.start(stage, tiny.run.root, "--fold", 0) for _ in range(4)]
        ends = [(done.stderr, done.returncode) for done in [process.end() for process in processes]]
        assert {code for _, code in ends} <= {0, 73}, ends
        assert all("is being made by process" in text for text, code in ends if code == 73), ends
        # Whoever came last to a unit may have left it to another; all of them together have left nothing.
        assert not {label for label in tiny.undone() if label.startswith(f"{stage} fold-0")}
    tiny.do(*STAGES)
    _is_whole(tiny, finished)


def test_what_another_process_makes_is_left_out_and_all_else_is_made(tiny: Any) -> None:
    kd = tiny.run.student(1, 0, "kd")
    (kd / "manifest.json").unlink()
    (tiny.run.student(1, 0, "pkdot") / "manifest.json").unlink()
    with task(tiny.run, kd, "kd"):
        with pytest.raises(Busy, match=r"distill fold-1/seed-0 kd is being made by process \d+"):
            tiny.do("distill")
        assert tiny.undone() == {"distill fold-1/seed-0 kd", "evaluate evaluation"}
        assert [holder.process.pid for holder in running(tiny.run, kd)] == [os.getpid()]
    assert running(tiny.run, kd) == []
    assert tiny.do("distill")[0] == 1


def test_what_waits_for_a_busy_unit_is_left_out_too(tiny: Any) -> None:
    align, bank = tiny.run.align(0, 0), tiny.run.bank(0, 0)
    for folder in (align, bank):
        (folder / "manifest.json").unlink()
    with task(tiny.run, align, "align"), pytest.raises(Busy, match="align fold-0/seed-0 align is being made"):
        tiny.do("align", choice=Choice(0, 0))
    assert not (bank / "manifest.json").exists()


@pytest.mark.slow
def test_side_by_side_a_busy_repetition_stops_no_other(tiny: Any) -> None:
    for fold in (0, 1):
        (tiny.run.student(fold, 0, "kd") / "manifest.json").unlink()
    with (
        task(tiny.run, tiny.run.student(0, 0, "kd"), "kd"),
        pytest.raises(Busy, match="fold-0/seed-0 kd is being made"),
    ):
        tiny.do("distill", jobs=2)
    assert (tiny.run.student(1, 0, "kd") / "manifest.json").exists()


def test_an_error_is_remembered_until_the_task_succeeds(tiny: Any) -> None:
    folder = tiny.run.student(0, 0, "kd")

    def fail(error: Exception) -> None:
        with pytest.raises(type(error)), task(tiny.run, folder, "kd"):
            raise error

    fail(DataError("no such thing", where="here"))
    failure = failure_of(tiny.run, folder)
    assert failure is not None
    assert (failure.exit_code, failure.error, failure.pid) == (4, "no such thing", os.getpid())
    fail(ZeroDivisionError("by zero"))
    failure = failure_of(tiny.run, folder)
    assert failure is not None
    assert (failure.exit_code, failure.error) == (1, "ZeroDivisionError: by zero")
    fail(Interrupted("stopped"))  # is no failure, and forgets none
    assert failure_of(tiny.run, folder) == failure
    with task(tiny.run, folder, "kd"):
        pass
    assert failure_of(tiny.run, folder) is None


def test_a_process_that_was_killed_counts_as_failed(tiny: Any) -> None:
    folder = tiny.run.student(0, 0, "kd")
    lock = tiny.run.lock(folder)
    lock.parent.mkdir(exist_ok=True)
    host = json.dumps({"host": "node7_42", "pid": 11, "start": "5", "since": "then", "batch": {}})
    lock.write_text(host)
    os.utime(lock, (0, 0))
    failure = failure_of(tiny.run, folder)
    assert failure is not None
    assert (failure.exit_code, failure.host, failure.pid, failure.when) == (None, "node7", 11, "then")


def test_status_tells_who_is_at_work_and_what_failed(tiny: Any, mtpkd: Callable[..., Any]) -> None:
    failed, held = tiny.run.teacher(0, 0, "eda"), tiny.run.student(1, 0, "kd")
    (failed / "manifest.json").unlink()
    with pytest.raises(DataError), task(tiny.run, failed, "eda"):
        raise DataError("the signal is [flat]")
    with task(tiny.run, held, "kd"):
        units = {unit["unit"]: unit for unit in json.loads(mtpkd("status", tiny.run.root, "--json").stdout)["units"]}
        table = mtpkd("status", tiny.run.root).stdout
    assert units["fold-0/seed-0/teachers/eda"]["state"] == "failed"
    failure = units["fold-0/seed-0/teachers/eda"]["failure"]
    assert (failure["exit_code"], failure["error"]) == (4, "the signal is [flat]")
    assert units["fold-1/seed-0/students/kd"]["state"] == "running"
    [at_work] = units["fold-1/seed-0/students/kd"]["running"]
    assert at_work["pid"] == os.getpid()
    assert at_work["host"] == socket.gethostname()
    assert units["fold-0/seed-0/students/kd"]["state"] == "stale"
    assert units["fold-1/seed-0/students/pkdot"]["state"] == "done"
    words = " ".join(table.replace("│", " ").split())
    assert "exit code 4: the signal is [flat]" in words
    assert f"process {os.getpid()} on" in words


@pytest.mark.slow
def test_every_process_has_a_log_and_every_line_says_what_it_is_about(tiny: Any, mtpkd: Callable[..., Any]) -> None:
    for fold in (0, 1):
        (tiny.run.student(fold, 0, "kd") / "manifest.json").unlink()
    done = mtpkd("distill", tiny.run.root, "--method", "kd", "--jobs", 2, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    logs = {path: [json.loads(line) for line in path.read_text().splitlines()] for path in tiny.run.logs.iterdir()}
    lines = [line for log in logs.values() for line in log]
    assert all(line.keys() >= {"time", "level", "host", "pid", "event"} for line in lines)
    assert all(f"-{line['pid']}." in path.name for path, log in logs.items() for line in log)
    distilling = [line for line in lines if "distill" in line.get("arguments", ())]
    assert len(distilling) >= 1
    ended = [line for line in lines if line["event"] == "unit ended"]
    assert {(line["stage"], line["fold"], line["seed"], line["unit"]) for line in ended} == {
        ("distill", fold, 0, f"fold-{fold}/seed-0/students/kd") for fold in (0, 1)
    }
    assert all(line["seconds"] > 0 for line in ended)

    failed = mtpkd("distill", tiny.run.root, "--method", "nothing", "--device", "cpu")
    assert failed.returncode == 2
    last = [json.loads(path.read_text().splitlines()[-1]) for path in tiny.run.logs.iterdir()]
    assert [line["error"] for line in last if line["event"] == "ended" and line["exit_code"] == 2]


def test_where_no_log_can_be_written_the_work_goes_on(tiny: Any, mtpkd: Callable[..., Any]) -> None:
    (tiny.run.student(1, 0, "kd") / "manifest.json").unlink()
    tiny.run.logs.write_text("a file, not a folder")
    done = mtpkd("distill", tiny.run.root, "--device", "cpu", "--jobs", 1)
    assert done.returncode == 0
    assert done.stderr.count("no log: ") == 1
    assert not tiny.undone() - {"evaluate evaluation"}
