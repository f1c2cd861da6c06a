"""A limit of worker processes that holds whatever native code does: memory."""

import contextlib
import multiprocessing
import threading

_LOOK_EVERY_S = 0.2


class MemoryWatch:
    """Kills the children of this process whose resident memory passes a limit.

    The parent watches, since native code that eats memory may not let Python run in the worker. A limit on address
    space (RLIMIT_AS) would not do: libraries reserve many times what they use.

    Args:
        limit_gb: Limit for one child in GB (10^9 bytes); 0 = none.
    """

    def __init__(self, limit_gb: float) -> None:
        self.limit_gb = limit_gb
        self.stopped: set[int] = set()
        self._end = threading.Event()
        if limit_gb > 0:
            threading.Thread(target=self._watch, name="memory watch", daemon=True).start()

    def stop(self) -> None:
        """Ends the watch."""
        self._end.set()

    def _watch(self) -> None:
        while not self._end.wait(_LOOK_EVERY_S):
            for child in multiprocessing.active_children():
                if child.pid is not None:
                    self._look_at(child.pid)

    def _look_at(self, pid: int) -> None:
        import psutil

        # A child may end meanwhile.
        with contextlib.suppress(psutil.Error):
            child = psutil.Process(pid)
            if child.memory_info().rss > self.limit_gb * 1e9:
                self.stopped.add(pid)
                child.kill()
