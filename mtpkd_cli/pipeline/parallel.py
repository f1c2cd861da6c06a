"""Repetitions side by side: (fold, seed) pairs share nothing, so each may have a process of its own."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import Any

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.environment import THREADS, inherited
from mtpkd_cli.errors import Busy, MtpkdError, first_ten
from mtpkd_cli.stages import Job

_LISTEN_EVERY_S = 0.2
# Steps last fractions of a second; a checkpoint of a large model on a slow disk is what takes time.
_TIME_TO_LEAVE_S = 60.0


class Collected:
    """A reporter for processes that have no screen: it keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keeps one line."""
        self.notes.append(text)

    def progress(self, label: str, total: int) -> Callable[[], None]:
        """Counts nothing: the parent counts repetitions."""
        del label, total
        return lambda: None


def side_by_side(function: Callable[..., int], calls: list[tuple[Any, ...]], job: Job, label: str) -> int:
    """Calls `function(*call, job)` for every call in `job.jobs` processes; returns the sum of what they return.

    Notes are passed on as each call ends, in the order of the calls. The first error asks all others to stop and is
    raised here; an interrupt asks them too. They end their step and write their checkpoints; what they had committed
    stays. Calls that meet another process at work stop nothing; one error at the end names them.
    """
    import pebble

    worker_job = replace(job, reporter=Collected(), jobs=1)
    advance = job.reporter.progress(label, len(calls))
    context = multiprocessing.get_context("spawn")
    total, busy = 0, list[Busy]()
    with inherited(dict.fromkeys(THREADS, str(job.threads))):
        stop = context.Event()
        parent = (os.getpid(), stop)
        pool = pebble.ProcessPool(job.jobs, initializer=interruption.follow, initargs=parent, context=context)
        futures = [pool.schedule(_in_process, args=(function, call, worker_job)) for call in calls]
        try:
            for future in futures:
                try:
                    made, notes = _result(future)
                except Busy as err:
                    made, notes = 0, []
                    busy.append(err)
                total += made
                for note in notes:
                    job.reporter.note(note)
                advance()
        except Exception:
            stop.set()
            wait(futures, _TIME_TO_LEAVE_S)
            raise
        finally:
            pool.stop()
            pool.join()
    if busy:
        raise all_busy(busy, label)
    return total


def all_busy(errors: list[Busy], label: str) -> Busy:
    """One error for all results that other processes are making."""
    if len(errors) == 1:
        return errors[0]
    results = first_ten([err.what for err in errors])
    return Busy(f"{label}: other processes are making what is left:\n{results}", todo=errors[0].todo)


def _result(future: Future[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    import pebble

    while not wait([future], _LISTEN_EVERY_S).done:
        interruption.check()
    try:
        return future.result()
    except pebble.ProcessExpired as err:
        interruption.check_death(err.exitcode)
        raise MtpkdError(
            f"a process that did a repetition has died (exit code {err.exitcode})",
            expected="-9 is often for lack of memory",
            todo="run it again, with fewer --jobs",
        ) from err


def _in_process(function: Callable[..., int], call: tuple[Any, ...], job: Job) -> tuple[int, list[str]]:
    reporter = Collected()
    # The pool's own handler leaves at once; this lets a step and its checkpoint be ended first.
    with interruption.listening(), logged(job.logs, "repetition"):
        interruption.check()
        return function(*call, replace(job, reporter=reporter)), reporter.notes
