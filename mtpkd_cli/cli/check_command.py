"""`mtpkd check`: everything that can be known of a study before any compute."""

from typing import Annotated

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Json, Quiet, Run, Workers


@app.command()
def check(
    run: Run,
    trial: Annotated[
        int, typer.Option(min=0, help="Samples of each modality to encode, for time and size; 0 = none.")
    ] = 4,
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look over a study before any compute: media, labels, folds, leakage, copies, time and size. Writes nothing.

    Problems are told all at once, with exit code 4; notes change nothing.
    """
    from mtpkd_cli.cli import check as checked

    checked.check(run, trial, workers, json, quiet)
