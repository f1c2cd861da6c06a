"""Repetitions side by side: (fold, seed) pairs share nothing, so each may have a process of its own."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn

from mtpkd_cli.stages import Job

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Collected:
    """A reporter for processes that have no screen: it keeps what was said."""

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

    Notes are told as each call ends, in the order of the calls. The first error stops all others and is raised here;
    an interrupt stops them too. What they had committed stays.
    """
    import pebble

    apart = replace(job, reporter=Collected(), jobs=1)
    advance = job.reporter.progress(label, len(calls))
    context = multiprocessing.get_context("spawn")
    total = 0
    with _environment(dict.fromkeys(_ONE_THREAD, str(job.threads))):
        pool = pebble.ProcessPool(job.jobs, context=context)
        try:
            for future in [pool.schedule(_apart, args=(function, call, apart)) for call in calls]:
                made, notes = future.result()
                total += made
                for note in notes:
                    job.reporter.note(note)
                advance()
        finally:
            pool.stop()
            pool.join()
    return total


def _apart(function: Callable[..., int], call: tuple[Any, ...], job: Job) -> tuple[int, list[str]]:
    # The pool's own handler leaves at once; this one lets half-written folders be taken away first.
    pools = signal.signal(signal.SIGTERM, _leave)
    reporter = Collected()
    try:
        return function(*call, replace(job, reporter=reporter)), reporter.notes
    finally:
        signal.signal(signal.SIGTERM, pools)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables that child processes inherit, and puts the old ones back."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
