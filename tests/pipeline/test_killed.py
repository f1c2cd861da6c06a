"""Signals at random moments of all stages: after a last undisturbed run every artifact is that of an undisturbed study.

The commands run in processes of their own, forked from one that has loaded the libraries, so that a moment costs no
more than what the command does.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtpkd_cli.pipeline import STAGES

MOMENTS = {"extract": 10, "train-teachers": 12, "align": 10, "distill": 14, "evaluate": 4}
SIGNALS = (
    signal.SIGKILL,
    signal.SIGKILL,
    signal.SIGTERM,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
STUDY = {
    'methods = ["student-only", "kd", "pkdot", "mt-pkdot"]': 'methods = ["student-only", "mt-pkdot"]\ncandidates = 2'
}
# One command per line of stdin, each in a process forked from this one. Checkpoints are so frequent that some moments
# fall into the writing of one.
SERVER = """\
import gc, json, os, sys
import matplotlib.pyplot, torch._dynamo  # loaded late otherwise, by every process anew
from mtpkd_cli import interruption, report
from mtpkd_cli.cli import main, work
from mtpkd_cli.stages import align, bank, distill, evaluate, extract, import_features, samples, train_teachers
from mtpkd_cli.training import resuming

resuming.EVERY_S = 0.05
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
gc.freeze()  # or the end of every process would look through all that is loaded
print("loaded", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        interruption.listen()
        print(os.getpid(), flush=True)
        os.dup2(log, 1), os.dup2(log, 2)
        sys.argv = ["mtpkd", *json.loads(line)]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Commands:
    """Runs the command line; `log` holds what it has told."""

    def __init__(self, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-c", SERVER, str(log)]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._answer() == "loaded"

    def run(self, *arguments: object, number: int = 0, after_s: float = 0.0) -> int:
        """Runs a command, signals it with `number` (0 = not at all) after a while, and returns its exit code."""
        assert self.server.stdin is not None
        print(json.dumps([str(argument) for argument in arguments]), file=self.server.stdin, flush=True)
        # Before Python runs the program at all, a signal does what it does to any process; so it waits for this word.
        child = int(self._answer())
        if number:
            time.sleep(after_s)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
        return int(self._answer())

    def _answer(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.communicate()


def _results(tiny: Any, stage: str) -> list[Path]:
    run = tiny.run
    return {
        "extract": [run.root / "features", run.samples, run.splits, run.root / "manifest.json"],
        "train-teachers": [run.repetition(0, 0) / "teachers"],
        "align": [run.align(0, 0), run.bank(0, 0)],
        "distill": [run.repetition(0, 0) / "students"],
        "evaluate": [run.evaluation],
    }[stage]


def _begin_anew(tiny: Any, stage: str) -> None:
    for path in _results(tiny, stage):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _command(tiny: Any, stage: str) -> list[object]:
    return [stage, tiny.run.root] + ([] if stage in ("extract", "evaluate") else ["--fold", 0])


@pytest.mark.slow
def test_signals_at_fifty_random_moments_of_all_stages_change_no_artifact(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    calm = make_tiny(tmp_path / "calm", tiny_table(subjects=8, samples=4), STUDY)
    disturbed = calm.copy(tmp_path / "disturbed")
    rng, seconds, codes = random.Random(5), dict[str, float](), Counter[str]()
    with Commands(tmp_path / "log") as commands:
        for stage in STAGES:
            begun = time.monotonic()
            assert commands.run(*_command(calm, stage)) == 0, commands.log.read_text()
            seconds[stage] = time.monotonic() - begun
            calm.do(stage)  # the other fold
        for stage in STAGES:
            for _ in range(MOMENTS[stage]):
                number, after_s = rng.choice(SIGNALS), rng.uniform(0, seconds[stage])
                code = commands.run(*_command(disturbed, stage), number=number, after_s=after_s)
                assert code in (0, -signal.SIGKILL if number is signal.SIGKILL else 75), commands.log.read_text()
                codes["done" if code == 0 else "killed" if code < 0 else "interrupted"] += 1
                if code == 0:
                    _begin_anew(disturbed, stage)
            assert commands.run(*_command(disturbed, stage)) == 0, commands.log.read_text()
            if stage == "distill":
                shutil.copytree(calm.run.repetition(1, 0), disturbed.run.repetition(1, 0))
        assert "Traceback" not in commands.log.read_text()
    assert sum(codes.values()) == 50
    assert codes["interrupted"] >= 10, codes
    assert codes["killed"] >= 5, codes
    assert disturbed.undone() == set()
    report = "evaluation/report.html"  # tells when and how long
    assert disturbed.artifacts() | {report: ""} == calm.artifacts() | {report: ""}
    assert not list(disturbed.run.root.rglob(".*"))
