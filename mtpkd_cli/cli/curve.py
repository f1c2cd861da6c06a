"""`mtpkd curve`: the study once per share of the labels, and how many labels a score is worth."""

from typing import Annotated

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Device, Folds, Jobs, Json, Overwrite, Quiet, Run, Seeds, Threads


@app.command(rich_help_panel="Stages")
def curve(
    run: Run,
    label_shares: Annotated[
        str | None,
        typer.Option(
            metavar="S1,S2,...",
            help="Shares of the labels, above 0 and up to 1; default: as asked for before, else 0.05,0.1,0.25,0.5,1.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this method beside student-only; repeatable; default: as asked for before, else those of the "
            "study, self, placebo and all-labels.",
        ),
    ] = None,
    fold: Folds = None,
    seed: Seeds = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Keep what is asked for and compute nothing: mtpkd slurm makes jobs of it.")
    ] = False,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do the study once per share of the labels; print scores over labelled people, and how many labels they are worth.

    Teachers, bank and students of a share lie in RUN/curve; the study's own share is the run itself. What is asked for
    is kept: without options it goes on with that. With --fold or --seed, --label-shares and --method choose among it,
    students are trained and nothing is scored: the table comes once the command is run without them.
    """
    from mtpkd_cli import library
    from mtpkd_cli.artifacts import RunFolder
    from mtpkd_cli.cli.console import print_json
    from mtpkd_cli.cli.progress import Terminal
    from mtpkd_cli.cli.tables import print_curve
    from mtpkd_cli.evaluation.curve import CURVE
    from mtpkd_cli.pipeline.curve_request import parse_shares

    with Terminal(quiet) as terminal:
        scores = library.curve(
            run, () if label_shares is None else parse_shares(label_shares), methods=method or (), folds=fold or (),
            seeds=seed or (), plan=plan, device=device, threads=threads, jobs=jobs, overwrite=overwrite,
            reporter=terminal,
        )  # fmt: skip
    if scores is None:
        return
    if json:
        print_json(scores.plain())
    else:
        print_curve(scores)
        print(f"table: {RunFolder(run).curve / CURVE}")
