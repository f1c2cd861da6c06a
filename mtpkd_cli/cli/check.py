"""`mtpkd check`: everything that can be known of a study before any compute."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.console import print_json, print_text, wide_console
from mtpkd_cli.cli.options import Json, Quiet, Run, Workers
from mtpkd_cli.errors import DataError, first_ten

if TYPE_CHECKING:
    from mtpkd_cli.checks import CheckResult

MOST_FOLDS = 10


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

    Problems are listed all at once, with exit code 4; notes change nothing.
    """
    from mtpkd_cli import library
    from mtpkd_cli.artifacts import RunFolder
    from mtpkd_cli.cli.progress import Terminal

    with Terminal(quiet) as terminal:
        results = library.check(run, trial=trial, workers=workers, reporter=terminal)
    if json:
        n_problems = sum(len(result.problems) for result in results)
        print_json({"problems": n_problems, "concerns": [vars(result) for result in results]})
    else:
        _print(results)
    problems = [f"{result.concern}: {problem}" for result in results for problem in result.problems]
    if problems:
        text = "\n".join(f"  - {problem}" for problem in problems)
        todo = "mend these, or leave those samples out by data.exclude; mtpkd check again before mtpkd run"
        root = RunFolder(run).data_root(library.read_study(run).data.root)
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise DataError(f"{count}\n{text}", where=root, todo=todo)


def _print(results: "list[CheckResult]") -> None:
    console = wide_console()
    table = Table("concern", "found", "problems", "notes", title="before any compute", title_justify="left")
    for result in results:
        problems = f"[red]{len(result.problems)}[/red]" if result.problems else "-"
        table.add_row(escape(result.concern), escape(result.found), problems, str(len(result.notes) or "-"))
    console.print(table)
    for result in results:
        if rows := result.facts.get("folds"):
            _print_folds(rows)
        if result.notes:
            print_text(f"{result.concern}, to know:\n{first_ten(result.notes)}")


def _print_folds(rows: object) -> None:
    """Samples of each class (or all of them) and subjects of each side, one row per fold."""
    assert isinstance(rows, list)
    sides = list(dict.fromkeys(row["side"] for row in rows))
    table = Table("fold", *(f"{side}: subjects, samples" for side in sides), title="folds", title_justify="left")
    folds = list(dict.fromkeys(row["fold"] for row in rows))
    for fold in folds[:MOST_FOLDS]:
        of_fold = {row["side"]: escape(_cell(row)) for row in rows if row["fold"] == fold}
        table.add_row(str(fold), *(of_fold.get(side, "-") for side in sides))
    wide_console().print(table)
    if len(folds) > MOST_FOLDS:
        print(f"and {len(folds) - MOST_FOLDS} folds more; --json lists them all")


def _cell(row: dict[str, Any]) -> str:
    """Subjects and samples of one side, of each class where there are some, and how many of the labels are hidden."""
    inside = ", ".join(f"{name} {count}" for name, count in row.get("classes", {}).items())
    if hidden := row.get("hidden", {}).get("samples"):
        inside = f"{hidden} labels of {row['hidden']['subjects']} subjects hidden"
    return f"{row['subjects']}, {row['samples']}" + (f" ({inside})" if inside else "")
