"""The commands: thin wrappers that read the study, call the pipeline and print."""

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from mtpkd_cli import __version__

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

Run = Annotated[Path, typer.Argument(help="The run folder.", show_default=False, metavar="RUN")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of study.toml, e.g. distill.anchors=most; repeatable."),
]
Fold = Annotated[int | None, typer.Option(help="Only this fold.")]
Seed = Annotated[int | None, typer.Option(help="Only this seed.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make again what is up to date.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch on the CPU.")]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Folds and seeds side by side; default: as processors allow, at most 4.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Worker processes; default: extract.workers of the study.")]
MaxFailures = Annotated[
    str | None, typer.Option(metavar="N|P%", help="Samples that may fail; default: extract.max_failures of the study.")
]


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


def main() -> NoReturn:
    """Runs the command line and leaves with the exit code of DESIGN: one per kind of error, never a bare traceback."""
    import sys

    from mtpkd_cli.errors import Interrupted, MtpkdError

    debug = "--debug" in sys.argv
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        # Messages say "run it with --debug", and people put that at the end.
        app(args=[argument for argument in sys.argv[1:] if argument != "--debug"], prog_name="mtpkd")
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    except (Interrupted, KeyboardInterrupt):
        code = _tell("interrupted; run the same command again to go on", Interrupted.exit_code)
    except MtpkdError as err:
        if debug:
            raise
        code = _tell(f"error: {err}", err.exit_code)
    except BrokenPipeError:
        # The reader of a pipe (head, less) has left; nothing is wrong with the work.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as err:
        if debug:
            raise
        code = _tell(f"unexpected error: {type(err).__name__}: {err}\n  to do: run it with --debug and report it", 1)
    sys.stdout.flush()
    sys.exit(code)


def _tell(text: str, code: int) -> int:
    import sys

    print(text, file=sys.stderr, flush=True)
    return code


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    from mtpkd_cli.errors import Interrupted

    raise Interrupted(f"stopped by {signal.Signals(number).name}")
