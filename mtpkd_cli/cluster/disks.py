"""What a disk is like: its file system, whether it has hard links, and what its clock says."""

import os
import time
from pathlib import Path

from mtpkd_cli.artifacts.process import this_process


def file_system_of(folder: Path) -> str:
    """The type of the file system that a folder is on, such as ext4, nfs4 or lustre; "unknown" outside of Linux."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    real, best, kind = folder.resolve(), Path(), "unknown"
    for line in mounts:
        _, point, found, *_ = line.split(" ")
        # Blanks in the names of mount points are written as octal numbers.
        path = Path(point.encode().decode("unicode_escape"))
        if real.is_relative_to(path) and len(path.parts) >= len(best.parts):
            best, kind = path, found
    return kind


def links_here(folder: Path) -> bool:
    """Whether hard links can be made in a folder; raises OSError where nothing can be written."""
    first, second = (folder / f".mtpkd-doctor-{n}.{this_process()}" for n in (1, 2))
    try:
        first.touch()
        try:
            os.link(first, second)
        except OSError:
            return False
        return first.stat().st_nlink == 2
    finally:
        for path in (first, second):
            path.unlink(missing_ok=True)


def clock_difference_s(folder: Path) -> float:
    """How far the clock of a folder's file system is ahead of this machine's; raises OSError as above."""
    probe = folder / f".mtpkd-doctor-clock.{this_process()}"
    try:
        probe.touch()
        return probe.stat().st_mtime - time.time()
    finally:
        probe.unlink(missing_ok=True)
