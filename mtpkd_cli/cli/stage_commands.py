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
    Unset,
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
    unset: Unset = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Read media and write features, one modality after the other."""
    from mtpkd_cli.cli import work
    from mtpkd_cli.stages import Extraction

    share = work.chosen_shard(shard, merge, overwrite or retry_failed)
    extraction = Extraction(None, workers, retry_failed, max_failures, share, merge)
    work.do(run, ["extract"], quiet, set=set_, unset=unset, names=modality, overwrite=overwrite, extraction=extraction)


@app.command("train-teachers", rich_help_panel="Stages")
def train_teachers(
    run: Run,
    fold: Folds = None,
    seed: Seeds = None,
    teacher: Annotated[list[str] | None, typer.Option(help="Only this teacher; repeatable.")] = None,
    set_: Set = None,
    unset: Unset = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train the unimodal teachers and the joint one."""
    from mtpkd_cli.cli import work

    work.do(
        run, ["train-teachers"], quiet, set=set_, unset=unset, folds=fold, seeds=seed, names=teacher, device=device,
        threads=threads, jobs=jobs, overwrite=overwrite,
    )  # fmt: skip


@app.command(rich_help_panel="Stages")
def align(
    run: Run,
    fold: Folds = None,
    seed: Seeds = None,
    set_: Set = None,
    unset: Unset = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Lead all teachers into one embedding space, fit the T-Net, write the teacher bank."""
    from mtpkd_cli.cli import work

    work.do(
        run, ["align"], quiet, set=set_, unset=unset, folds=fold, seeds=seed, device=device, threads=threads, jobs=jobs,
        overwrite=overwrite,
    )  # fmt: skip


@app.command(rich_help_panel="Stages")
def distill(
    run: Run,
    fold: Folds = None,
    seed: Seeds = None,
    method: Annotated[list[str] | None, typer.Option(help="Only this method; repeatable.")] = None,
    set_: Set = None,
    unset: Unset = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train one student per method."""
    from mtpkd_cli.cli import work

    work.do(
        run, ["distill"], quiet, set=set_, unset=unset, folds=fold, seeds=seed, names=method, device=device,
        threads=threads, jobs=jobs, overwrite=overwrite,
    )  # fmt: skip


@app.command(rich_help_panel="Stages")
def evaluate(
    run: Run,
    corrupt: Corrupt = False,
    corrupt_samples: CorruptSamples = None,
    classical: Classical = False,
    workers: Workers = None,
    set_: Set = None,
    unset: Unset = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score the test predictions of all methods; write metrics.json, predictions.parquet and report.html."""
    from mtpkd_cli import library
    from mtpkd_cli.cli import work
    from mtpkd_cli.cli.progress import Terminal
    from mtpkd_cli.cli.tables import print_classical, print_robustness

    with Terminal(quiet) as terminal:
        result = library.evaluate(
            run, classical=classical, corrupt=corrupt or corrupt_samples is not None, corrupt_samples=corrupt_samples,
            workers=workers, set=set_ or (), unset=unset or (), overwrite=overwrite, reporter=terminal,
        )  # fmt: skip
    work.print_results(run, result.summary, json)
    if result.classical and not json:
        print_classical(result.classical)
    if result.robustness and not json:
        print_robustness(result.robustness, result.summary.metrics[result.robustness.metric].label)


@app.command("run", rich_help_panel="Stages")
def run_all(
    run: Run,
    workers: Workers = None,
    max_failures: MaxFailures = None,
    set_: Set = None,
    unset: Unset = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    track: Annotated[
        Literal["tensorboard", "mlflow"] | None,
        typer.Option(help="Tell a tracker at the end; whatever it says, the run is done. See mtpkd track."),
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Then fit one student to all people, for use in the field: mtpkd final.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do all stages that are not done, in order, and print the scores."""
    from mtpkd_cli.artifacts import RunFolder
    from mtpkd_cli.cli import work
    from mtpkd_cli.evaluation.summary import summary_of
    from mtpkd_cli.pipeline import STAGES
    from mtpkd_cli.stages import Extraction

    extraction = Extraction(workers=workers, max_failures=max_failures)
    work.do(run, STAGES, quiet, set=set_, unset=unset, device=device, threads=threads, jobs=jobs, extraction=extraction)
    if final:
        work.do_final(run, None, device, threads, False, quiet)
    if track is not None:
        work.tell_tracker(run, track, quiet)
    work.print_results(run, summary_of(RunFolder(run)), json)


@app.command(rich_help_panel="Stages")
def final(
    run: Run,
    method: Annotated[
        str | None, typer.Option(help="Student of this method; default: least mean validation loss, no control.")
    ] = None,
    device: Device = "auto",
    threads: Threads = 1,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Fit one student to all people, for use in the field; it has no test score of its own.

    Its teachers, alignment and bank are fitted to all people too. data.validation_share of them say when to stop, as in
    the folds, and nobody is left to test. Labels that data.label_share hides are given back. `predict --final` and
    `export --final` take it.
    """
    from mtpkd_cli.cli import work

    print(f"final student: {work.do_final(run, method, device, threads, overwrite, quiet)}")
