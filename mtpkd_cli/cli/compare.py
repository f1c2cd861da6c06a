"""Several runs or methods in one table and plot."""

from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import replaced_folder, write_bytes, write_json, write_text
from mtpkd_cli.cli.gains import print_gains
from mtpkd_cli.cli.show import print_json, print_scores
from mtpkd_cli.errors import StudyError
from mtpkd_cli.evaluation.runs import compare_runs, read_evaluated
from mtpkd_cli.report.drawing import SERIES, style
from mtpkd_cli.report.forest import forest_panel
from mtpkd_cli.report.numbers import csv_table, latex_table
from mtpkd_cli.report.scores import scale_in

SUMMARY = "comparison.json"


def compare(
    folders: list[Path],
    methods: list[str],
    reference: str | None,
    different_splits: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Prints scores and differences of students of evaluated runs, and writes tables and plot where told."""
    if output is not None and output.exists() and not (output / SUMMARY).is_file():
        raise StudyError("there is something else already", where=output, todo="name another folder by --output")
    summary = compare_runs(read_evaluated(folders), methods, reference, different_splits=different_splits)
    if output is not None:
        _write(output, summary)
    if as_json:
        print_json(summary)
        return
    print_scores(summary)
    print_gains(summary)
    if not summary["same_splits"]:
        print(
            "The runs are split differently: all folds of a seed are put together, test people were others' training."
        )


def _write(folder: Path, summary: dict[str, Any]) -> None:
    metric = summary["headline"]
    rows = {name: row["differences"].get(metric, {}) for name, row in summary["methods"].items()}
    rows = {name: found for name, found in rows.items() if found.get("value") is not None}
    with replaced_folder(folder) as place:
        write_json(place / SUMMARY, summary)
        write_text(place / "scores.csv", csv_table(summary))
        write_text(place / "scores.tex", latex_table(summary))
        if rows:
            with style():
                colours = dict.fromkeys(rows, SERIES[0])
                scale, about = scale_in(summary, metric), summary["metrics"][metric]
                panel = forest_panel(rows, colours, scale, about, summary["reference"])
            write_text(place / "differences.svg", panel.svg)
            write_bytes(place / "differences.pdf", panel.pdf)
