"""Processes that write into a run folder, perhaps on several machines: their names, and whether one still lives."""

import os
import re
import socket
from dataclasses import dataclass
from functools import cache, lru_cache

_UNKNOWN = "0"


@dataclass(frozen=True)
class Process:
    """One process of one machine.

    Args:
        host: The machine and, within it, the space that process numbers belong to: every container has one.
        pid: Its number there.
        start: When it began, in hundredths of a second, see `_start_of`; "0" where that was not known.
    """

    host: str
    pid: int
    start: str

    def __str__(self) -> str:
        return f"{self.host}@{self.pid}-{self.start}"

    @property
    def machine(self) -> str:
        """The machine's name, for people."""
        return self.host.rpartition("_")[0] or self.host

    @property
    def lives(self) -> bool | None:
        """Whether it still runs; None where that cannot be asked: of another machine, of unknown start, or hidden."""
        if self.host != this_process().host:
            return None
        try:
            # psutil does not see processes of others where the system hides them, and would call them gone.
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        if self.start == _UNKNOWN:
            return None
        import psutil

        try:
            # The number may have been given to another process since, or nobody may have asked how this one ended.
            ended = psutil.Process(self.pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return not ended and _start_of(self.pid) == self.start
        except psutil.ZombieProcess:
            return False
        except (psutil.Error, OSError):
            return None


def this_process() -> Process:
    """The process that asks."""
    return Process(_host(), os.getpid(), _start_here(os.getpid()))


def batch_job() -> dict[str, str]:
    """Names of the batch job that this process belongs to, as Slurm gives them; empty outside of one."""
    named = {"job": "SLURM_JOB_ID", "array_job": "SLURM_ARRAY_JOB_ID", "array_task": "SLURM_ARRAY_TASK_ID"}
    return {name: os.environ[variable] for name, variable in named.items() if os.environ.get(variable)}


@cache
def _host() -> str:
    try:
        space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    except OSError:
        space = "0"
    return f"{re.sub(r'[^A-Za-z0-9-]', '_', socket.gethostname())}_{space}"


@lru_cache(maxsize=1)
def _start_here(pid: int) -> str:
    """The start of this process; its number tells a fork from what it was forked from."""
    import psutil

    try:
        return _start_of(pid)
    except (psutil.Error, OSError):
        return _UNKNOWN


def _start_of(pid: int) -> str:
    """Digits that two looks at one process agree on, though the clock be set between them.

    Linux keeps a start as the time since the machine started. psutil adds when that was, which moves with the clock, so
    it is taken off again; what is left is what the system says, in its unit, as in the locks of earlier versions.
    Elsewhere the system keeps the time of day at which a process began.
    """
    import psutil

    # Asked for first: earlier versions of psutil (to 7.0) then add this very number.
    since = psutil.boot_time() if psutil.LINUX else 0.0
    return str(round(100 * (psutil.Process(pid).create_time() - since)))
