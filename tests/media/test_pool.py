import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from mtpkd_cli.media._worker_limits import MemoryWatch
from mtpkd_cli.media.pool import Outcome, Task, run_isolated

JOBS = """
    import ctypes
    import os
    import resource
    import time

    from mtpkd_cli.errors import DataError


    def do(what, value):
        if what == "square":
            return value**2
        if what == "raise":
            raise DataError(f"bad value {value}", where="row 7")
        if what == "abort":
            os.abort()
        if what == "kill":
            os.kill(os.getpid(), 9)
        if what == "exit":
            raise SystemExit(3)
        if what == "unpicklable":
            return lambda: value
        if what == "memory":
            eaten = [bytearray(b"x") * 50_000_000 for _ in range(value * 10)]
            time.sleep(600)  # holding it: who watches does not look at every moment
            return len(eaten)
        if what == "threads":
            return os.environ["OMP_NUM_THREADS"]
        if what == "pages":
            for _ in range(value):
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
                frames = [bytearray(4_000_000) for _ in range(12)]
                frames = [bytes(frame) for frame in frames]
                frames.clear()
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        if isinstance(value, str):
            open(value, "w").close()
        # Native code that never returns to Python, as a hung decoder.
        ctypes.CDLL(None).sleep(600)
"""


@pytest.fixture
def do(tmp_path, monkeypatch):
    (tmp_path / "pool_jobs.py").write_text(textwrap.dedent(JOBS), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pool_jobs", raising=False)
    import pool_jobs

    return pool_jobs.do


def tasks(*whats: str) -> list[Task]:
    return [Task(f"{index}-{what}", (what, index)) for index, what in enumerate(whats)]


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_a_worker_keeps_the_memory_of_one_task_for_the_next(do):
    [outcome] = run_isolated(do, [Task("pages", ("pages", 5))], workers=1, timeout_s=60)
    # Asked for anew, 48 MB and a copy of them are 23,000 pages.
    assert outcome.value < 2_000


def test_each_failure_costs_only_its_own_task(do):
    whats = ("square", "raise", "abort", "hang", "square", "kill", "exit", "unpicklable", "square")
    outcomes = list(run_isolated(do, tasks(*whats), workers=2, timeout_s=1.5))
    assert [outcome.key for outcome in outcomes] == [task.key for task in tasks(*whats)]
    kinds = ["", "raised", "crashed", "timeout", "", "crashed", "raised", "raised", ""]
    assert [outcome.error_kind for outcome in outcomes] == kinds
    assert [outcome.value for outcome in outcomes if not outcome.error_kind] == [0, 16, 64]
    assert all((outcome.error is None) == (outcome.error_kind == "") for outcome in outcomes)
    assert outcomes[1].error == "bad value 1\n  where: row 7"
    assert "SIGABRT" in outcomes[2].error
    assert "limit of 1.5 s" in outcomes[3].error
    assert "SIGKILL" in outcomes[5].error
    assert "SystemExit" in outcomes[6].error
    assert not multiprocessing.active_children()


def test_a_task_that_eats_memory_is_stopped_and_the_others_go_on(do):
    eaten, fine, *_ = run_isolated(
        do, [Task("a", ("memory", 2)), Task("b", ("square", 3))], workers=1, timeout_s=60.0, memory_gb=0.6
    )
    assert (eaten.error_kind, fine.value) == ("memory", 9)
    assert "0.6 GB" in eaten.error
    assert "extract.memory_gb" in eaten.error


def test_of_two_children_the_one_that_eats_memory_is_killed(do):
    spawn = multiprocessing.get_context("spawn")
    eater, idle = spawn.Process(target=do, args=("memory", 1)), spawn.Process(target=do, args=("hang", 0))
    watch = MemoryWatch(0.3)
    try:
        for child in (eater, idle):
            child.start()
        eater.join(timeout=60)
        assert (eater.exitcode, watch.stopped) == (-signal.SIGKILL, {eater.pid})
        assert psutil.Process(idle.pid).memory_info().rss < 0.3e9
    finally:
        watch.stop()
        for child in (eater, idle):
            child.kill()
            child.join()


def test_an_error_says_in_which_module_it_arose(tmp_path):
    from mtpkd_cli.media.video import read_frames

    (absent,) = run_isolated(read_frames, [Task("a", (tmp_path / "absent.mp4",))], workers=0, timeout_s=1.0)
    assert absent.module == "mtpkd_cli.media.video"


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.usefixtures("do")
def test_no_worker_outlives_a_killed_program(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent("""
            from multiprocessing import active_children
            from pool_jobs import do
            from mtpkd_cli.media.pool import Task, run_isolated

            if __name__ == "__main__":
                tasks = [Task("a", ("square", 2)), Task("b", ("hang", 0)), Task("c", ("hang", 0))]
                for outcome in run_isolated(do, tasks, workers=2, timeout_s=600.0):
                    print(*(child.pid for child in active_children()), flush=True)
        """),
        encoding="utf-8",
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])}
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    assert all(map(_alive, workers))
    process.kill()
    process.wait()
    process.stdout.close()  # not read to its end: a worker that lives on would hold it open
    until = time.monotonic() + 5
    while any(map(_alive, workers)):
        assert time.monotonic() < until, "a worker goes on without its parent"
        time.sleep(0.05)


def test_seconds_are_measured_in_the_worker(do):
    outcomes = list(run_isolated(time.sleep, [Task("a", (0.2,)), Task("b", (0.0,))], workers=1, timeout_s=20.0))
    assert 0.2 <= outcomes[0].seconds < 2.0
    assert outcomes[1].seconds < 0.2
    crashed, hung = run_isolated(do, tasks("abort", "hang"), workers=1, timeout_s=0.5)
    assert crashed.seconds is None
    assert hung.seconds == 0.5


def test_outcomes_keep_the_order_of_the_tasks_whatever_their_length():
    naps = [0.3, 0.0, 0.1, 0.0, 0.0]
    outcomes = run_isolated(time.sleep, [Task(str(nap), (nap,)) for nap in naps], workers=2, timeout_s=20.0)
    assert [outcome.key for outcome in outcomes] == [str(nap) for nap in naps]


def test_tasks_are_read_only_a_little_ahead():
    read = []

    def endless():
        while True:
            read.append(len(read))
            yield Task(str(len(read)), (len(read), 2))

    outcomes = run_isolated(operator.mul, endless(), workers=1, timeout_s=20.0)
    assert [next(outcomes).value for _ in range(9)] == [2 * n for n in range(1, 10)]
    assert len(read) <= 9 + 4
    outcomes.close()


def test_no_tasks_give_no_outcomes():
    assert list(run_isolated(operator.mul, [], workers=2, timeout_s=1.0)) == []


def test_a_function_that_the_worker_cannot_import_fails_its_tasks(tmp_path, do):
    # The parent has the module already; a fresh process no longer finds it.
    (tmp_path / "pool_jobs.py").unlink()
    (outcome,) = run_isolated(do, tasks("square"), workers=1, timeout_s=20.0)
    assert outcome.error_kind == "raised"
    assert "pool_jobs" in outcome.error


def test_a_worker_has_one_thread_for_numerics(do):
    (outcome,) = run_isolated(do, tasks("threads"), workers=1, timeout_s=20.0)
    assert outcome.value == "1"


def test_closing_early_stops_even_native_code_at_the_first_signal(do):
    outcomes = run_isolated(do, tasks("square", "hang", "hang", "square"), workers=2, timeout_s=600.0)
    assert next(outcomes).value == 0
    workers = multiprocessing.active_children()
    outcomes.close()
    # Who does not end by SIGTERM is killed seconds later.
    assert [worker.exitcode for worker in workers] == [-signal.SIGTERM] * 2
    assert not multiprocessing.active_children()


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
@pytest.mark.usefixtures("do")
def test_an_interrupt_stops_the_program_and_all_workers_at_the_first_signal(tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(
        textwrap.dedent("""
            import os
            import time
            from multiprocessing import active_children
            from pool_jobs import do
            from mtpkd_cli import interruption
            from mtpkd_cli.errors import Interrupted
            from mtpkd_cli.media.pool import Task, run_isolated

            MARKS = ["one hangs", "two hang"]

            if __name__ == "__main__":
                interruption.listen()  # as the command line does
                try:
                    tasks = [Task("a", ("square", 2)), *(Task(mark, ("hang", mark)) for mark in MARKS)]
                    for outcome in run_isolated(do, tasks, workers=2, timeout_s=600.0):
                        workers = active_children()
                        # One that has not begun to work would die of the Ctrl-C itself, wherever that meets it.
                        while not all(os.path.exists(mark) for mark in MARKS):
                            time.sleep(0.01)
                        print(outcome.value, flush=True)
                except Interrupted:
                    print("interrupted, workers left:", len(active_children()), flush=True)
                    print("ended by", *(worker.exitcode for worker in workers), flush=True)
        """),
        encoding="utf-8",
    )
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), root])}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stdout.readline() == "4\n"
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C: the whole group
    output, _ = process.communicate(timeout=60)
    assert output == "interrupted, workers left: 0\nended by -15 -15\n"


def test_no_workers_means_this_process(do):
    outcomes = list(run_isolated(do, tasks("square", "raise", "exit", "square"), workers=0, timeout_s=1.0))
    assert [outcome.error_kind for outcome in outcomes] == ["", "raised", "raised", ""]
    assert outcomes[3] == Outcome("3-square", 9, seconds=outcomes[3].seconds)
    (local,) = run_isolated(os.getpid, [Task("pid")], workers=0, timeout_s=1.0)
    assert local.value == os.getpid()


@pytest.mark.parametrize(("workers", "timeout_s"), [(-1, 1.0), (1, 0.0), (1, float("nan"))])
def test_impossible_limits_are_refused(workers, timeout_s):
    with pytest.raises(ValueError, match="workers must be"):
        run_isolated(operator.mul, [], workers=workers, timeout_s=timeout_s)


def test_an_impossible_limit_of_memory_is_refused():
    with pytest.raises(ValueError, match="memory_gb=-1"):
        run_isolated(operator.mul, [], workers=1, timeout_s=1.0, memory_gb=-1)


SCRIPT = """\
import os
EARLY = os.environ.get("OPENBLAS_NUM_THREADS")  # what numpy would have seen, imported at the top of a script

def early():
    return EARLY

if __name__ == "__main__":
    from mtpkd_cli.media.pool import Task, run_isolated
    print([outcome.value for outcome in run_isolated(early, [Task("a")], workers=1, timeout_s=60)])
    print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def test_what_a_script_imports_at_its_top_has_one_thread_in_a_worker(tmp_path: Path) -> None:
    """A script gave other bits than the command line: numpy counts its threads when it is loaded."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["['1']", "None"]
