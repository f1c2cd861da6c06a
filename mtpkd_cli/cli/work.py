"""What the commands that compute have in common: doing stages with progress, and printing the scores."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mtpkd_cli import library
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.shards import Shard, parse_shard
from mtpkd_cli.cli.console import print_json
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.tables import print_gains, print_scores
from mtpkd_cli.config import read_study
from mtpkd_cli.errors import MtpkdError, StudyError
from mtpkd_cli.evaluation.summary import Summary


def do(folder: Path, stages: Sequence[str], quiet: bool, **options: Any) -> None:
    """Does what is left of the named stages; takes what `library.do_stages` takes, None standing for its default."""
    given = {name: value for name, value in options.items() if value is not None}
    with Terminal(quiet) as terminal:
        library.do_stages(folder, stages, reporter=terminal, **given)


def do_final(folder: Path, method: str | None, device: str, threads: int, overwrite: bool, quiet: bool) -> Path:
    """Fits the final student of a method; returns its folder."""
    with Terminal(quiet) as terminal:
        return library.fit_final(
            folder, method=method, device=device, threads=threads, overwrite=overwrite, reporter=terminal
        )


def chosen_shard(text: str | None, merge: bool, again: bool) -> Shard | None:
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
            copied, place = track(run, read_study(run.study), tracker, None)
            terminal.note(f"{tracker}: {copied} models and evaluations told, in {place}")
        except (MtpkdError, OSError) as err:
            terminal.note(f"{tracker} was not told: {err}")


def print_results(folder: Path, summary: Summary, as_json: bool) -> None:
    """Prints the scores of an evaluated run, and where its report is."""
    if as_json:
        print_json(summary.plain())
        return
    print_scores(summary)
    print_gains(summary)
    print(f"report: {RunFolder(folder).evaluation / 'report.html'}")
