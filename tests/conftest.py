"""A tiny study of ready features that runs in seconds, one finished copy of it, and the command line."""

import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

# Before torch is loaded anywhere: several threads on a busy machine are many times slower, and results of other numbers
# of threads differ in the last bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study, read_study, set_keys
from mtpkd_cli.pipeline import STAGES, Choice, State, States, do_stage, units_of
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Extraction, Job

STUDY = """\
# a tiny study
[study]
name = "tiny"          # no more than that

[data]
adapter = "features"
root = "../data"
folds = 2
options = { file = "table.parquet" }

[modalities.face]
role = "prevalent"

[modalities.eda]
role = "privileged"

[model]
embedding = 6

[train]
epochs = 2
crossfit_folds = 2

[align]
epochs = 2

[distill]
methods = ["student-only", "kd", "pkdot", "mt-pkdot"]
epochs = 2
anchors_k = 5

[evaluate]
resamples = 100
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that workers that share files end at the same time.

    What needs a GPU is skipped where there is none; `pytest -m gpu` does that alone where there is one.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


@pytest.fixture(params=["a fifth", pytest.param("all", marks=pytest.mark.stress)])
def thinned(request: pytest.FixtureRequest) -> Callable[[Iterable[Any]], list[Any]]:
    """Cases -> those to go through: one of every five, or, in a second test that has the mark stress, all of them."""
    if request.param == "all":
        return list
    draws = random.Random(5)  # not each fifth, which would always meet the same of kinds that take turns

    def thin(cases: Iterable[Any]) -> list[Any]:
        every = list(cases)
        return [draws.choice(every[first : first + 5]) for first in range(0, len(every), 5)]

    return thin


@dataclass(frozen=True)
class Tiny:
    """A run folder `run` beside its corpus `data`, which holds table.parquet."""

    root: Path

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.root / "run")

    @property
    def table(self) -> Path:
        return self.root / "data" / "table.parquet"

    @property
    def study(self) -> Study:
        return read_study(self.run.study)

    def put(self, *assignments: str) -> None:
        set_keys(self.run.study, list(assignments))

    def do(self, *stages: str, choice: Choice | None = None, **job: Any) -> tuple[int, list[str]]:
        """Does stages (all of them where none is named); returns how many units were made, and what was told."""
        reporter = Collected()
        told = {field.name: job.pop(field.name) for field in fields(Extraction) if field.name in job}
        extraction = Extraction(**{"root": self.run.data_root(self.study.data.root)} | told)
        made = [
            do_stage(self.run, self.study, stage, choice or Choice(), Job(reporter, extraction=extraction, **job))
            for stage in stages or STAGES
        ]
        return sum(made), reporter.notes

    def states(self) -> dict[str, State]:
        """Label of each unit -> its state."""
        units = units_of(self.run, self.study)
        states = States(self.run, self.study, units)
        return {unit.label: states.of(unit) for unit in units}

    def undone(self) -> set[str]:
        """Labels of the units that are stale or missing."""
        return {label for label, state in self.states().items() if state.kind != "done"}

    def artifacts(self) -> dict[str, Any]:
        """Path in the run -> content of everything that was made; manifests without times."""
        found: dict[str, Any] = {}
        for path in sorted(path for path in self.run.root.rglob("*") if path.is_file()):
            name = self.run.relative(path)
            if path.name == "manifest.json":
                found[name] = json.loads(path.read_text()) | {"seconds": 0, "written": ""}
            elif name.split("/")[0] not in ("tasks", "logs"):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def copy(self, root: Path) -> "Tiny":
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Tiny(root)


def _table(subjects: int = 12, samples: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = [(f"p{s:02d}-{i}", f"p{s:02d}", i % 2) for s in range(subjects) for i in range(samples)]
    table = pd.DataFrame(rows, columns=["sample_id", "subject", "label"])
    for modality, size, shift in (("face", 5, 0.5), ("eda", 3, 1.0)):
        for j in range(size):
            table[f"{modality}__f{j}"] = rng.normal(size=len(table)) + shift * table["label"]
    table["valence"] = table["face__f0"] + 0.3 * rng.normal(size=len(table))
    return table


@pytest.fixture(scope="session")
def tiny_table() -> Callable[..., pd.DataFrame]:
    """(subjects, samples of each) -> the table of a tiny corpus: two modalities, two classes, one target."""
    return _table


@pytest.fixture(scope="session")
def make_tiny() -> Callable[..., Tiny]:
    """(folder, table, replaced parts of study.toml) -> a tiny study of which nothing is done."""

    def make(root: Path, table: pd.DataFrame | None = None, study: dict[str, str] | None = None) -> Tiny:
        tiny, text = Tiny(root), STUDY
        for old, new in (study or {}).items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        tiny.table.parent.mkdir(parents=True)
        tiny.run.root.mkdir()
        (_table() if table is None else table).to_parquet(tiny.table)
        tiny.run.study.write_text(text)
        return tiny

    return make


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """(name, make) -> a folder that `make(folder)` fills once for all workers of this session; not to be written into.

    Whoever needs it first makes it, and the others wait for it.
    """
    place = tmp_path_factory.getbasetemp()
    place = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = place / name, place / f"{name}.done"
        with (place / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker to which an error happened
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return once


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Of the report's figures draws these alone, where a test is about them: drawing is what takes time."""
    from mtpkd_cli.report import page  # with all that draws, which few tests need
    from mtpkd_cli.report.drawing import Block

    def choose(*names: str) -> None:
        empty = {name: lambda _results: Block(absent="not drawn") for name in page.FIGURES}
        monkeypatch.setattr(page, "FIGURES", empty | {name: page.FIGURES[name] for name in names})

    return choose


@pytest.fixture(scope="session")
def finished(made_once: Callable[..., Path], make_tiny: Callable[..., Tiny]) -> Tiny:
    """A tiny study of which everything is done; not to be written into."""
    return Tiny(made_once("finished", lambda folder: make_tiny(folder / "study").do()) / "study")


@pytest.fixture
def tiny(finished: Tiny, tmp_path: Path) -> Tiny:
    """A copy of the finished study."""
    return finished.copy(tmp_path / "copy")


# The command line in processes that are forked from one which has loaded the libraries: a command costs no more than
# what it does. Each line of stdin begins one, or waits for one to end.
SERVER = """\
import atexit, importlib, json, os, pkgutil, signal, sys, time
import matplotlib.pyplot, torch._dynamo  # loaded late otherwise, by every process anew
from mtpkd_cli import cli, interruption, report, stages

for module in pkgutil.iter_modules(stages.__path__):
    importlib.import_module(f"{stages.__name__}.{module.name}")
print("loaded", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "pid" in asked:
        until = time.monotonic() + asked["timeout_s"]
        while not (ended := os.waitpid(asked["pid"], os.WNOHANG))[0]:
            if time.monotonic() > until:
                os.kill(asked["pid"], signal.SIGKILL)
            time.sleep(0.005)
        print(os.waitstatus_to_exitcode(ended[1]), flush=True)
    elif os.fork() == 0:
        interruption.listen()
        files = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND) for path in asked["files"]]
        print(os.getpid(), flush=True)
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        exec(asked["first"])
        sys.argv = ["mtpkd", *asked["arguments"]]
        try:
            cli.main()
        except SystemExit as end:
            atexit._run_exitfuncs()
            os._exit(end.code)  # to take down all that is loaded would last longer than most commands
"""
# Runs before a command: of the report's figures these alone are drawn, which is what takes time.
DRAWING = """\
from mtpkd_cli.report import page
from mtpkd_cli.report.drawing import Block
page.FIGURES |= dict.fromkeys(page.FIGURES.keys() - {kept}, lambda _results: Block(absent="not drawn"))
"""


@dataclass(frozen=True)
class Command:
    """A command that runs, or has ended."""

    commands: "Commands"
    arguments: list[str]
    pid: int
    stdout: Path
    stderr: Path

    def signal(self, number: int) -> None:
        """Sends a signal, unless the command has ended and been waited for."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Waits for its end; what takes longer is killed."""
        code = int(self.commands.answer(pid=self.pid, timeout_s=timeout_s))
        told = [path.read_text(encoding="utf-8") for path in (self.stdout, self.stderr)]
        return subprocess.CompletedProcess(self.arguments, code, *told)


class Commands:
    """The command line, each command in a process of its own that has the libraries loaded already."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        command = [sys.executable, "-c", SERVER]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "loaded"

    def start(
        self,
        *arguments: object,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
        first: str = "",
        figures: Iterable[str] | None = None,
    ) -> Command:
        """Begins a command; returns as soon as it listens to signals.

        Args:
            cwd: The folder in which it runs, where it is not that of the tests.
            environment: Variables beside those of the tests.
            first: Lines of Python that its process runs before.
            figures: Those of the report's figures that are drawn, where not all are.
        """
        if figures is not None:
            first += DRAWING.format(kept=set(figures) or "set()")
        self.count += 1
        words = [str(argument) for argument in arguments]
        stdout, stderr = (self.folder / f"{self.count}.{name}" for name in ("out", "err"))
        asked: dict[str, Any] = {"arguments": words, "cwd": str(cwd or Path.cwd()), "first": first}
        asked |= {"environment": os.environ | (environment or {}), "files": [os.devnull, str(stdout), str(stderr)]}
        return Command(self, words, int(self.answer(**asked)), stdout, stderr)

    def run(self, *arguments: object, timeout_s: float = 120, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return self.start(*arguments, **options).end(timeout_s)

    def answer(self, **asked: Any) -> str:
        """What the process from which all are forked says to a line."""
        assert self.server.stdin is not None
        print(json.dumps(asked), file=self.server.stdin, flush=True)
        return self._line()

    def _line(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The command line in processes that can be signalled and run side by side."""
    commands = Commands(tmp_path_factory.mktemp("commands"))
    yield commands
    commands.server.communicate()


@pytest.fixture(scope="session")
def mtpkd(commands: Commands) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own, to its end."""
    return commands.run


@pytest.fixture(scope="session")
def mtpkd_anew() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as a shell does, where it matters what is loaded and what libraries read as they load."""

    def call(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mtpkd_cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)

    return call
