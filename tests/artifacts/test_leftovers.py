"""What a killed process leaves in a shared folder is taken away; what a living one writes is not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mtpkd_cli.artifacts import remove_leftovers, replaced_folder, write_text
from mtpkd_cli.artifacts.atomic import FOREIGN_LEFTOVER_S

HALF = """
import os, signal, sys
from pathlib import Path
from mtpkd_cli.artifacts import replaced_folder, atomic
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "folder":
    with replaced_folder(Path(sys.argv[1]) / "align") as out:
        (out / "model").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
atomic.write_text(Path(sys.argv[1]) / "a.json", "half")
"""


def _killed(folder: Path, what: str) -> list[str]:
    subprocess.run([sys.executable, "-c", HALF, str(folder), what], check=False, timeout=60)
    return sorted(path.name for path in folder.iterdir())


def test_a_file_of_a_killed_process_goes_with_the_next_writing(tmp_path: Path) -> None:
    [left] = _killed(tmp_path, "file")
    assert left.startswith(".a.json.")
    write_text(tmp_path / "a.json", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_of_a_killed_process_goes_with_the_next_writing(tmp_path: Path) -> None:
    [left] = _killed(tmp_path, "folder")
    assert (tmp_path / left / "model").read_text() == "half"
    with replaced_folder(tmp_path / "align") as out:
        (out / "model").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["align"]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "align"):
        assert remove_leftovers(tmp_path) == []
        assert len(list(tmp_path.iterdir())) == 1


def test_a_number_that_was_given_to_another_process_is_no_life(tmp_path: Path) -> None:
    with replaced_folder(tmp_path / "align") as out:
        mine = out.name
    before = mine.rpartition("-")[0] + "-1"
    (tmp_path / before).mkdir()
    assert remove_leftovers(tmp_path) == [before]


def test_another_machine_is_given_a_day(tmp_path: Path) -> None:
    path = tmp_path / ".part-00001.parquet.node7_4026531836@1-77"
    path.touch()
    assert remove_leftovers(tmp_path) == []
    old = time.time() - FOREIGN_LEFTOVER_S - 60
    os.utime(path, (old, old))
    assert remove_leftovers(tmp_path) == [path.name]


@pytest.mark.parametrize("name", [".gitignore", ".a.json", ".DS_Store", ".user@host", ".b.1234", "a@1-2"])
def test_other_hidden_files_are_nobodys_leftovers(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert remove_leftovers(tmp_path) == []
    assert (tmp_path / name).exists()
