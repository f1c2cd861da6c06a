"""Signals that ask the program to stop: a handler takes note, and the work leaves at its next safe point.

Nothing is raised wherever the program happens to be: native code, clean-up and half-made results are left in peace, and
a fit can write its checkpoint first. Work calls `check()` between its steps. Only a second Ctrl-C leaves at once.
Processes that a program starts for parts of its work are asked by an event (`follow`) and end when it ends.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

from mtpkd_cli.errors import Interrupted

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))
"""Schedulers warn with SIGUSR1, SIGUSR2 or SIGTERM, people with Ctrl-C."""

# `timeout` and some shells signal a process and then its whole group: that is one Ctrl-C, not two.
_SAME_SIGNAL_S = 0.5
_PR_SET_PDEATHSIG = 1


class _Asked:
    """What this process was asked; `parent` is set where it follows another."""

    by: signal.Signals | None = None
    at: float = 0.0
    parent: Event | None = None


def listen(tell: Callable[[str], None] = lambda _: None) -> dict[int, Any]:
    """From now on the four signals are noted; returns the handlers that were there before.

    Args:
        tell: Called with one line at the first signal, out of a signal handler.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        received, now = signal.Signals(number), time.monotonic()
        if _Asked.by is None:
            _Asked.by, _Asked.at = received, now
            again = "; Ctrl-C again leaves at once" if received is signal.SIGINT else ""
            tell(f"{received.name}: ending this step{again}")
        elif received is signal.SIGINT and now - _Asked.at > _SAME_SIGNAL_S:
            # No KeyboardInterrupt: the command line's library makes another exit code of it.
            raise SystemExit(Interrupted.exit_code)

    return {number: signal.signal(number, note) for number in SIGNALS}


def end_listening() -> None:
    """All is done and reported: a signal from now on, while Python takes itself down, does not change the exit code."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def listening() -> Iterator[None]:
    """Within the block the four signals are noted; then the former handlers are back, and a request is forgotten."""
    before = listen()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _Asked.by = None


def asked() -> bool:
    """Whether this process was asked to stop."""
    return _Asked.by is not None or (_Asked.parent is not None and _Asked.parent.is_set())


def check() -> None:
    """Raises Interrupted where this process was asked to stop; call it where leaving costs nothing."""
    if asked():
        by = _Asked.by.name if _Asked.by else "the process that it works for"
        raise Interrupted(f"stopped by {by}")


def check_death(exit_code: int, wait_s: float = 1.0) -> None:
    """Raises Interrupted where a worker that ended with this code was stopped by what stops this process too.

    A scheduler signals all processes of a job, and a worker may die of it before this process has heard.
    """
    until = time.monotonic() + wait_s
    while -exit_code in SIGNALS and not asked() and time.monotonic() < until:
        time.sleep(0.01)
    check()


def follow(parent: int, stop: Event | None = None) -> None:
    """Called in a worker: it is asked to stop when `stop` is set, and is killed when its parent ends, even by SIGKILL.

    Args:
        parent: Number of the process that the worker works for.
    """
    _Asked.parent = stop
    for number in set(SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        # Holds even while native code does not let Python run.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_after_parent, name="end with parent", daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
