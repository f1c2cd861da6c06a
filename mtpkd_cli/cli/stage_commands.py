"""The commands that compute: one per stage, and `run` for all that is left. Libraries are loaded on use."""

from typing import Annotated, Literal

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import (
    Classical,
    Corrupt,
    CorruptSamples,
    Device,
    Folds,
    Jobs,
    Json,
    MaxFailures,
    Overwrite,
    Quiet,
    Run,
    Seeds,
    Set,
    Shard,
    Threads,
    Workers,
)


@app.command(rich_help_panel="Stages")
def extract(
    run: Run,
    modality: Annotated[list[str] | None, typer.Option(help="Only this modality; repeatable.")] = None,
    workers: Workers = None,
    max_failures: MaxFailures = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    shard: Shard = None,
    merge: Annotated[bool, typer.Option("--merge", help="Read no media; seal what shards have written.")] = False,
    set_: Set = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Read media and write features, one modality after the other."""
    from mtpkd_cli.cli import work

    work.stages(
        run, ["extract"], set_, own=modality, workers=workers, max_failures=max_failures, retry_failed=retry_failed,
        overwrite=overwrite, quiet=quiet, shard=shard, merge=merge,
    )  # fmt: skip


@app.command("train-teachers", rich_help_panel="Stages")
def train_teachers(
    run: Run,
    fold: Folds = None,
    seed: Seeds = None,
    teacher: Annotated[list[str] | None, typer.Option(help="Only this teacher; repeatable.")] = None,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train the unimodal teachers and the joint one."""
    from mtpkd_cli.cli import work

    work.stages(
        run,
        ["train-teachers"],
        set_,
        fold,
        seed,
        teacher,
        device=device,
        threads=threads,
        jobs=jobs,
        overwrite=overwrite,
        quiet=quiet,
    )


@app.command(rich_help_panel="Stages")
def align(
    run: Run,
    fold: Folds = None,
    seed: Seeds = None,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Lead all teachers into one embedding space, fit the T-Net, write the teacher bank."""
    from mtpkd_cli.cli import work

    work.stages(
        run, ["align"], set_, fold, seed, device=device, threads=threads, jobs=jobs, overwrite=overwrite, quiet=quiet
    )


@app.command(rich_help_panel="Stages")
def distill(
    run: Run,
    fold: Folds = None,
    seed: Seeds = None,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; repeatable.")] = None,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train one student per method."""
    from mtpkd_cli.cli import work

    work.stages(
        run,
        ["distill"],
        set_,
        fold,
        seed,
        method,
        device=device,
        threads=threads,
        jobs=jobs,
        overwrite=overwrite,
        quiet=quiet,
    )


@app.command(rich_help_panel="Stages")
def evaluate(
    run: Run,
    corrupt: Corrupt = False,
    corrupt_samples: CorruptSamples = None,
    classical: Classical = False,
    workers: Workers = None,
    set_: Set = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score the test predictions of all methods; write metrics.json, predictions.parquet and report.html."""
    from mtpkd_cli.cli import corruption, work
    from mtpkd_cli.cli.classical import compare_with_classical, print_classical

    work.stages(run, ["evaluate"], set_, overwrite=overwrite, quiet=quiet)
    if corrupt or corrupt_samples is not None:
        corruption.corrupt(run, quiet, corrupt_samples, workers)
    rivals = compare_with_classical(run, quiet) if classical else None
    work.print_results(run, json)
    if rivals and not json:
        print_classical(rivals)
    if not json and (corrupt or corrupt_samples is not None):
        corruption.print_corruption(run)


@app.command("run", rich_help_panel="Stages")
def run_all(
    run: Run,
    workers: Workers = None,
    max_failures: MaxFailures = None,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    track: Annotated[
        Literal["tensorboard", "mlflow"] | None,
        typer.Option(help="Tell a tracker at the end; whatever it says, the run is done. See mtpkd track."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do all stages that are not done, in order, and print the scores."""
    from mtpkd_cli.cli import work
    from mtpkd_cli.pipeline import STAGES

    work.stages(
        run,
        list(STAGES),
        set_,
        device=device,
        threads=threads,
        jobs=jobs,
        workers=workers,
        max_failures=max_failures,
        quiet=quiet,
    )
    if track is not None:
        work.tell_tracker(run, track, quiet)
    work.print_results(run, json)
