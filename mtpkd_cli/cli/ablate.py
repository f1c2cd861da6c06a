"""`mtpkd ablate`: a grid of options of one method over the same teachers, bank and folds."""

from typing import Annotated

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Device, Folds, Jobs, Json, Overwrite, Quiet, Run, Seeds, Threads

Over = Annotated[
    list[str],
    typer.Option(
        metavar="KEY=V1,V2,...",
        help="A key of section distill or student and its values, e.g. distill.anchors=least,most; repeatable: every "
        "combination is trained.",
    ),
]


@app.command(rich_help_panel="Stages")
def ablate(
    run: Run,
    over: Over,
    method: Annotated[str, typer.Option(help="The method whose options are varied.")] = "mt-pkdot",
    name: Annotated[str | None, typer.Option(help="Folder in RUN/ablation; default: method and keys.")] = None,
    fold: Folds = None,
    seed: Seeds = None,
    device: Device = "auto",
    threads: Threads = 1,
    jobs: Jobs = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a grid of options of one method over the same bank and folds; print scores with intervals.

    The study's own students and study.toml stay as they are. With --fold or --seed students are trained and nothing is
    scored: the table comes once the command is run without them.
    """
    from mtpkd_cli import library
    from mtpkd_cli.artifacts import RunFolder
    from mtpkd_cli.cli.console import print_json
    from mtpkd_cli.cli.progress import Terminal
    from mtpkd_cli.cli.tables import print_ablation
    from mtpkd_cli.evaluation.ablation import ABLATION

    with Terminal(quiet) as terminal:
        scores = library.ablate(
            run, over, method=method, name=name, folds=fold or (), seeds=seed or (), device=device, threads=threads,
            jobs=jobs, overwrite=overwrite, reporter=terminal,
        )  # fmt: skip
    if scores is None:
        return
    if json:
        print_json(scores.plain())
    else:
        print_ablation(scores)
        print(f"table: {RunFolder(run).ablation(scores.name) / ABLATION}")
