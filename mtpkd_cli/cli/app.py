"""The commands: thin wrappers that read the study, call the pipeline and print."""

from pathlib import Path
from typing import Annotated

import typer

from mtpkd_cli import __version__
from mtpkd_cli.cli.options import (
    Device,
    Fold,
    Jobs,
    Json,
    MaxFailures,
    Overwrite,
    Quiet,
    Run,
    Seed,
    Set,
    Threads,
    Workers,
)

app = typer.Typer(
    name="mtpkd",
    help="Train emotion and pain recognisers that need one sensor, from teachers that see many.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 unexpected; 2 usage or study.toml; 3 an earlier stage is missing or stale; "
    "4 invalid data; 5 too many failures; 6 numerical failure; 75 interrupted, run again to resume.",
)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _top(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and leave.")
    ] = False,
) -> None:
    _ = debug, version  # --debug is read by main(), which has to know it even if parsing fails


@app.command()
def init(
    run: Run,
    preset: Annotated[str, typer.Option(help="A ready study: mtpkd presets lists them.")],
    data: Annotated[Path, typer.Option(help="Folder of the corpus.")],
    prevalent: Annotated[
        list[str] | None, typer.Option(help="Modality of the student, the others privileged; repeatable.")
    ] = None,
    set_: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a study.toml that is there.")] = False,
) -> None:
    """Make a run folder with a commented study.toml."""
    from mtpkd_cli.cli import setup

    print(setup.init_run(run, preset, data, prevalent or [], set_ or [], overwrite))


@app.command()
def extract(
    run: Run,
    modality: Annotated[str | None, typer.Option(help="Only this modality.")] = None,
    workers: Workers = None,
    max_failures: MaxFailures = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    set_: Set = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Read media and write features, one modality after the other."""
    from mtpkd_cli.cli import work

    work.stages(
        run, ["extract"], set_, name=modality, workers=workers, max_failures=max_failures, retry_failed=retry_failed,
        overwrite=overwrite, quiet=quiet,
    )  # fmt: skip


@app.command("train-teachers")
def train_teachers(
    run: Run,
    fold: Fold = None,
    seed: Seed = None,
    teacher: Annotated[str | None, typer.Option(help="Only this teacher.")] = None,
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


@app.command()
def align(
    run: Run,
    fold: Fold = None,
    seed: Seed = None,
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


@app.command()
def distill(
    run: Run,
    fold: Fold = None,
    seed: Seed = None,
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
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


@app.command()
def evaluate(
    run: Run, set_: Set = None, overwrite: Overwrite = False, json: Json = False, quiet: Quiet = False
) -> None:
    """Score the test predictions of all methods; write metrics.json, predictions.parquet and report.html."""
    from mtpkd_cli.cli import work

    work.stages(run, ["evaluate"], set_, overwrite=overwrite, quiet=quiet)
    work.print_results(run, json)


@app.command("run")
def run_all(
    run: Run,
    workers: Workers = None,
    max_failures: MaxFailures = None,
    set_: Set = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
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
    work.print_results(run, json)


@app.command()
def status(run: Run, json: Json = False) -> None:
    """Show what is done, stale (and why) or missing."""
    from mtpkd_cli.cli import setup

    setup.show_status(run, json)


@app.command()
def methods() -> None:
    """List the distillation methods with their options."""
    from mtpkd_cli.cli import setup

    setup.list_methods()


@app.command()
def presets() -> None:
    """List the ready studies of `mtpkd init`."""
    from mtpkd_cli.cli import setup

    setup.list_presets()
