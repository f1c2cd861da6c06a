"""Commands that compute: read the study, do the stages, print the scores."""

import os
from pathlib import Path
from typing import Literal

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.artifacts.shards import Shard, parse_shard
from mtpkd_cli.cli.gains import print_gains
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.show import print_json, print_scores
from mtpkd_cli.config import parse_options, read_study, set_keys
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.errors import MtpkdError, StudyError
from mtpkd_cli.pipeline import Choice, do_stage
from mtpkd_cli.pipeline.measured import read_summary, remove_stale
from mtpkd_cli.stages import Extraction, Job


def stages(
    folder: Path,
    names: list[str],
    assignments: list[str] | None,
    folds: list[int] | None = None,
    seeds: list[int] | None = None,
    own: list[str] | None = None,
    *,
    device: str = "cpu",
    threads: int = 1,
    jobs: int | None = None,
    workers: int | None = None,
    max_failures: str | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    shard: str | None = None,
    merge: bool = False,
) -> None:
    """Does what is left of the named stages, of all folds, seeds and names (`own`) where none is given."""
    choice = Choice.among(folds, seeds, own)
    run = RunFolder(folder)
    share = _shard(shard, merge, overwrite or retry_failed)
    with (
        logged(run.logs if run.study.exists() else None, names[0] if len(names) == 1 else "run"),
        Terminal(quiet) as terminal,
    ):
        for change in set_keys(run.study, assignments or []):
            terminal.note(f"{run.study}: {change}")
        study = read_study(run.study)
        if max_failures is not None:
            parse_options(ExtractSection, {"max_failures": max_failures}, where="--max-failures")
        for stage in names:
            chosen = "cpu" if stage in ("extract", "evaluate") else chosen_device(device)
            root = run.data_root(study.data.root)
            job = Job(
                terminal,
                chosen,
                threads,
                jobs or jobs_at_most(chosen, threads),
                root,
                workers,
                retry_failed,
                overwrite,
                max_failures,
                share,
                merge,
                logs=run.logs,
            )
            made = do_stage(run, study, stage, choice, job)
            terminal.note(f"{stage}: {made} made" if made else f"{stage}: nothing to do")
            if stage == "evaluate":
                if gone := remove_stale(run, study):
                    terminal.note(f"removed {gone}: it was of other scores; mtpkd evaluate {folder} --corrupt")
                _report(run, terminal, made)


def _shard(text: str | None, merge: bool, again: bool) -> Shard | None:
    """Reads --shard. What is made again is made by one process: shards know of each other by finished parts alone."""
    if merge and text is not None:
        raise StudyError("a shard seals by itself once all parts are there", where="--shard, --merge", expected="one")
    if again and (merge or text is not None):
        raise StudyError(
            "--overwrite and --retry-failed do not go with --shard and --merge",
            where="--shard, --merge",
            todo="try again without --shard; to make all again in shards, delete RUN/features/MODALITY first",
        )
    return None if text is None else parse_shard(text, os.environ)


def tell_tracker(folder: Path, tracker: Literal["tensorboard", "mlflow"], quiet: bool) -> None:
    """Tells a tracker of the run; what goes wrong there is noted, and the run is done all the same."""
    from mtpkd_cli.report.tracking import track

    run = RunFolder(folder)
    with Terminal(quiet) as terminal:
        try:
            told, place = track(run, read_study(run.study), tracker, None)
            terminal.note(f"{tracker}: {told} models and evaluations told, in {place}")
        except (MtpkdError, OSError) as err:
            terminal.note(f"{tracker} was not told: {err}")


def print_results(folder: Path, as_json: bool) -> None:
    """Prints the scores of an evaluated run, and where its report is."""
    run = RunFolder(folder)
    summary = read_summary(run)
    if as_json:
        print_json(summary)
        return
    print_scores(summary)
    print_gains(summary)
    print(f"report: {run.evaluation / 'report.html'}")


def _report(run: RunFolder, terminal: Terminal, made: int) -> None:
    if made or not (run.evaluation / "report.html").exists():
        from mtpkd_cli.report import write_report

        write_report(run, terminal.progress)
        terminal.note(f"wrote {run.evaluation / 'report.html'}")


def jobs_at_most(device: str, threads: int) -> int:
    """As many repetitions side by side as the processors given to this process allow, four at most (memory)."""
    # The affinity knows what a batch scheduler has granted; where there is none, all processors count.
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, processors // threads)) if device == "cpu" else 1


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
