"""Whether a process still lives: known by its number and start, whatever the clock does and whoever may look."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtpkd_cli.artifacts import process
from mtpkd_cli.artifacts.locks import holder_of, locked
from mtpkd_cli.artifacts.process import Process, this_process
from mtpkd_cli.errors import Busy

IDLE = [sys.executable, "-c", "import time; print('on', flush=True); time.sleep(60)"]


def test_this_process_lives_and_no_other_start_under_its_number_does() -> None:
    here = this_process()
    assert here.lives is True
    assert here.pid == os.getpid()
    for start in (int(here.start) - 1, int(here.start) + 1):
        assert replace(here, start=str(start)).lives is False


def test_a_process_dies_though_nobody_has_asked_how_it_ended() -> None:
    with subprocess.Popen(IDLE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "on\n"
        one = Process(this_process().host, child.pid, process._start_of(child.pid))
        assert one.lives is True
        child.kill()
        until = time.monotonic() + 30
        while one.lives:  # a zombie until it is waited for
            assert time.monotonic() < until
            time.sleep(0.01)
        assert psutil.pid_exists(child.pid)
    assert one.lives is False


def test_another_machine_cannot_be_asked() -> None:
    assert replace(this_process(), host="node7_42").lives is None


def test_a_start_that_was_not_known_tells_nothing_of_a_number_in_use(tmp_path: Path) -> None:
    assert replace(this_process(), start="0").lives is None
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert Process(this_process().host, child.pid, "0").lives is False
    # Such a lock, of a system where starts could not be read, is its holder's for as long as that is heard of.
    path = tmp_path / "a.lock"
    here = this_process()
    path.write_text(f'{{"host": "{here.host}", "pid": {here.pid}, "start": "0", "since": "then", "batch": {{}}}}')
    with pytest.raises(Busy, match=f"process {here.pid} on"), locked(path, "a"):
        pytest.fail("two hold it")
    os.utime(path, (0, 0))
    with locked(path, "a"):
        holder = holder_of(path)
        assert holder is not None
        assert holder.process == here


def test_a_clock_that_is_set_makes_no_process_another(monkeypatch: pytest.MonkeyPatch) -> None:
    if not psutil.LINUX:
        pytest.skip("elsewhere the system does not move the time at which a process began")
    here, boot_time, create_time = this_process(), psutil.boot_time, psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + 86_400)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 86_400)
    assert here.lives is True


def test_a_process_that_the_system_hides_is_not_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(pid: int) -> Any:
        raise psutil.NoSuchProcess(pid)

    here = this_process()
    monkeypatch.setattr(psutil, "Process", hidden)
    assert here.lives is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_start_is_what_earlier_versions_wrote_into_locks() -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert this_process().start == fields[19]


def test_a_fork_is_another_process() -> None:
    code = (
        "import os\n"
        "from mtpkd_cli.artifacts.process import this_process\n"
        "before = this_process()\n"
        "if os.fork() == 0:\n"
        "    here = this_process()\n"
        "    print(here.pid != before.pid, here.lives, before.lives, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
