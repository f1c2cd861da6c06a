"""What librosa compiles, kept so that processes which compile at the same time do not break it for each other."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mtpkd_cli

# Two functions that numba compiles on import, as librosa's modules do.
TINY = """\
import numba

@numba.guvectorize(["(float64[:], float64[:])"], "(n)->(n)", cache=True, nopython=True)
def twice(x, out):
    for i in range(len(x)):
        out[i] = 2 * x[i]

@numba.guvectorize(["(float64[:], float64[:])"], "(n)->(n)", cache=True, nopython=True)
def thrice(x, out):
    for i in range(len(x)):
        out[i] = 3 * x[i]
"""
PROGRAM = """\
import numpy as np
from mtpkd_cli.encoders import _librosa
_librosa._COMPILING = ("tiny",)
lines = []
_librosa.prepare(lines.append)
_librosa.load_librosa()
import tiny
print(len(lines), tiny.thrice(tiny.twice(np.ones(1)))[0])
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "tiny.py").write_text(TINY)
    return tmp_path


def _start(place: Path, cache: Path) -> "subprocess.Popen[str]":
    root = Path(mtpkd_cli.__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{root}", "XDG_CACHE_HOME": str(cache)}
    env.pop("NUMBA_CACHE_DIR", None)
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True)


def _results(*processes: "subprocess.Popen[str]") -> list[str]:
    outputs = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


@pytest.mark.slow
def test_processes_that_start_together_share_one_whole_folder(place: Path) -> None:
    cache = place / "cache"
    assert _results(*(_start(place, cache) for _ in range(4))) == ["1 6.0"] * 4
    (folder,) = (cache / "mtpkd" / "compiled").iterdir()  # nothing half made beside it
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert len(files) == 8  # an index and the code, of the loop and of its wrapper, for two functions
    assert _results(_start(place, cache)) == ["0 6.0"]  # no need to say that it compiles
    assert files == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert not list(place.rglob("__pycache__/*.nb?"))  # nor where numba would put it


def test_a_cache_that_cannot_be_written_is_done_without(place: Path) -> None:
    (place / "cache").write_text("a file, where a folder would have to be")
    assert _results(_start(place, place / "cache")) == ["1 6.0"]


def test_encoders_import_librosa_in_one_place() -> None:
    root = Path(mtpkd_cli.__file__).parent
    importing = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "librosa" for name in names):
                importing.add(path.relative_to(root).as_posix())
    assert importing == {"encoders/_librosa.py"}
