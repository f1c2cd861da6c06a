"""Isolated worker processes: a task that raises, crashes, hangs or eats memory costs only itself.

Native decoders can abort, loop for ever or ask for all memory on a damaged file, so each task runs in a worker process
under limits of time and memory, and no worker outlives this process, whatever ends it. A worker that dies or is stopped
is replaced, its task is recorded as failed, and the other tasks go on. Workers are spawned, never forked: libraries
with threads of their own do not survive a fork. A script that calls this at its top level therefore needs `if __name__
== "__main__":`.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from mtpkd_cli.errors import Interrupted, MtpkdError
from mtpkd_cli.media._worker_limits import MemoryWatch, end_with_parent

ErrorKind = Literal["", "raised", "crashed", "timeout", "memory"]

_IN_FLIGHT_PER_WORKER = 4
# Native libraries leak a little with every file; a fresh process now and then bounds that.
_TASKS_PER_PROCESS = 256
_PROGRAM = f"{__name__.partition('.')[0]}."
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One call of the function.

    Args:
        key: Name of the task in its outcome.
        args: Positional arguments, picklable.
    """

    key: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one task.

    Args:
        key: The task's key.
        value: What the function returned; None where it failed.
        error: None where it succeeded, else the message to show.
        error_kind: "" succeeded, "raised" an exception, "crashed" the worker died, "timeout" and "memory" a limit was
            passed.
        seconds: Wall time in the worker, the limit for a timeout; None where the worker died with its clock.
        module: The module of this program in which an exception arose; "" where there is none.
    """

    key: str
    value: Any = None
    error: str | None = None
    error_kind: ErrorKind = ""
    seconds: float | None = None
    module: str = ""


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
        memory_gb: Limit for one worker's resident memory in GB (10^9 bytes), where the system tells it (Linux); 0 =
            none.

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
        return (_attempt(task.key, function, task.args) for task in tasks)
    return _run_in_pool(function, iter(tasks), workers, timeout_s, memory_gb)


def _run_in_pool(
    function: Callable[..., Any], tasks: Iterator[Task], workers: int, timeout_s: float, memory_gb: float
) -> Generator[Outcome, None, None]:
    import pebble

    pool = pebble.ProcessPool(
        workers,
        _TASKS_PER_PROCESS,
        initializer=_prepare_worker,
        initargs=(os.getpid(),),
        context=multiprocessing.get_context("spawn"),
    )
    waiting: deque[tuple[str, Any]] = deque()
    watch = MemoryWatch(memory_gb)
    try:
        while True:
            for task in islice(tasks, workers * _IN_FLIGHT_PER_WORKER - len(waiting)):
                # Pickled here and read inside the worker's own try: a function that cannot be imported there is then
                # an error of the task, not of the pool.
                payload = pickle.dumps((function, task.args))
                waiting.append((task.key, pool.schedule(_work, args=(task.key, payload), timeout=timeout_s)))
            if not waiting:
                return
            yield _outcome(*waiting.popleft(), timeout_s, watch)
    finally:
        watch.stop()
        pool.stop()
        pool.join()


def _outcome(key: str, future: Any, timeout_s: float, watch: MemoryWatch) -> Outcome:
    import pebble

    try:
        outcome: Outcome = pickle.loads(future.result())
    except FutureTimeoutError:
        return Outcome(key, None, f"stopped: it passed the limit of {timeout_s:g} s", "timeout", timeout_s)
    except pebble.ProcessExpired as err:
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


def _prepare_worker(parent: int) -> None:
    end_with_parent(parent)
    # Python's own handler waits for native code to return; the default action stops a hung decoder at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))


def _work(key: str, payload: bytes) -> bytes:
    start = time.perf_counter()
    try:
        function, args = pickle.loads(payload)
    except Exception as err:
        return pickle.dumps(_raised(key, err, start))
    outcome = _attempt(key, function, args)
    try:
        return pickle.dumps(outcome)
    except Exception as err:
        return pickle.dumps(_raised(key, err, start))


def _attempt(key: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    start = time.perf_counter()
    try:
        value = function(*args)
    except Interrupted:
        raise
    except (Exception, SystemExit) as err:  # a task that asks to exit must not end its caller
        return _raised(key, err, start)
    return Outcome(key, value, seconds=time.perf_counter() - start)


def _raised(key: str, err: BaseException, start: float) -> Outcome:
    message = str(err) if isinstance(err, MtpkdError) else f"{type(err).__name__}: {err}"
    return Outcome(key, None, message, "raised", time.perf_counter() - start, _module_of(err))


def _module_of(err: BaseException) -> str:
    """The innermost module of this program that an exception passed through."""
    names = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(err.__traceback__)]
    return next((name for name in reversed(names) if name.startswith(_PROGRAM) and name != __name__), "")
