"""The commands for what comes of runs: predict, export, compare and track."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Fold, Json, Quiet, Run, Seed, Workers

Method = Annotated[str | None, typer.Option(help="Student of this method; default: least validation loss, no control.")]


@app.command(rich_help_panel="Use")
def predict(
    run: Run,
    media: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, or - for a list on stdin.", show_default=False)
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write windows and recordings: .parquet, .csv or .jsonl.")
    ] = None,
    method: Method = None,
    fold: Fold = None,
    seed: Seed = None,
    average: Annotated[
        bool, typer.Option("--average", help="Mean over the students of all folds and seeds, with their spread.")
    ] = False,
    window: Annotated[
        float | None, typer.Option(help="Window in seconds; default: a recording is one window.", metavar="SECONDS")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="From window to window; default: a window.", metavar="SECONDS")
    ] = None,
    person: Annotated[
        Literal["each", "folder", "all"],
        typer.Option(help="Where features are standardised per person: whose the recordings are."),
    ] = "each",
    overlay: Annotated[
        Path | None, typer.Option(help="Draw the prediction over the video (one recording).", metavar="OUT.mp4")
    ] = None,
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict on new recordings; nothing of the corpus is needed."""
    from mtpkd_cli.cli import predict as work

    asked = work.Asked(method, fold, seed, average, window, hop, person, output, overlay, workers)
    work.predict(run, media, asked, json, quiet)


@app.command(rich_help_panel="Use")
def export(
    run: Run,
    format: Annotated[Literal["onnx", "torchscript"], typer.Option("--format", help="Of the model.")] = "onnx",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; default: RUN/export/METHOD-FORMAT.", metavar="FOLDER")
    ] = None,
    method: Method = None,
    fold: Fold = None,
    seed: Seed = None,
) -> None:
    """Write the chosen student as ONNX or TorchScript, checked, with an example and a model card."""
    from mtpkd_cli.cli import export as work

    work.export(run, format, output, method, fold, seed)


@app.command(rich_help_panel="Use")
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Evaluated run folders.", metavar="RUN...", show_default=False)],
    method: Annotated[list[str] | None, typer.Option(help="Only this method; repeatable.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="What differences are taken from: a row; default: the first run's reference.")
    ] = None,
    different_splits: Annotated[
        bool, typer.Option("--different-splits", help="Compare runs that are split differently, seed by seed.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for JSON, CSV, LaTeX, SVG and PDF.", metavar="FOLDER"),
    ] = None,
    json: Json = False,
) -> None:
    """Compare students of several runs, or of one: one table, one plot, one reference."""
    from mtpkd_cli.cli import compare as work

    work.compare(runs, method or [], reference, different_splits, output, json)


@app.command(rich_help_panel="Use")
def track(
    run: Run,
    to: Annotated[Literal["tensorboard", "mlflow"], typer.Option("--to", help="The tracker.")],
    where: Annotated[
        str | None,
        typer.Option(help="Folder (TensorBoard) or address (MLflow; default: MLFLOW_TRACKING_URI).", metavar="PLACE"),
    ] = None,
) -> None:
    """Tell an experiment tracker of all losses and scores that the run has logged."""
    from mtpkd_cli.artifacts import RunFolder
    from mtpkd_cli.config import read_study
    from mtpkd_cli.report.tracking import track as tell

    folder = RunFolder(run)
    told, place = tell(folder, read_study(folder.study), to, where)
    print(f"{to}: {told} models and evaluations told, in {place}")
