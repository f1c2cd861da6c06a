"""What a disk is like: its file system, whether it has hard links, and what its clock says."""

import os
import time
from pathlib import Path

from mtpkd_cli.artifacts.process import this_process


def file_system_of(folder: Path) -> str:
    """The type of the file system that a folder is on, such as ext4, apfs, nfs4 or lustre; "unknown" if nobody says."""
    import psutil

    try:
        # Network file systems and those in memory have no device, so all are asked for.
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return "unknown"
    real, best, kind = folder.resolve(), Path(), "unknown"
    for mount in mounts:
        path = Path(mount.mountpoint)
        # What is mounted last lies on top.
        if real.is_relative_to(path) and len(path.parts) >= len(best.parts):
            best, kind = path, mount.fstype
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
    """How far the clock of a folder's file system is ahead of this machine's, in seconds.

    Raises:
        OSError: Nothing can be written there.
    """
    probe = folder / f".mtpkd-doctor-clock.{this_process()}"
    try:
        probe.touch()
        return probe.stat().st_mtime - time.time()
    finally:
        probe.unlink(missing_ok=True)
