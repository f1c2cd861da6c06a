"""A tiny study of ready features that runs in seconds, one finished copy of it, and the command line."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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
    """Skips what needs a GPU where there is none; `pytest -m gpu` does that alone where there is one."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


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
def finished(tmp_path_factory: pytest.TempPathFactory, make_tiny: Callable[..., Tiny]) -> Tiny:
    """A tiny study of which everything is done; not to be written into."""
    tiny = make_tiny(tmp_path_factory.mktemp("finished") / "study")
    tiny.do()
    return tiny


@pytest.fixture
def tiny(finished: Tiny, tmp_path: Path) -> Tiny:
    """A copy of the finished study."""
    return finished.copy(tmp_path / "copy")


@pytest.fixture(scope="session")
def mtpkd() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own."""

    def call(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mtpkd_cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)

    return call
