"""Writing that may fail: a full disk, a quota, a read-only or vanished folder become one clear error.

Whatever is written goes through files beside the final ones (artifacts/atomic.py), so a failed write loses nothing:
what was done before stays, and the next run goes on once there is room.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtpkd_cli.errors import StorageError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_AGAIN = "then run the same command again; what was done is kept"
_TODO = {
    errno.ENOSPC: f"free some space, or move the run folder to a larger disk, {_AGAIN}",
    errno.EDQUOT: f"free some of your quota or have it raised, or move the run folder elsewhere, {_AGAIN}",
    errno.EFBIG: f"raise the limit of file sizes (ulimit -f), {_AGAIN}",
    errno.EROFS: f"have the disk mounted for writing, or copy the run folder to one that is, {_AGAIN}",
    errno.EACCES: f"give yourself the right to write there, or copy the run folder, {_AGAIN}",
    errno.EPERM: f"give yourself the right to write there, or copy the run folder, {_AGAIN}",
    errno.EISDIR: f"a folder has that name: move it away, {_AGAIN}",
    errno.ENOTDIR: f"a file stands where a folder has to be: move it away, {_AGAIN}",
    errno.ENOENT: f"a folder has vanished: have it mounted or put it back, {_AGAIN}",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes, renames or deletes `path`, and nothing else.

    Raises:
        StorageError: The system refuses; the message says why, where, how much is free, and what to do.
    """
    try:
        yield
    except OSError as err:
        known = err.errno if err.errno is not None else -1
        reason = os.strerror(known) if known > 0 else str(err)
        raise StorageError(
            f"cannot write {path.name}: {reason}",
            where=path,
            expected=f"a disk that takes it; {free_space(path)}",
            todo=_TODO.get(known, f"look after the disk or its connection, {_AGAIN}"),
        ) from err


def free_space(path: Path) -> str:
    """What is free on the disk that a path is on, in words: "1.2 of 20.0 MB are free there"."""
    for folder in (path, *path.absolute().parents):
        try:
            disk = os.statvfs(folder)
        except (OSError, AttributeError):  # not there yet; a system without statvfs
            continue
        free, total = disk.f_bavail * disk.f_frsize / 1e6, disk.f_blocks * disk.f_frsize / 1e6
        scale, unit = (1e3, "GB") if total >= 1e4 else (1.0, "MB")
        files = ", and no more files can be made" if disk.f_files and not disk.f_favail else ""
        return f"{free / scale:.1f} of {total / scale:.1f} {unit} are free there{files}"
    return "what is free there cannot be told"
