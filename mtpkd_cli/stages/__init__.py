"""The stages: each reads artifacts, calls the rooms below, and writes artifacts into the folder it is given.

Stages never import each other: they meet on disk. A stage file has `build(out, job, *, ...)`: the folder to write into,
what to work with (device, threads, where to report), and by keyword those sections, values and artifacts of which its
result is made. Each of these is an ingredient of the unit (`pipeline/units.py`) that calls the stage, and so what makes
its result stale. What `build` returns are plain counts for the manifest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mtpkd_cli.artifacts.last_checkpoint import LastCheckpoint
from mtpkd_cli.artifacts.shards import Shard

Counts = dict[str, Any]


class Reporter(Protocol):
    """Where a stage reports how far it is; the command line gives one that draws."""

    def note(self, text: str) -> None:
        """Shows one line."""

    def progress(self, label: str, total: int) -> Callable[[], None]:
        """Begins a count; the returned function adds one."""


@dataclass(frozen=True)
class Extraction:
    """Options of the stages that open the corpus.

    Args:
        root: The corpus folder.
        workers: Worker processes, None = as the study says.
        retry_failed: Try again what failed before.
        max_failures: A count or a share with %, None = as the study says.
        shard: Write this share of the part files; None = all that are left.
        merge: Read no media: seal what shards have written.
    """

    root: Path | None = None
    workers: int | None = None
    retry_failed: bool = False
    max_failures: str | None = None
    shard: Shard | None = None
    merge: bool = False


@dataclass(frozen=True)
class Job:
    """What a stage works with beside its ingredients.

    Args:
        reporter: Where progress is shown.
        device: "cpu" or "cuda".
        threads: Threads of torch on the CPU. Models are small: one thread is the fastest on a busy node, and results do
            not depend on the machine's number of cores.
        jobs: Repetitions (fold, seed) side by side.
        overwrite: Make again what is up to date.
        last: Where the fits of this unit go on after an interrupt; set per unit.
        logs: Where processes write their logs; None = they write none.
        extraction: Of stages that open the corpus.
    """

    reporter: Reporter
    device: str = "cpu"
    threads: int = 1
    jobs: int = 1
    overwrite: bool = False
    last: LastCheckpoint | None = None
    logs: Path | None = None
    extraction: Extraction = Extraction()
