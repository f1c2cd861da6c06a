"""Tasks: who is making a unit's folder now, and how the last try ended where it failed.

Both are small files in RUN/tasks, beside the results and not among them: a result is the same whoever made it.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from logging import ERROR
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts.atomic import write_json
from mtpkd_cli.artifacts.locks import Holder, holder_of, locked
from mtpkd_cli.artifacts.logs import log
from mtpkd_cli.artifacts.process import batch_job, this_process
from mtpkd_cli.artifacts.run_folder import RunFolder
from mtpkd_cli.errors import Busy, Interrupted, MtpkdError, StorageError
from mtpkd_cli.storage import writing


@dataclass(frozen=True)
class Failure:
    """How the last try of a task ended.

    Args:
        exit_code: What the program left with; None where it was killed and could not say.
        error: The first line of the error.
        host: The machine.
        pid: The process.
        when: ISO 8601, UTC.
        batch: The batch job, see `batch_job`.
    """

    exit_code: int | None
    error: str
    host: str
    pid: int
    when: str
    batch: dict[str, str]


@contextmanager
def task(
    run: RunFolder,
    folder: Path,
    label: str,
    about: dict[str, Any] | None = None,
    *,
    shard: str = "",
    wait_s: float = 0.0,
) -> Iterator[None]:
    """Makes a unit's folder alone among all processes; remembers an error that ends the block, and logs how it went.

    Args:
        run: The run folder.
        folder: What is being made; its name in the run names the task.
        label: How people call it.
        about: What the log's lines say beside the folder: stage, fold, seed.
        shard: Which share of it, "i/n"; shards of one folder do not exclude each other.
        wait_s: How long to wait for another process.

    Raises:
        Busy: Another process makes it.
    """
    lock, failed = run.lock(folder, shard), run.failure(folder)
    about, begun = {"unit": run.relative(folder)} | (about or {}), time.monotonic()
    with locked(lock, label, wait_s):
        log("unit begun", **about)
        try:
            yield
        except (Busy, Interrupted) as err:
            log("unit left", **about, error=str(err))
            raise
        except Exception as err:
            _remember(failed, err)
            log("unit failed", level=ERROR, **about, error=f"{type(err).__name__}: {err}")
            raise
        # Only now: were it killed meanwhile, the lock that it leaves says so.
        if failed.exists():
            with writing(failed):
                failed.unlink(missing_ok=True)
        log("unit ended", **about, seconds=round(time.monotonic() - begun, 3))


def running(run: RunFolder, folder: Path) -> list[Holder]:
    """The living processes that make a folder, one per shard; mostly none or one."""
    return [holder for holder in _holders(run, folder) if holder.lives]


def failure_of(run: RunFolder, folder: Path) -> Failure | None:
    """How the last try of a folder failed; None where it did not."""
    for holder in _holders(run, folder):
        if not holder.lives:
            error = "its process is gone and left no word: killed, out of memory, or its machine went down"
            process = holder.process
            return Failure(None, error, process.machine, process.pid, holder.since, holder.batch)
    try:
        return Failure(**json.loads(run.failure(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _holders(run: RunFolder, folder: Path) -> Iterator[Holder]:
    for path in run.locks(folder):
        holder = holder_of(path)
        if holder is not None:
            yield holder


def _remember(path: Path, err: Exception) -> None:
    process = this_process()
    code = err.exit_code if isinstance(err, MtpkdError) else 1
    error = str(err).partition("\n")[0] if isinstance(err, MtpkdError) else f"{type(err).__name__}: {err}"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        write_json(path, asdict(Failure(code, error, process.machine, process.pid, now, batch_job())))
    except StorageError:
        return  # a full disk, say: the error that is on its way tells more
