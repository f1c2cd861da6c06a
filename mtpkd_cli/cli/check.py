"""The work of `mtpkd check`: look over a study, print what was found, leave with 4 where something has to be mended."""

from pathlib import Path

from rich.table import Table

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.check import Looked
from mtpkd_cli.check.running import check_study
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.show import print_json, wide_console
from mtpkd_cli.config import read_study
from mtpkd_cli.errors import DataError, first_ten

MOST_FOLDS = 10


def check(folder: Path, trial: int, workers: int | None, as_json: bool, quiet: bool) -> None:
    """Prints what every concern found.

    Raises:
        DataError: Something has to be mended; all of it is named.
    """
    run = RunFolder(folder)
    study = read_study(run.study)
    with Terminal(quiet) as terminal:
        looked = check_study(run, study, terminal, trial=trial, workers=workers)
    if as_json:
        print_json({"problems": sum(len(entry.problems) for entry in looked), "concerns": [vars(e) for e in looked]})
    else:
        _print(looked)
    problems = [f"{entry.concern}: {problem}" for entry in looked for problem in entry.problems]
    if problems:
        text = "\n".join(f"  - {problem}" for problem in problems)
        todo = "mend these, or leave those samples out; mtpkd check again before mtpkd run"
        raise DataError(f"{len(problems)} problems\n{text}", where=run.data_root(study.data.root), todo=todo)


def _print(looked: list[Looked]) -> None:
    console = wide_console()
    table = Table("concern", "found", "problems", "notes", title="before any compute", title_justify="left")
    for entry in looked:
        problems = f"[red]{len(entry.problems)}[/red]" if entry.problems else "-"
        table.add_row(entry.concern, entry.found, problems, str(len(entry.notes) or "-"))
    console.print(table)
    for entry in looked:
        if rows := entry.facts.get("folds"):
            _print_folds(rows)
        if entry.notes:
            print(f"{entry.concern}, to know:\n{first_ten(entry.notes)}")


def _print_folds(rows: object) -> None:
    """Samples of each class (or all of them) and subjects, one row per fold."""
    assert isinstance(rows, list)
    sides = list(dict.fromkeys(row["side"] for row in rows))
    table = Table("fold", *(f"{side}: subjects, samples" for side in sides), title="folds", title_justify="left")
    folds = list(dict.fromkeys(row["fold"] for row in rows))
    for fold in folds[:MOST_FOLDS]:
        cells = []
        for row in (row for row in rows if row["fold"] == fold):
            classes = ", ".join(f"{name} {count}" for name, count in row.get("classes", {}).items())
            cells.append(f"{row['subjects']}, {row['samples']}" + (f" ({classes})" if classes else ""))
        table.add_row(str(fold), *cells)
    wide_console().print(table)
    if len(folds) > MOST_FOLDS:
        print(f"and {len(folds) - MOST_FOLDS} folds more; --json lists them all")
