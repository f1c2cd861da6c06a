"""Isolated worker processes: a task that raises, crashes, hangs or eats memory costs only itself.

Native decoders can abort, loop for ever or ask for all memory on a damaged file, so each task runs in a worker process
under limits of time and memory, and no worker outlives this process, whatever ends it. A worker that dies or is stopped
is replaced, its task is recorded as failed, and the other tasks go on. Workers are spawned, never forked: libraries
that start threads do not survive a fork. A script that calls this at its top level therefore needs `if __name__
== "__main__":`.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures import wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mtpkd_cli import interruption
from mtpkd_cli.environment import THREADS, inherited
from mtpkd_cli.media._worker import Outcome, attempt, prepare_worker, work
from mtpkd_cli.media._worker_limits import MemoryWatch

__all__ = ["Outcome", "Task", "run_isolated"]

_IN_FLIGHT_PER_WORKER = 4
# Native libraries leak a little with every file; a fresh process now and then bounds that.
_TASKS_PER_PROCESS = 256
_LISTEN_EVERY_S = 0.2


@dataclass(frozen=True)
class Task:
    """One call of the function.

    Args:
        key: Name of the task in its outcome.
        args: Positional arguments, picklable.
    """

    key: str
    args: tuple[Any, ...] = ()


def run_isolated(
    function: Callable[..., Any], tasks: Iterable[Task], *, workers: int, timeout_s: float, memory_gb: float = 0.0
) -> Generator[Outcome, None, None]:
    """Calls a function once per task in isolated processes; yields the outcomes in the order of the tasks.

    At most four tasks per worker are started or finished but not yet yielded, so memory does not grow with the number
    of tasks. Closing the generator early, or an interrupt, stops all workers at once.

    Args:
        function: A function that a fresh process can import by its module and name.
        tasks: The tasks; read only as far ahead as they are started.
        workers: Number of processes; 0 = in this process, for debugging: no isolation and no limits.
        timeout_s: Limit for one task in seconds, > 0.
        memory_gb: Limit for one worker's resident memory in GB (10^9 bytes); 0 = none.

    Yields:
        One outcome per task.

    Raises:
        ValueError: `workers`, `timeout_s` or `memory_gb` is out of range.
    """
    if workers < 0 or not timeout_s > 0 or not memory_gb >= 0:
        raise ValueError(
            "workers must be >= 0, timeout_s > 0 and memory_gb >= 0, not "
            f"workers={workers}, timeout_s={timeout_s}, memory_gb={memory_gb}"
        )
    if workers == 0:
        return _run_here(function, tasks)
    return _run_in_pool(function, iter(tasks), workers, timeout_s, memory_gb)


def _run_here(function: Callable[..., Any], tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
    for task in tasks:
        interruption.check()
        yield attempt(task.key, function, task.args)


def _run_in_pool(
    function: Callable[..., Any], tasks: Iterator[Task], workers: int, timeout_s: float, memory_gb: float
) -> Generator[Outcome, None, None]:
    # Set before a worker begins: a script's own imports are repeated in it first, and numpy among them would take as
    # many threads as there are processors, whose sums differ in the last bit.
    with inherited(dict.fromkeys(THREADS, "1")):
        yield from _outcomes(function, tasks, workers, timeout_s, memory_gb)


def _outcomes(
    function: Callable[..., Any], tasks: Iterator[Task], workers: int, timeout_s: float, memory_gb: float
) -> Generator[Outcome, None, None]:
    import pebble

    pool = pebble.ProcessPool(
        workers,
        _TASKS_PER_PROCESS,
        initializer=prepare_worker,
        initargs=(os.getpid(),),
        context=multiprocessing.get_context("spawn"),
    )
    waiting: deque[tuple[str, Any]] = deque()
    watch = MemoryWatch(memory_gb)
    try:
        while True:
            interruption.check()
            for task in islice(tasks, workers * _IN_FLIGHT_PER_WORKER - len(waiting)):
                # Pickled here and read inside the worker's `try`: a function that cannot be imported there is then
                # an error of the task, not of the pool.
                payload = pickle.dumps((function, task.args))
                waiting.append((task.key, pool.schedule(work, args=(task.key, payload), timeout=timeout_s)))
            if not waiting:
                return
            yield _outcome(*waiting.popleft(), timeout_s, watch)
    finally:
        watch.stop()
        pool.stop()
        pool.join()


def _outcome(key: str, future: Any, timeout_s: float, watch: MemoryWatch) -> Outcome:
    import pebble

    while not wait([future], _LISTEN_EVERY_S).done:
        interruption.check()
    try:
        outcome: Outcome = pickle.loads(future.result())
    except FutureTimeoutError:
        return Outcome(key, None, f"stopped: it passed the limit of {timeout_s:g} s", "timeout", timeout_s)
    except pebble.ProcessExpired as err:
        interruption.check_death(err.exitcode)
        if err.pid in watch.stopped:
            limit = f"{watch.limit_gb:g} GB of memory"
            return Outcome(key, None, f"stopped: it passed the limit of {limit} (extract.memory_gb)", "memory")
        return Outcome(key, None, f"the worker process died ({_how_it_died(err.exitcode)})", "crashed")
    return outcome


def _how_it_died(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    name = str(-exit_code)
    with contextlib.suppress(ValueError):
        name = signal.Signals(-exit_code).name
    return f"signal {name}" + (", often for lack of memory" if name == "SIGKILL" else "")
