"""The five stages: each reads artifacts, calls the rooms below, and writes artifacts into the folder it is given.

Stages never import each other: they meet on disk. A stage file has `build(run, out, job, **sections)`; the sections
are those parts of the study that it may read, and so what makes its result stale. What it returns are plain counts for
the manifest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mtpkd_cli.artifacts.last_checkpoint import LastCheckpoint
from mtpkd_cli.artifacts.shards import Shard

Counts = dict[str, Any]

TEACHER_PREFIX = "teacher "
"""How a teacher is called among the methods of an evaluation."""


class Reporter(Protocol):
    """Where a stage tells people how far it is; the command line gives one that draws."""

    def note(self, text: str) -> None:
        """Says one line."""

    def progress(self, label: str, total: int) -> Callable[[], None]:
        """Begins a count; the returned function adds one."""


@dataclass(frozen=True)
class Job:
    """What a stage is told beside its sections.

    Args:
        reporter: Where to tell progress.
        device: "cpu" or "cuda".
        threads: Threads of torch on the CPU. Models are small: one thread is the fastest on a busy node, and results do
            not depend on the machine's number of cores.
        jobs: Repetitions (fold, seed) side by side.
        root: The corpus folder; only extraction opens it.
        workers: Worker processes of extraction, None = as the study says.
        retry_failed: Extraction tries again what failed before.
        overwrite: Make again what is up to date.
        max_failures: A count or a share with %, None = as the study says.
        shard: Extraction writes this share of the part files; None = all that are left.
        merge: Extraction reads no media: it seals what shards have written.
        last: Where the fits of this unit go on after an interrupt; set per unit.
        logs: Where processes write their logs; None = they write none.
    """

    reporter: Reporter
    device: str = "cpu"
    threads: int = 1
    jobs: int = 1
    root: Path | None = None
    workers: int | None = None
    retry_failed: bool = False
    overwrite: bool = False
    max_failures: str | None = None
    shard: Shard | None = None
    merge: bool = False
    last: LastCheckpoint | None = None
    logs: Path | None = None
