"""A disk that fills up or cannot be written: one clear error, nothing lost, and the next run ends as if nothing was."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.errors import StorageError
from mtpkd_cli.pipeline import STAGES
from mtpkd_cli.storage import writing


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"a file system of its own cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextmanager
def _filled(disk: Path, left: int) -> Iterator[None]:
    """Within the block, no more than `left` bytes are free."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with filler.open("wb") as file:
        if free > left:
            os.posix_fallocate(file.fileno(), 0, free - left)
    try:
        yield
    finally:
        filler.unlink()


def _refused(tiny: Any, stage: str, disk: Path, left: int) -> StorageError | None:
    with _filled(disk, left):
        try:
            tiny.do(stage)
        except StorageError as err:
            return err
    return None


@pytest.mark.slow
def test_a_disk_that_fills_up_at_any_write_of_any_stage_loses_nothing(small_disk: Path, finished: Any) -> None:
    tiny, wanted = finished.copy(small_disk / "study"), finished.artifacts()
    for path in tiny.run.root.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != tiny.run.study:
            path.unlink()
    for stage in STAGES:
        left, refusals, before = 0, list[StorageError](), tiny.artifacts()
        while (error := _refused(tiny, stage, small_disk, left)) is not None:
            refusals.append(error)
            after = tiny.artifacts()
            assert {name: after.get(name) for name in before} == before
            left, before = 2 * left + 4096, after
        assert len(refusals) >= 2, stage
        for error in refusals:
            assert error.exit_code == 74
            assert "No space left on device" in error.what
            assert "MB are free there" in str(error.expected)
            assert "free some space" in str(error.todo)
            assert str(small_disk) in str(error.where)
    assert tiny.artifacts() == wanted
    assert not list(small_disk.rglob(".*"))


def test_the_command_line_says_it_and_leaves_with_74(
    small_disk: Path, finished: Any, mtpkd: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    tiny = finished.copy(small_disk / "study")
    shutil.rmtree(tiny.run.student(0, 0, "kd"))
    with _filled(small_disk, 12_288):
        done = mtpkd("distill", tiny.run.root, "--method", "kd", "--fold", 0)
    assert done.returncode == 74, done.stderr
    assert "No space left on device" in done.stderr
    assert "to do: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    tiny.do("distill")
    assert tiny.artifacts() == finished.artifacts()


def test_a_log_on_the_full_disk_does_not_hide_the_exit_code(small_disk: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(small_disk / "study")
    command = [sys.executable, "-m", "mtpkd_cli", "extract", str(tiny.run.root)]
    with (small_disk / "log").open("w") as log, _filled(small_disk, 0):
        done = subprocess.run(command, stdout=log, stderr=log, timeout=120, check=False)
    assert done.returncode == 74


def test_results_that_stdout_does_not_take_are_an_error(small_disk: Path) -> None:
    command = [sys.executable, "-m", "mtpkd_cli", "methods"]
    with (small_disk / "list").open("w") as file, _filled(small_disk, 0):
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 74
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_finished_run_can_be_read_where_it_cannot_be_written(
    small_disk: Path, finished: Any, mtpkd: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    tiny = finished.copy(small_disk / "study")
    wanted = tiny.artifacts()
    (tiny.run.evaluation / "report.html").touch()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        for command, *options in (["status"], ["run", "--jobs", "1"]):
            read = mtpkd(command, tiny.run.root, *options)
            assert read.returncode == 0, read.stderr
        refused = mtpkd("distill", tiny.run.root, "--method", "kd", "--overwrite", "--fold", 0)
        changed = mtpkd("distill", tiny.run.root, "--set", "distill.epochs=3")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    for done in (refused, changed):
        assert done.returncode == 74, done.stderr
        assert "Read-only file system" in done.stderr
        assert "to do: have the disk mounted for writing" in done.stderr
    assert wanted.items() <= tiny.artifacts().items()


@pytest.mark.parametrize(
    ("number", "todo"),
    [
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "right to write"),
        (errno.EIO, "look after the disk"),
        (errno.EFBIG, "ulimit"),
    ],
)
def test_every_refusal_says_what_to_do(tmp_path: Path, number: int, todo: str) -> None:
    with pytest.raises(StorageError) as caught, writing(tmp_path / "not" / "there" / "file"):
        raise OSError(number, os.strerror(number))
    assert f"cannot write file: {os.strerror(number)}" in str(caught.value)
    assert "are free there" in str(caught.value)
    assert todo in str(caught.value)
    assert "run the same command again; what was done is kept" in str(caught.value)
