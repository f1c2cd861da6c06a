"""What stages work with on this machine: device, threads, repetitions side by side."""

import os
from dataclasses import replace

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study
from mtpkd_cli.errors import StudyError
from mtpkd_cli.stages import Extraction, Job, Reporter


def chosen_device(device: str) -> str:
    """Returns "cpu" or "cuda"; raises StudyError where there is no such device."""
    if device not in ("auto", "cpu", "cuda"):
        raise StudyError(f"there is no device '{device}'", where="--device", expected="auto, cpu or cuda")
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.cuda.is_available():
        raise StudyError("this machine has no CUDA device that torch can use", where="--device", expected="auto or cpu")
    return device


def jobs_at_most(device: str, threads: int) -> int:
    """As many repetitions side by side as the processors given to this process allow, four at most (memory)."""
    # The affinity knows what a batch scheduler has granted; where there is none, all processors count.
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, processors // threads)) if device == "cpu" else 1


def job_of(
    run: RunFolder,
    study: Study,
    reporter: Reporter,
    device: str,
    threads: int,
    jobs: int | None,
    overwrite: bool,
    extraction: Extraction,
) -> Job:
    """Returns what stages work with on this machine; of `jobs` None = as many as its processors allow."""
    chosen = chosen_device(device)
    return Job(
        reporter,
        chosen,
        threads,
        jobs or jobs_at_most(chosen, threads),
        overwrite,
        logs=run.logs,
        extraction=replace(extraction, root=run.data_root(study.data.root)),
    )
