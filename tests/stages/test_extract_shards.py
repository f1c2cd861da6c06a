"""Extraction in shards and under SIGKILL: the bytes of an undisturbed run, whoever wrote and whatever died."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import MANIFEST, read_parquet
from mtpkd_cli.artifacts.shards import Shard
from mtpkd_cli.errors import ArtifactError, TooManyFailures

STUDY = """\
[study]
name = "shards"
[data]
adapter = "table"
root = "../data"
folds = 2
options = { file = "samples.csv", media = ["eda"] }
[modalities.eda]
role = "prevalent"
encoder = "signal"
options = { column = "eda", rate_hz = 8.0, time_unit_s = 1.0 }
[modalities.skin]
role = "privileged"
encoder = "signal"
media = "eda"
options = { column = "skin", rate_hz = 4.0, time_unit_s = 1.0 }
[extract]
workers = 0
part_samples = 3
"""
# Writing takes long, so that a kill falls into it; the first line on stdout says that it has begun.
SLOW = """
import os, time
from mtpkd_cli.cli import main
sync = os.fsync
os.fsync = lambda file: (print("writes", flush=True), time.sleep(0.04), sync(file))
main()
"""
TIMES = ("seconds", "written")


@pytest.fixture
def corpus(tmp_path: Path, make_tiny: Callable[..., Any]) -> Any:
    """Twenty samples of ten subjects, one file each: seven parts of two modalities."""
    tiny = make_tiny(tmp_path / "study")
    rng, rows = np.random.default_rng(5), []
    for number in range(20):
        values = rng.normal(size=(96, 2)).cumsum(0).round(4)
        table = pd.DataFrame({"time": np.arange(96) / 32, "eda": values[:, 0], "skin": values[:, 1]})
        table.to_csv(tiny.root / "data" / f"s{number:02d}.csv", index=False)
        rows.append((f"s{number:02d}", f"p{number // 2}", "ab"[number % 2], f"s{number:02d}.csv"))
    pd.DataFrame(rows, columns=["sample_id", "subject", "label", "eda"]).to_csv(
        tiny.root / "data" / "samples.csv", index=False
    )
    tiny.run.study.write_text(STUDY)
    return tiny


def _tree(root: Path) -> dict[str, Any]:
    """Every file below features/, hidden ones too; manifests without their times."""
    tree: dict[str, Any] = {}
    for path in sorted((root / "features").rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.name == MANIFEST:
            content = json.loads(path.read_text())
            tree[name] = {key: value for key, value in content.items() if key not in TIMES}
        elif path.is_file():
            tree[name] = path.read_bytes()
    return tree


@pytest.fixture
def undisturbed(corpus: Any, tmp_path: Path) -> dict[str, Any]:
    alone = corpus.copy(tmp_path / "alone")
    alone.do("extract")
    tree = _tree(alone.run.root)
    assert len(tree) == 2 * (7 + 3)
    return tree


def _start(corpus: Any, *options: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mtpkd_cli", "extract", str(corpus.run.root), *map(str, options)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)


def test_the_last_of_three_shards_seals_the_same_bytes(corpus: Any, undisturbed: dict[str, Any]) -> None:
    for number in (2, 3):
        notes = corpus.do("extract", shard=Shard(number, 3))[1]
        assert any("left to other shards" in note for note in notes)
        assert {"extract eda", "extract skin"} <= corpus.undone()
    corpus.do("extract", shard=Shard(1, 3))
    assert not {"extract eda", "extract skin"} & corpus.undone()
    assert _tree(corpus.run.root) == undisturbed
    assert corpus.do("extract", shard=Shard(2, 3))[0] == 0


def test_shards_that_run_at_the_same_time_seal_the_same_bytes(corpus: Any, undisturbed: dict[str, Any]) -> None:
    """Four processes of a job array, one of them submitted twice, all begin on an empty run folder."""
    array = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "4"}
    running = [_start(corpus, "--shard", "slurm", **array, SLURM_ARRAY_TASK_ID=str(task)) for task in (0, 1, 2, 3, 3)]
    told = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    # Whoever meets another at the same result leaves with 73; sealed it is all the same.
    assert [code for _, code in told[:3]] == [0, 0, 0], told
    assert {code for _, code in told} <= {0, 73}, told
    assert not {"extract eda", "extract skin"} & corpus.undone()
    assert _tree(corpus.run.root) == undisturbed
    assert corpus.do("extract")[0] == 0


def test_two_processes_may_seal_at_once(corpus: Any, undisturbed: dict[str, Any]) -> None:
    corpus.do("extract")
    for name in ("eda", "skin"):
        (corpus.run.features(name) / MANIFEST).unlink()
    running = [_start(corpus, *options) for options in (["--merge"], ["--merge"], ["--shard", "1/2"], [])]
    told = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert {code for _, code in told} <= {0, 73}, told
    assert not {"extract eda", "extract skin"} & corpus.undone()
    assert _tree(corpus.run.root) == undisturbed


def test_merge_reads_nothing_and_names_what_is_missing(corpus: Any, undisturbed: dict[str, Any]) -> None:
    corpus.do("extract", shard=Shard(1, 2))
    with pytest.raises(ArtifactError, match="3 of 7 parts") as caught:
        corpus.do("extract", merge=True)
    assert caught.value.exit_code == 3
    assert "part-00001.parquet" in str(caught.value)
    corpus.do("extract", shard=Shard(2, 2))
    for name in ("eda", "skin"):
        (corpus.run.features(name) / MANIFEST).unlink()
        (corpus.run.features(name) / "failures.parquet").unlink()
    assert corpus.do("extract", merge=True)[0] == 2
    assert _tree(corpus.run.root) == undisturbed


def test_a_shard_that_is_not_the_last_tells_failures_and_leaves_the_ledger_to_the_last(corpus: Any) -> None:
    (corpus.root / "data" / "s00.csv").write_text("time,other\n0,1\n")
    with pytest.raises(TooManyFailures, match="1 of 20 samples"):
        corpus.do("extract", shard=Shard(1, 2), max_failures="0")
    assert not list(corpus.run.features("eda").glob("failures*"))
    assert corpus.do("extract", shard=Shard(1, 2), max_failures="1")[0] == 2
    corpus.do("extract", shard=Shard(2, 2), max_failures="1")
    failures = read_parquet(corpus.run.features("eda") / "failures.parquet").to_pandas()
    assert failures[["sample_id", "stage", "kind"]].to_numpy().tolist() == [["s00", "read", "raised"]]


@pytest.mark.parametrize("options", [("--shard", "3/2"), ("--shard", "1/2", "--merge"), ("--merge", "--overwrite")])
def test_options_that_exclude_each_other_are_2(corpus: Any, options: tuple[str, ...]) -> None:
    process = _start(corpus, *options)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 2, told
    assert "--shard" in told


def _alive_with(text: str) -> list[int]:
    """Processes of this machine whose command line or environment names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if text in (path / "cmdline").read_text() + (path / "environ").read_text():
                found.append(int(path.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sigkill_at_twenty_moments_gives_the_same_bytes_and_no_orphans(
    corpus: Any, undisturbed: dict[str, Any]
) -> None:
    """Killed before and between parts, within the writing of one, and while it seals; at last it may finish."""
    moments, killed, left_over = random.Random(11), 0, 0
    mark = str(corpus.root / "mark")
    for number in range(20):
        workers = int(number % 4 == 0)
        command = [sys.executable, "-c", SLOW, "extract", str(corpus.run.root), "--workers", str(workers), "--quiet"]
        environment = os.environ | {"MTPKD_TEST_MARK": mark}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.5 + workers))
        killed += process.poll() is None
        process.kill()
        process.communicate(timeout=30)
        left_over += len(list(corpus.run.root.rglob(".*")))
        for name in ("eda", "skin"):
            _forget_some(corpus.run.features(name), moments)
    assert killed >= 15
    assert left_over >= 5
    until = time.monotonic() + 5
    while orphans := _alive_with(mark):
        assert time.monotonic() < until, f"{len(orphans)} workers live on"
        time.sleep(0.05)
    last = _start(corpus)
    told = last.communicate(timeout=120)[1]
    assert last.returncode == 0, told
    assert _tree(corpus.run.root) == undisturbed
    assert not [path for path in corpus.run.root.rglob(".*")]


def _forget_some(folder: Path, moments: random.Random) -> None:
    """Takes parts away, so that there is work for the next process to be killed in."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in sorted(folder.glob("part-*")):
        if moments.random() < 0.5:
            path.unlink()
