"""A comparison of runs in a folder: JSON, CSV, LaTeX, and its differences as SVG and PDF."""

from pathlib import Path

from mtpkd_cli.artifacts import replaced_folder, write_bytes, write_text
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.errors import StudyError
from mtpkd_cli.evaluation.summary import Summary
from mtpkd_cli.report.drawing import SERIES, style
from mtpkd_cli.report.forest import forest_panel
from mtpkd_cli.report.numbers import csv_table, latex_table
from mtpkd_cli.report.scores import scale_in

COMPARISON = "comparison.json"


def check_place(folder: Path) -> None:
    """Raises StudyError where a folder holds something else than an earlier comparison."""
    if folder.exists() and not (folder / COMPARISON).is_file():
        raise StudyError("there is something else already", where=folder, todo="name another folder by --output")


def write_comparison(folder: Path, summary: Summary) -> None:
    """Writes the folder anew."""
    metric = summary.headline
    differences = {name: row.differences[metric] for name, row in summary.methods.items() if metric in row.differences}
    rows = {name: difference for name, difference in differences.items() if difference.value is not None}
    with replaced_folder(folder) as place:
        write_record(place / COMPARISON, summary)
        write_text(place / "scores.csv", csv_table(summary))
        write_text(place / "scores.tex", latex_table(summary))
        if rows:
            with style():
                colours = dict.fromkeys(rows, SERIES[0])
                scale, about = scale_in(summary, metric), summary.metrics[metric]
                panel = forest_panel(rows, colours, scale, about, summary.reference)
            write_text(place / "differences.svg", panel.svg)
            write_bytes(place / "differences.pdf", panel.pdf)
