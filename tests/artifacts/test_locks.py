"""A lock is one process's at a time; what the dead leave is taken over, what the living hold is not."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.artifacts import locks, stale_locks
from mtpkd_cli.artifacts.heartbeats import Heartbeats
from mtpkd_cli.artifacts.locks import SILENT_S, holder_of, locked
from mtpkd_cli.artifacts.process import this_process
from mtpkd_cli.errors import Busy

# Each process reads a number, waits, and writes it back one higher: two at once would lose a step.
COUNTING = """
import sys, time
from pathlib import Path
from mtpkd_cli.artifacts.locks import locked
folder = Path(sys.argv[1])
for _ in range(20):
    with locked(folder / "count.lock", "count", wait_s=60):
        number = int((folder / "count").read_text())
        time.sleep(0.002)
        (folder / "count").write_text(str(number + 1))
"""
# Each process counts once and dies in the middle: the next one has to take over, and only one may.
DYING = """
import os, sys, time
from pathlib import Path
from mtpkd_cli.artifacts.locks import locked
folder = Path(sys.argv[1])
with locked(folder / "count.lock", "count", wait_s=100):
    number = int((folder / "count").read_text())
    time.sleep(0.01)
    (folder / "count").write_text(str(number + 1))
    os._exit(0)
"""
HOLDING = """
import sys, time
from pathlib import Path
from mtpkd_cli.artifacts.locks import locked
with locked(Path(sys.argv[1]), "held"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def _holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def _foreign(path: Path, silent_s: float) -> str:
    """A lock of a process on another machine, last touched `silent_s` ago."""
    text = json.dumps({"host": "node7_42", "pid": 11, "start": "5", "since": "then", "batch": {"job": "99"}})
    path.write_text(text)
    os.utime(path, (time.time() - silent_s,) * 2)
    return text


@pytest.mark.slow
def test_eight_processes_that_count_lose_no_step(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", COUNTING, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(8)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 8
    assert (tmp_path / "count").read_text() == "160"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


@pytest.mark.slow
def test_of_those_who_wait_for_the_dead_one_takes_over(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path)]) for _ in range(10)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 10
    assert (tmp_path / "count").read_text() == "10"


def test_a_lock_that_vanishes_while_it_is_looked_at_is_not_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, now = tmp_path / "a.lock", locks.time_at
    _foreign(path, silent_s=0)

    def given_back(looked_at: Path) -> float:
        looked_at.unlink(missing_ok=True)
        return now(looked_at)

    monkeypatch.setattr(locks, "time_at", given_back)
    monkeypatch.setattr(locks, "put_aside", lambda *_: pytest.fail("somebody may hold it by now"))
    with locked(path, "a"):
        pass


def test_a_lock_that_was_taken_since_it_was_looked_at_is_never_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.lock"
    _foreign(path, silent_s=0)
    for name in ("rename", "unlink"):
        real = getattr(Path, name)

        def watched(self: Path, *args: Any, real: Any = real, **options: Any) -> Any:
            done = real(self, *args, **options)
            assert path.exists()
            return done

        monkeypatch.setattr(Path, name, watched)
    stale_locks.put_aside(path, stale="of somebody who is gone")
    assert json.loads(path.read_text())["pid"] == 11


def test_what_died_while_taking_over_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    _foreign(path, silent_s=SILENT_S + 20)
    os.link(path, stale_locks.claim_of(path, path.read_text()))
    monkeypatch.setattr(stale_locks, "CLAIM_S", 0.5)
    with locked(path, "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_living_holder_keeps_it_and_the_second_says_who_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tasks" / "a.lock"
    with _holding(path) as process:
        with pytest.raises(Busy) as caught, locked(path, "align fold-0/seed-1 bank"):
            pytest.fail("two hold it")
        holder = holder_of(path)
        assert holder is not None
        assert holder.lives
        assert f"align fold-0/seed-1 bank is being made by process {process.pid} on" in str(caught.value)
        assert caught.value.exit_code == 73


def test_the_lock_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with _holding(path):
        pass
    left = holder_of(path)
    assert left is not None
    assert not left.lives
    with locked(path, "a"):
        now = holder_of(path)
        assert now is not None
        assert now.process == this_process()
    assert list(tmp_path.iterdir()) == []


def test_another_machine_is_believed_until_it_has_been_silent_for_long(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    _foreign(path, silent_s=SILENT_S - 20)
    with pytest.raises(Busy, match="process 11 on node7 since then, Slurm job 99"), locked(path, "a"):
        pytest.fail("two hold it")
    _foreign(path, silent_s=SILENT_S + 20)
    with locked(path, "a"):
        pass


def test_a_clock_that_is_behind_makes_no_lock_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.lock"
    _foreign(path, silent_s=5)
    monkeypatch.setattr(time, "time", lambda: 2e9)  # this machine is years ahead of the file system
    with pytest.raises(Busy), locked(path, "a"):
        pytest.fail("two hold it")


def test_a_lock_without_a_word_is_believed_while_it_is_new(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.touch()
    with pytest.raises(Busy), locked(path, "a"):
        pytest.fail("two hold it")
    os.utime(path, (0, 0))
    with locked(path, "a"):
        pass


def test_a_file_system_without_hard_links_has_locks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with locked(tmp_path / "a.lock", "a"), pytest.raises(Busy), locked(tmp_path / "a.lock", "a"):
        pytest.fail("two hold it")
    assert list(tmp_path.iterdir()) == []


def test_what_was_taken_over_by_somebody_else_meanwhile_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    _foreign(path, silent_s=0)
    stale_locks.put_aside(path, stale="what was there before")
    assert json.loads(path.read_text())["pid"] == 11
    assert [left.name for left in tmp_path.iterdir()] == ["a.lock"]


def test_a_lock_that_was_lost_is_not_given_back_for_its_new_holder(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with locked(path, "a"):
        theirs = _foreign(path, silent_s=0)
    assert path.read_text() == theirs


def test_waiting_ends_when_the_holder_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with _holding(path) as process:
        begun = time.monotonic()
        with pytest.raises(Busy), locked(path, "a", wait_s=0.5):
            pytest.fail("two hold it")
        assert time.monotonic() - begun >= 0.5
        process.terminate()
        with locked(path, "a", wait_s=30):
            pass


def test_heartbeats_touch_what_is_held(tmp_path: Path) -> None:
    held, given_back = tmp_path / "held", tmp_path / "given-back"
    beats = Heartbeats(every_s=0.02)
    for path in (held, given_back):
        path.touch()
        beats.add(path)
    beats.add(tmp_path / "gone")
    beats.remove(given_back)
    time.sleep(0.1)
    for path in (held, given_back):
        os.utime(path, (0, 0))
    deadline = time.monotonic() + 30
    while held.stat().st_mtime == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert held.stat().st_mtime > 0
    assert given_back.stat().st_mtime == 0
