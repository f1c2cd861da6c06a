"""The doctor sees what is there and what is wrong, and says so to people and scripts."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from mtpkd_cli.cluster import codecs, doctor
from mtpkd_cli.cluster.disks import clock_difference_s, file_system_of, links_here


@pytest.fixture
def no_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No program but Python is found: whether Slurm is installed here is not this test's concern."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.slow
@pytest.mark.usefixtures("no_slurm")
def test_a_machine_on_which_the_tests_run_has_nothing_wrong(tmp_path: Path, mtpkd_anew: Callable[..., Any]) -> None:
    done = mtpkd_anew("doctor", tmp_path / "not" / "yet" / "there", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    content = json.loads(done.stdout)
    assert content["ok"] is True
    values = {(finding["topic"], finding["name"]): finding["value"] for finding in content["findings"]}
    assert values["video", "av"] == "decodes H.264"
    assert values["library", "torch"][0].isdigit()
    assert float(values["disk", "free"].split()[0]) > 0
    assert values["disk", "hard links"] == "yes"
    assert list(tmp_path.glob(".mtpkd*")) == []


@pytest.mark.slow
def test_what_is_wrong_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mtpkd_anew: Callable[..., Any]
) -> None:
    # A library that cannot be loaded, more threads than processors, and a Slurm that does not answer.
    broken = tmp_path / "modules" / "librosa"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libsndfile.so.1 is gone')\n")
    sinfo = tmp_path / "bin"
    sinfo.mkdir()
    for name in ("sinfo", "sbatch"):
        (sinfo / name).write_text("#!/bin/sh\necho 'no controller' >&2; exit 1\n")
        (sinfo / name).chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "modules"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PATH", str(sinfo) + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    done = mtpkd_anew("doctor", tmp_path)
    assert done.returncode == 69
    assert "✗" in done.stdout
    assert "import librosa fails (ImportError: libsndfile.so.1 is gone)" in done.stderr
    assert "export OMP_NUM_THREADS=" in done.stderr
    assert "sinfo does not answer: no controller" in done.stderr


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor, "links_here", refuse)  # root may write everywhere
    findings = {finding.name: finding for finding in doctor._disk(tmp_path)}
    assert "Permission denied: choose another run folder" in findings["writing"].problem


def test_disks_are_told_apart(tmp_path: Path) -> None:
    assert file_system_of(Path("/proc/self")) == "proc"
    if Path("/dev/shm").is_dir():
        assert file_system_of(Path("/dev/shm")) == "tmpfs"
    assert links_here(tmp_path)
    assert abs(clock_difference_s(tmp_path)) < 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_on_what_was_mounted_last_and_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [("/", "ext4"), (f"{tmp_path}/a b", "nfs4"), (str(tmp_path), "tmpfs"), (str(tmp_path), "lustre")]
    mounts = [SimpleNamespace(mountpoint=point, fstype=kind) for point, kind in kinds]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts if all else [])
    (tmp_path / "a b" / "c").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    assert [file_system_of(folder) for folder in (tmp_path / "a b" / "c", tmp_path / "a")] == ["nfs4", "lustre"]
    assert file_system_of(Path("/")) == "ext4"


def test_a_reader_that_gives_frames_in_another_order_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    right = codecs._by_av
    monkeypatch.setattr(codecs, "_by_av", lambda path: right(path)[::-1])
    with pytest.raises(ValueError, match="not in their order"):
        codecs.try_reader("av")


def test_the_clip_is_whole(tmp_path: Path) -> None:
    assert codecs._write_clip(tmp_path / "clip.mp4") == "H.264"
    assert len(codecs._by_av(tmp_path / "clip.mp4")) == codecs.FRAMES
