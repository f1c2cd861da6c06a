"""The work of `mtpkd ablate`: train the cells, score them, print one row per cell."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.show import ONE_LINE_WIDTH, interval_text, print_json, wide_console
from mtpkd_cli.cli.work import chosen_device, jobs_at_most
from mtpkd_cli.config import read_study
from mtpkd_cli.errors import StudyError
from mtpkd_cli.pipeline import Choice
from mtpkd_cli.pipeline.ablation import cells_of, swept_values, train_cells
from mtpkd_cli.pipeline.ablation_scores import score_cells
from mtpkd_cli.stages import Extraction, Job

MOST_COLUMNS = 5
"""Swept keys and scores together, so that a line holds them; ablation.json has all scores."""


def ablate(
    folder: Path,
    over: list[str],
    method: str,
    name: str | None,
    folds: list[int] | None,
    seeds: list[int] | None,
    *,
    device: str,
    threads: int,
    jobs: int | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Trains what is left of a grid; scores and prints it where all folds and seeds are meant."""
    run = RunFolder(folder)
    study = read_study(run.study)
    keys = [key.split(".")[-1] for key in swept_values(over)]
    name = name or f"{method}-by-{'-'.join(keys)}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]*", name):
        raise StudyError(f"'{name}' is no name for a folder", where="--name", expected="letters, digits, _ + -")
    cells = cells_of(run, method, over, name)
    with logged(run.logs, "ablate"), Terminal(quiet) as terminal:
        on = chosen_device(device)
        job = Job(
            terminal, on, threads, jobs or jobs_at_most(on, threads), run.data_root(study.data.root),
            overwrite=overwrite, logs=run.logs,
        )  # fmt: skip
        made = train_cells(cells, method, Choice.among(folds, seeds), job)
        terminal.note(f"ablate: {made} students trained, {len(cells)} cells" if made else "ablate: nothing to train")
        if folds or seeds:
            terminal.note("ablate: scored once it is run without --fold and --seed")
            return
        summary = score_cells(run, study, cells, method, name, replace(job, device="cpu"))
    if as_json:
        print_json(summary)
        return
    _print(summary)
    print(f"table: {run.ablation(name) / 'ablation.json'}")


def _print(summary: dict[str, Any]) -> None:
    """One row per cell: its values, its scores, and how far it lies from the reference and from the first cell."""
    console = wide_console()
    names = list(summary["metrics"])
    headline = "balanced-accuracy" if "balanced-accuracy" in names else names[0]
    names.sort(key=lambda metric: metric != headline)
    keys = [key for key, values in summary["over"].items() if len(values) > 1] or list(summary["over"])
    names = names[: max(1, MOST_COLUMNS - len(keys))]
    labels = [summary["metrics"][metric]["label"] for metric in names]
    fixed = "".join(f", {key} = {values[0]}" for key, values in summary["over"].items() if key not in keys)
    title = (
        f"{summary['method']}{fixed}: {summary['samples']} samples of {summary['subjects']} subjects, "
        f"{len(summary['repetitions'])} fold x seed; mean and 95 % interval over subjects"
    )
    references = {"from_reference": summary["reference"], "from_first": "first cell"}
    shown = {key: text for key, text in references.items() if text}
    table = Table(
        *keys, *labels, *(f"{labels[0]} minus {text}" for text in shown.values()), title=title,
        title_justify="left",
    )  # fmt: skip
    between = " " if console.width >= ONE_LINE_WIDTH else "\n"
    for row in summary["cells"]:
        values = [row["values"].get(key, "") for key in keys]
        if not row["values"]:
            values[0] = row["cell"]
        scores = [interval_text(row["scores"][metric], between) for metric in names]
        gains = [interval_text(row[key].get(headline), between, sign="+") for key in shown]
        table.add_row(*values, *scores, *gains, end_section=not row["values"])
    console.print(table)
    if any(row["fell_back"] for row in summary["cells"] if row["values"]):
        count = ", ".join(f"{row['cell']} {row['fell_back']}" for row in summary["cells"] if row["values"])
        print(
            f"the guard kept the student that knows no teacher, of {len(summary['repetitions'])} repetitions: {count}; "
            "--over distill.guard=false compares the teaching itself"
        )
