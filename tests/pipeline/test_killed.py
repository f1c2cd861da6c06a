"""Signals at random moments of all stages: after a last undisturbed run no artifact shows that there were any."""

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtpkd_cli.pipeline import STAGES
from mtpkd_cli.report import page as whole

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
# Checkpoints are so frequent that some moments fall into the writing of one.
OFTEN = "from mtpkd_cli.training import resuming; resuming.EVERY_S = 0.05\n"


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
def test_signals_at_random_moments_of_all_stages_change_no_artifact(
    tmp_path: Path,
    make_tiny: Callable[..., Any],
    tiny_table: Callable[..., pd.DataFrame],
    commands: Any,
    thinned: Callable[[Any], list[Any]],
) -> None:
    calm = make_tiny(tmp_path / "calm", tiny_table(subjects=8, samples=4), STUDY)
    disturbed = calm.copy(tmp_path / "disturbed")
    rng, seconds, codes = random.Random(13), dict[str, float](), Counter[int]()
    # Stage, signal, and after how much of the time that the stage takes.
    moments = [(stage, rng.choice(SIGNALS), rng.uniform(0, 1)) for stage in STAGES for _ in range(MOMENTS[stage])]
    moments = thinned(moments)
    options = {"first": OFTEN, "figures": thinned(whole.FIGURES)}

    def signalled(stage: str, number: int, after_s: float) -> int:
        """Does a stage that is signalled after a while, and sooner where it was done by then; its exit code."""
        while True:
            command = commands.start(*_command(disturbed, stage), **options)
            time.sleep(after_s)
            command.signal(number)
            done = command.end()
            assert done.returncode in (0, -signal.SIGKILL if number == signal.SIGKILL else 75), done.stderr
            assert "Traceback" not in done.stderr
            if done.returncode:
                return int(done.returncode)
            _begin_anew(disturbed, stage)
            after_s /= 2
            assert after_s > 1e-4, "nothing stops it"

    for stage in STAGES:
        begun = time.monotonic()
        done = commands.run(*_command(calm, stage), **options)
        assert done.returncode == 0, done.stderr
        seconds[stage] = time.monotonic() - begun
        calm.do(stage)  # the other fold
    for stage in STAGES:
        for number, share in [(number, share) for at, number, share in moments if at == stage]:
            codes[signalled(stage, number, share * seconds[stage])] += 1
        done = commands.run(*_command(disturbed, stage), **options)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        if stage == "distill":
            shutil.copytree(calm.run.repetition(1, 0), disturbed.run.repetition(1, 0))
    assert codes.total() == len(moments)
    assert codes[75] >= len(moments) / 5, codes
    assert codes[-signal.SIGKILL] >= len(moments) / 10, codes
    assert disturbed.undone() == set()
    report = "evaluation/report.html"  # tells when and how long
    assert disturbed.artifacts() | {report: ""} == calm.artifacts() | {report: ""}
    assert not list(disturbed.run.root.rglob(".*"))
