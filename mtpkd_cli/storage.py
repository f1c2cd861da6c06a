"""Files that may fail: a full disk or a vanished folder, and what libraries say of a damaged file, become clear errors.

Whatever is written goes through files beside the final ones (artifacts/atomic.py), so a failed write loses nothing:
what was done before stays, and the next run goes on once there is room.
"""

import errno
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtpkd_cli.errors import DataError, MtpkdError, StorageError

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
# What readers of CSV, Parquet, NumPy's arrays, zip and JSON raise for a file that is damaged or of another kind; errors
# of pandas, pyarrow and the decoders of text are kinds of these.
_OF_READERS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


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


@contextmanager
def reading(path: Path, what: str, *, expected: str, todo: str) -> Iterator[None]:
    """Around a library that reads a file of the user's, and nothing else: none of its exceptions gets out raw.

    Args:
        path: The file.
        what: What cannot be read, e.g. "the table".
        expected: What would have been read.
        todo: What mends it.

    Raises:
        DataError: The library cannot read the file, whatever it says of it.
    """
    try:
        yield
    except MtpkdError:
        raise
    except _OF_READERS as err:
        reason = str(err).strip() or type(err).__name__
        raise DataError(f"{what} cannot be read: {reason}", where=path, expected=expected, todo=todo) from err
