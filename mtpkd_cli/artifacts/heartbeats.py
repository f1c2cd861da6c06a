"""Heartbeats: one thread touches the locks of this process, so that other machines see that it lives."""

import os
import threading
import time
from pathlib import Path

HEARTBEAT_S = 20.0


class Heartbeats:
    """Touches every path that was added, until it is removed; the thread begins with the first path."""

    def __init__(self, every_s: float = HEARTBEAT_S) -> None:
        self.every_s = every_s
        self._paths: set[Path] = set()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, path: Path) -> None:
        """Begins to touch a path."""
        with self._changing:
            self._paths.add(path)
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="mtpkd-heartbeats", daemon=True)
                self._thread.start()

    def remove(self, path: Path) -> None:
        """Touches a path no more."""
        with self._changing:
            self._paths.discard(path)

    def _beat(self) -> None:
        while True:
            time.sleep(self.every_s)
            with self._changing:
                paths = list(self._paths)
            for path in paths:
                try:
                    os.utime(path)
                except OSError:  # gone, or the file system is: the work itself will say so
                    continue


heartbeats = Heartbeats()
