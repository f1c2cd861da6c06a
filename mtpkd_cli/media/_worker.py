"""What a worker process of the pool does: one task after the other, whose outcome says what became of it."""

import ctypes
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from mtpkd_cli import interruption
from mtpkd_cli.errors import Interrupted, MtpkdError

ErrorKind = Literal["", "raised", "crashed", "timeout", "memory"]

_PROGRAM = f"{__name__.partition('.')[0]}."
# Numbers of malloc.h, and what a worker keeps at most.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 128 * 2**20


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


def prepare_worker(parent: int) -> None:
    """Called first in a worker of the process `parent`."""
    interruption.follow(parent)
    # Python's handler waits for native code to return; the default action stops a hung decoder at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    # Else glibc returns the frames' memory after each clip and asks for it anew, page by page: a twentieth of the time.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES // 4)


def work(key: str, payload: bytes) -> bytes:
    """Does a pickled (function, arguments); gives the pickled outcome."""
    start = time.perf_counter()
    try:
        function, args = pickle.loads(payload)
    except Exception as err:
        return pickle.dumps(_raised(key, err, start))
    outcome = attempt(key, function, args)
    try:
        return pickle.dumps(outcome)
    except Exception as err:
        return pickle.dumps(_raised(key, err, start))


def attempt(key: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Outcome:
    """Calls a function; whatever it raises becomes its outcome."""
    start = time.perf_counter()
    try:
        value = function(*args)
    except Interrupted:
        raise
    except (Exception, SystemExit) as err:  # a task that asks to exit must not end its caller
        interruption.check()
        return _raised(key, err, start)
    return Outcome(key, value, seconds=time.perf_counter() - start)


def _raised(key: str, err: BaseException, start: float) -> Outcome:
    message = str(err) if isinstance(err, MtpkdError) else f"{type(err).__name__}: {err}"
    return Outcome(key, None, message, "raised", time.perf_counter() - start, _module_of(err))


def _module_of(err: BaseException) -> str:
    """The innermost module of this program that an exception passed through."""
    names = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(err.__traceback__)]
    return next((name for name in reversed(names) if name.startswith(_PROGRAM) and name != __name__), "")
