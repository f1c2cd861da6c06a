"""Takes away the lock of a process that is gone: of many who wait for it exactly one does, and never another's lock."""

import errno
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from mtpkd_cli.artifacts.process import this_process

CLAIM_S = 10.0
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_POLL_S = 0.2


def put_aside(path: Path, stale: str) -> None:
    """Takes a stale lock away, unless it is another's by now.

    Of all who see that it is stale one may, which a hard link decides: its holder is gone, so until that one has
    removed it the lock cannot become another's.
    """
    if text_of(path) != stale:
        return
    claim = claim_of(path, stale)
    try:
        os.link(path, claim)
    except FileNotFoundError:
        return
    except FileExistsError:
        _wait_for(claim)
        return
    except OSError as err:
        if err.errno not in NO_LINKS:
            raise
        path.unlink(missing_ok=True)
        return
    if text_of(claim) == stale:
        path.unlink(missing_ok=True)
    claim.unlink(missing_ok=True)


def claim_of(path: Path, stale: str) -> Path:
    """Returns the link that decides who may take away the lock at `path` that says `stale`."""
    return path.with_name(f".{path.name}.{hashlib.sha256(stale.encode()).hexdigest()[:16]}.stale")


def _wait_for(claim: Path) -> None:
    """Gives somebody time to take a stale lock away; undoes the claim of one who has died over it."""
    with suppress(FileNotFoundError):
        # A link changes the time of its file's status, not of its content.
        if time_at(claim) - claim.stat().st_ctime < CLAIM_S:
            time.sleep(_POLL_S)
        else:
            claim.unlink()


def time_at(path: Path) -> float:
    """Returns the time by the clock of the file system; by this machine's where nothing can be written."""
    probe = path.with_name(f".{path.name}.clock.{this_process()}")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def text_of(path: Path) -> str | None:
    """Returns what a lock says; None where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
