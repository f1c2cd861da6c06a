"""The commands for what comes of runs: predict, export, compare and track."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Fold, Json, Quiet, Run, Seed, Workers

Method = Annotated[str | None, typer.Option(help="Student of this method; default: least validation loss, no control.")]

Final = Annotated[
    bool, typer.Option("--final", help="The student fitted to all people (mtpkd final), with no test score of its own.")
]


@app.command(rich_help_panel="Use")
def predict(
    run: Run,
    recordings: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, patterns, or - for a list on stdin.", show_default=False, metavar="[MEDIA]..."
        ),
    ] = None,
    media: Annotated[
        list[str] | None,
        typer.Option(
            "--media",
            metavar="MEDIUM=FILE",
            help="Where the student sees several media: the file of each; again for each recording.",
        ),
    ] = None,
    list_: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE.csv",
            help="Recordings of several media: a row each, a column per medium, and perhaps start_s_MEDIUM.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write windows and recordings: .parquet, .csv or .jsonl.")
    ] = None,
    method: Method = None,
    fold: Fold = None,
    seed: Seed = None,
    average: Annotated[
        bool,
        typer.Option(
            "--average", help="With --fold or --seed: the mean of all students that fit, not the best of them."
        ),
    ] = False,
    final: Final = False,
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
    """Predict on new recordings; nothing of the corpus is needed.

    The mean of a method's students of all folds and seeds predicts; --fold or --seed picks one, --final the one of all
    people. `predicted` is the most probable class. `predicted_tuned`, of two classes, is told at the threshold that
    validation people gave, and is the one to report where classes are unequally frequent.
    """
    from mtpkd_cli import library
    from mtpkd_cli.cli.predict import print_prediction
    from mtpkd_cli.cli.progress import Terminal

    with Terminal(quiet) as terminal:
        prediction = library.predict(
            run, recordings or (), files=tuple(media or ()), list=list_, method=method, fold=fold, seed=seed,
            average=average, final=final, window_s=window, hop_s=hop, person=person,
            output=output, overlay=overlay, workers=workers, reporter=terminal,
        )  # fmt: skip
    print_prediction(prediction, json)


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
    final: Final = False,
) -> None:
    """Write one student as ONNX or TorchScript, checked, with an example and a model card.

    It is the one with the least validation loss, or the one of all people (--final); predict takes the mean of all.
    """
    from mtpkd_cli import library
    from mtpkd_cli.deploy.exporting import CHECKS

    exported = library.export(run, format, output=output, method=method, fold=fold, seed=seed, final=final)
    print(f"student: {exported.student.name}")
    print(f"equal to the torch student to {exported.largest_difference:.1g} on {CHECKS} samples of odd lengths")
    print(f"wrote {exported.folder}")


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
    from mtpkd_cli import library
    from mtpkd_cli.cli.console import print_json
    from mtpkd_cli.cli.tables import print_gains, print_scores

    summary = library.compare(runs, method or (), reference, different_splits=different_splits, output=output)
    if json:
        print_json(summary.plain())
        return
    print_scores(summary)
    print_gains(summary)
    if not summary.same_splits:
        print(
            "The runs are split differently: all folds of a seed are put together, test people were others' training."
        )


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
    copied, place = tell(folder, read_study(folder.study), to, where)
    print(f"{to}: {copied} models and evaluations told, in {place}")
