"""What this machine has for mtpkd, and what is wrong with it: libraries, devices, codecs, disks, Slurm.

Whatever might crash or hang (a library's import, a decoder) is tried in a process of its own.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mtpkd_cli import __version__
from mtpkd_cli.cluster.disks import clock_difference_s, file_system_of, links_here

NEEDED = {
    "torch": "torch",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "POT": "ot",
    "av": "av",
    "librosa": "librosa",
    "neurokit2": "neurokit2",
    "opencv-python-headless": "cv2",
    "scikit-learn": "sklearn",
}
"""Distribution -> module that is imported. decord is missing where only PyAV can be had; its codecs are tried below."""

ENOUGH_FREE_GB, CLOCK_S, PATIENCE_S = 2.0, 30.0, 90
_SHARED = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "smbfs", "fuse.sshfs", "ceph", "9p")


@dataclass(frozen=True)
class Finding:
    """One line of the report; `problem` says what to do where something is wrong."""

    topic: str
    name: str
    value: str
    problem: str = ""


def examine(folder: Path) -> list[Finding]:
    """Looks at everything that mtpkd needs.

    Args:
        folder: A run folder, or where one is to be; its disk is looked at.
    """
    return [*_program(), *_libraries(), *_devices(), *_processors(), *_codecs(), *_disk(folder), *_slurm()]


def _program() -> Iterator[Finding]:
    yield Finding("program", "mtpkd", __version__)
    old = "" if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed"
    yield Finding("program", "python", f"{platform.python_version()} on {platform.platform(terse=True)}", old)


def _libraries() -> list[Finding]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        return list(threads.map(_library, NEEDED.items()))


def _library(names: tuple[str, str]) -> Finding:
    distribution, module = names
    try:
        installed = version(distribution)
    except PackageNotFoundError:
        return Finding("library", distribution, "missing", f"pip install {distribution}")
    code, text = _run_python(f"import {module}")
    problem = (
        f"import {module} fails ({_last_line(text)}): pip install --force-reinstall {distribution}" if code else ""
    )
    return Finding("library", distribution, installed, problem)


def _devices() -> Iterator[Finding]:
    code, text = _run_python(
        "import torch\n"
        "print(torch.version.cuda or 'CPU build')\n"
        "for i in range(torch.cuda.device_count()):\n"
        "    p = torch.cuda.get_device_properties(i)\n"
        "    x = torch.ones(8, device=f'cuda:{i}').sum().item()\n"
        "    print(f'{p.name}, {p.total_memory / 1e9:.0f} GB')\n"
    )
    built, *devices = text.split("\n") if not code else [f"unknown: {_last_line(text)}"]
    driver = shutil.which("nvidia-smi") is not None
    problem = ""
    if driver and not devices:
        problem = "there is an NVIDIA driver, but torch cannot compute on it: install the build of torch for its CUDA"
    yield Finding("device", "torch", f"CUDA {built}" if built[:1].isdigit() else built, problem)
    for number, name in enumerate(devices):
        yield Finding("device", f"cuda:{number}", name)


def _processors() -> Iterator[Finding]:
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("processors", "given to this process", f"{given} of {os.cpu_count()}")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    many = threads.isdigit() and int(threads) > given
    todo = f"more threads than processors make everything slower: export OMP_NUM_THREADS={given}" if many else ""
    yield Finding("processors", "OMP_NUM_THREADS", threads or "not set", todo)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
        yield Finding("processors", "memory", f"{memory:.1f} GB")


def _codecs() -> Iterator[Finding]:
    for reader in ("decord", "av"):
        code, text = _run_python(f"from mtpkd_cli.cluster.codecs import try_reader; print(try_reader({reader!r}))")
        # decord has no wheels for some machines; PyAV reads everything there.
        optional = reader == "decord" and "ModuleNotFoundError" in text
        value = "not installed, PyAV reads instead" if optional else "fails" if code else text
        problem = "" if optional or not code else f"{_last_line(text)}: pip install --force-reinstall {reader}"
        yield Finding("video", reader, value, problem)


def _disk(folder: Path) -> Iterator[Finding]:
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    kind = file_system_of(there)
    shared = ", shared between machines" if kind in _SHARED else ""
    yield Finding("disk", str(folder), f"{kind}{shared}")
    free = shutil.disk_usage(there).free / 1e9
    warning = f"less than {ENOUGH_FREE_GB:g} GB: free some before extraction" if free < ENOUGH_FREE_GB else ""
    yield Finding("disk", "free", f"{free:.1f} GB", warning)
    try:
        links, ahead_s = links_here(there), clock_difference_s(there)
    except OSError as err:
        yield Finding("disk", "writing", "refused", f"{err.strerror}: choose another run folder or mend its rights")
        return
    yield Finding("disk", "hard links", "yes" if links else "no: locks fall back to exclusive files")
    skew = "clocks disagree: have the machine's time set by NTP" if abs(ahead_s) > CLOCK_S else ""
    yield Finding("disk", "clock", f"{ahead_s:+.1f} s against this machine's", skew)


def _slurm() -> Iterator[Finding]:
    if shutil.which("sbatch") is None:
        yield Finding("Slurm", "sbatch", "not here; mtpkd slurm writes scripts all the same")
        return
    try:
        command = ["sinfo", "--noheader", "--format=%R %l"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        limits, error = "; ".join(done.stdout.splitlines()), _last_line(done.stderr.strip())
    except (OSError, subprocess.TimeoutExpired) as err:
        limits, error = "", str(err)
    problem = "" if limits else f"sinfo does not answer: {error}"
    yield Finding("Slurm", "partitions and limits", limits or "none", problem)
    job = os.environ.get("SLURM_JOB_ID")
    if job:
        yield Finding("Slurm", "this job", job)


def _run_python(code: str) -> tuple[int, str]:
    """Runs Python code in a process of its own; returns its exit code and what it printed."""
    try:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {PATIENCE_S} s"
    return done.returncode, (done.stdout if done.returncode == 0 else done.stderr).strip()


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2] or "killed"
