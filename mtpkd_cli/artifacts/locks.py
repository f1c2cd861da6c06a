"""Locks between processes that share a run folder, on one machine or many, on local disks and network file systems.

A lock is a file that says who holds it. It comes to be by a hard link, which exactly one process can make even on old
versions of NFS; a thread of the holder touches it all the while. A lock is stale where its process is gone from this
machine, or is another machine's and has been silent for SILENT_S. Ages are differences between two times of the file
system, so clocks of machines need not agree.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.heartbeats import heartbeats
from mtpkd_cli.artifacts.process import Process, batch_job, this_process
from mtpkd_cli.artifacts.stale_locks import NO_LINKS, put_aside, text_of, time_at
from mtpkd_cli.errors import Busy
from mtpkd_cli.storage import writing

SILENT_S = 300.0
_POLL_S = 0.2


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Args:
        process: Where it runs.
        since: When it took the lock, ISO 8601 in UTC.
        batch: The batch job that it belongs to, see `batch_job`.
        silent_s: Time since it was last heard of.
    """

    process: Process
    since: str
    batch: dict[str, str]
    silent_s: float

    @property
    def lives(self) -> bool:
        """Whether it is still at work, as far as can be seen from here."""
        lives = self.process.lives
        return self.silent_s < SILENT_S if lives is None else lives

    def __str__(self) -> str:
        job = self.batch.get("job")
        batch = f", Slurm job {job}" if job else ""
        return f"process {self.process.pid} on {self.process.machine} since {self.since}{batch}"


@contextmanager
def locked(path: Path, label: str, wait_s: float = 0.0) -> Iterator[None]:
    """Holds a lock while the block runs.

    Args:
        path: The lock's file; its folder is made where there is none.
        label: What the lock is for, as people call it.
        wait_s: How long to wait for a living holder.

    Raises:
        Busy: Another process holds it, and still did after `wait_s`.
    """
    about = {"since": datetime.now(UTC).isoformat(timespec="seconds"), "batch": batch_job()}
    process = this_process()
    mine = json.dumps({"host": process.host, "pid": process.pid, "start": process.start} | about)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    while not _try_to_take(path, mine):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
            holder = _holder(path, text)
        except FileNotFoundError:
            continue  # it was given back meanwhile
        if holder is None or not holder.lives:
            with writing(path):
                put_aside(path, text)
        elif time.monotonic() >= deadline:
            raise Busy(
                f"{label} is being made by {holder}",
                where=path,
                todo="let it end, then run this command again; what a process that is gone held is taken over by itself"
                + ("" if holder.process.lives else f", {SILENT_S / 60:g} minutes after it was last heard of"),
            )
        else:
            interruption.check()
            time.sleep(_POLL_S)
    heartbeats.add(path)
    try:
        yield
    finally:
        heartbeats.remove(path)
        # Where the disk has failed, what failed tells it; the lock is stale once this process is gone.
        with suppress(OSError):
            if text_of(path) == mine:
                path.unlink(missing_ok=True)


def holder_of(path: Path) -> Holder | None:
    """Returns who holds a lock, living or not; None where nobody does."""
    try:
        return _holder(path, path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None


def _try_to_take(path: Path, content: str) -> bool:
    """Tries to make the lock's file with this content; False where there is one."""
    beside = path.with_name(f".{path.name}.{this_process()}")
    with writing(path):
        try:
            beside.write_text(content, encoding="utf-8")
            try:
                os.link(beside, path)
            except FileExistsError:
                # On NFS the answer to a link that was made may be lost and the link be asked for twice.
                return beside.stat().st_nlink == 2
            except OSError as err:
                if err.errno not in NO_LINKS:
                    raise
                return _try_to_create(path, content)
            return True
        finally:
            beside.unlink(missing_ok=True)


def _try_to_create(path: Path, content: str) -> bool:
    """Tries to make the lock's file on a file system without hard links; False where there is one."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _holder(path: Path, text: str) -> Holder | None:
    """Reads a lock; None where it says nothing and is old, as after a crash between its making and its first content.

    Raises:
        FileNotFoundError: It was given back meanwhile.
    """
    silent_s = time_at(path) - path.stat().st_mtime
    try:
        content = json.loads(text)
        process = Process(str(content["host"]), int(content["pid"]), str(content["start"]))
        return Holder(process, str(content["since"]), dict(content["batch"]), silent_s)
    except (ValueError, KeyError, TypeError):
        return Holder(Process("unknown", 0, "0"), "?", {}, silent_s) if silent_s < SILENT_S else None
