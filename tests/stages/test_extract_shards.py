"""Extraction in shards and under SIGKILL: the bytes of an undisturbed run, whoever wrote and whatever died."""

import json
import os
import random
import signal
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
sync = os.fsync
os.fsync = lambda file: (print("writes", flush=True), time.sleep(0.04), sync(file))
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
    assert len(tree) == 2 * (7 + 4)
    return tree


def _outcomes(processes: list[Any]) -> list[tuple[str, int]]:
    """What commands wrote to stderr, and how they ended."""
    return [(done.stderr, done.returncode) for done in [process.end() for process in processes]]


def test_the_last_of_three_shards_seals_the_same_bytes(corpus: Any, undisturbed: dict[str, Any]) -> None:
    for number in (2, 3):
        notes = corpus.do("extract", shard=Shard(number, 3))[1]
        assert any("left to other shards" in note for note in notes)
        assert {"extract eda", "extract skin"} <= corpus.undone()
    corpus.do("extract", shard=Shard(1, 3))
    assert not {"extract eda", "extract skin"} & corpus.undone()
    assert _tree(corpus.run.root) == undisturbed
    assert corpus.do("extract", shard=Shard(2, 3))[0] == 0


def test_shards_that_run_at_the_same_time_seal_the_same_bytes(
    corpus: Any, undisturbed: dict[str, Any], commands: Any
) -> None:
    """Four processes of a job array, one of them submitted twice, all begin on an empty run folder."""
    array = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "4"}
    tasks = [array | {"SLURM_ARRAY_TASK_ID": str(task)} for task in (0, 1, 2, 3, 3)]
    outcomes = _outcomes(
        [commands.start("extract", corpus.run.root, "--shard", "slurm", environment=task) for task in tasks]
    )
    # Whoever meets another at the same result leaves with 73; sealed it is all the same.
    assert [code for _, code in outcomes[:3]] == [0, 0, 0], outcomes
    assert {code for _, code in outcomes} <= {0, 73}, outcomes
    assert not {"extract eda", "extract skin"} & corpus.undone()
    assert _tree(corpus.run.root) == undisturbed
    assert corpus.do("extract")[0] == 0


def test_two_processes_may_seal_at_once(corpus: Any, undisturbed: dict[str, Any], commands: Any) -> None:
    corpus.do("extract")
    for name in ("eda", "skin"):
        (corpus.run.features(name) / MANIFEST).unlink()
    ways = (["--merge"], ["--merge"], ["--shard", "1/2"], [])
    outcomes = _outcomes([commands.start("extract", corpus.run.root, *options) for options in ways])
    assert {code for _, code in outcomes} <= {0, 73}, outcomes
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
def test_options_that_exclude_each_other_are_2(corpus: Any, options: tuple[str, ...], mtpkd: Any) -> None:
    done = mtpkd("extract", corpus.run.root, *options)
    assert done.returncode == 2, done.stderr
    assert "--shard" in done.stderr


def _alive_with(text: str) -> list[int]:
    """Processes of this machine whose command line or environment names a folder."""
    workers = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if text in (path / "cmdline").read_text() + (path / "environ").read_text():
                workers.append(int(path.name))
        except OSError:
            continue
    return [pid for pid in workers if pid != os.getpid()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sigkill_at_any_moment_gives_the_same_bytes_and_no_orphans(
    corpus: Any, undisturbed: dict[str, Any], commands: Any, thinned: Callable[[Any], list[Any]]
) -> None:
    """Killed before and between parts, within the writing of one, and while it seals; at last it may finish."""
    draws, left_over, codes = random.Random(11), 0, list[int]()
    mark = {"MTPKD_TEST_MARK": str(corpus.root / "mark")}
    moments = [(int(number % 4 == 0), draws.uniform(0.0, 1.0)) for number in range(20)]
    for workers, share in (moments := thinned(moments)):
        options = ("--workers", workers, "--quiet")
        command = commands.start("extract", corpus.run.root, *options, environment=mark, first=SLOW)
        _wait_for_a_word(command)
        time.sleep(share * (0.5 + workers))
        command.signal(signal.SIGKILL)
        codes.append(command.end().returncode)
        left_over += len(list(corpus.run.root.rglob(".*")))
        for name in ("eda", "skin"):
            _forget_some(corpus.run.features(name), draws)
    assert codes.count(-signal.SIGKILL) >= 0.75 * len(moments)
    assert left_over >= len(moments) / 4
    until = time.monotonic() + 5
    while orphans := _alive_with(mark["MTPKD_TEST_MARK"]):
        assert time.monotonic() < until, f"{len(orphans)} workers live on"
        time.sleep(0.05)
    [(messages, code)] = _outcomes([commands.start("extract", corpus.run.root)])
    assert code == 0, messages
    assert _tree(corpus.run.root) == undisturbed
    assert not [path for path in corpus.run.root.rglob(".*")]


def _wait_for_a_word(command: Any) -> None:
    until = time.monotonic() + 60
    while not command.stdout.read_text():
        assert time.monotonic() < until, command.stderr.read_text()
        time.sleep(0.005)


def _forget_some(folder: Path, moments: random.Random) -> None:
    """Takes parts away, so that there is work for the next process to be killed in."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in sorted(folder.glob("part-*")):
        if moments.random() < 0.5:
            path.unlink()
