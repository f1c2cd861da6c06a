"""Processes that write into a run folder, perhaps on several machines: their names, and whether one still lives."""

import os
import re
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_START = 19


@dataclass(frozen=True)
class Process:
    """One process of one machine.

    Args:
        host: The machine and, within it, the space that process numbers belong to: containers have their own.
        pid: Its number there.
        start: When it began, in ticks since the machine started; "0" where the system does not say.
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
        """Whether it still runs; None where that cannot be asked, since it is a process of another machine."""
        if self.host != this_process().host:
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        # The number may have been given to another process since, or nobody may have asked how it ended.
        fields = _stat(self.pid)
        return not fields or (fields[_START] == self.start and fields[0] not in ("Z", "X"))


def this_process() -> Process:
    """The process that asks."""
    return Process(_host(), os.getpid(), _start_of(os.getpid()))


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


def _start_of(pid: int) -> str:
    fields = _stat(pid)
    return fields[_START] if fields else "0"


def _stat(pid: int) -> list[str]:
    """Fields 3 and on of proc(5)'s stat, the state first; none where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The command's name, in brackets, may hold spaces.
    return stat.rpartition(")")[2].split()
