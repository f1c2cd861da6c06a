"""Logs: one JSONL file per process in RUN/logs, in which every line says when, where and for which task it was written.

A log is for people who look for what happened; no stage reads it. Where it cannot be written (a full disk, a run folder
that is read only) that is reported once on stderr, and the work goes on.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts.process import batch_job, this_process
from mtpkd_cli.errors import MtpkdError

_LOGGER = logging.getLogger("mtpkd")
_LOGGER.setLevel(logging.INFO)
_LOGGER.propagate = False
_LOGGER.addHandler(logging.NullHandler())


def log(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Writes one line to the log of this process, where it has one.

    Args:
        event: What happened, in a word or a sentence.
        level: A level of the library logging.
        **fields: What belongs to it, as plain data: stage, unit, fold, seed, seconds, exit_code ...
    """
    _LOGGER.log(level, event, extra={"fields": fields})


@contextmanager
def logged(folder: Path | None, command: str) -> Iterator[None]:
    """Within the block this process has a log; an error that ends the block is its last line.

    Args:
        folder: Where logs lie; None = no log.
        command: What the process does, part of the file's name.
    """
    if folder is None:
        yield
        return
    handler = _JsonLines(folder, command)
    _LOGGER.addHandler(handler)
    try:
        log("begun", arguments=sys.argv[1:], directory=os.getcwd())
        yield
        log("ended", exit_code=0)
    except BaseException as err:
        code = err.exit_code if isinstance(err, MtpkdError) else 1
        log("ended", level=logging.ERROR, exit_code=code, error=f"{type(err).__name__}: {err}")
        raise
    finally:
        _LOGGER.removeHandler(handler)
        handler.close()


class _JsonLines(logging.Handler):
    """Appends one JSON object per record; the file is made with the first."""

    def __init__(self, folder: Path, command: str) -> None:
        super().__init__()
        process, now = this_process(), datetime.now(UTC)
        self.path = folder / f"{now:%Y%m%dT%H%M%S}-{command}-{process.machine}-{process.pid}.jsonl"
        self.about = {"host": process.machine, "pid": process.pid} | batch_job()
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self.about,
            **getattr(record, "fields", {}),
            "event": record.getMessage(),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Opened for each line: a log holds no file open on a shared file system, and every line is there at once.
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        except OSError as err:
            if not self._broken:
                with suppress(OSError):  # stderr may go to the same disk
                    print(f"no log: {self.path}: {err.strerror}", file=sys.stderr, flush=True)
            self._broken = True
