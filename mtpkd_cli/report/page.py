"""Putting the report together: sections -> report.html, panels -> figures/*.svg."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mtpkd_cli import __version__, interruption
from mtpkd_cli.artifacts import RunFolder, replaced_folder, write_bytes, write_text
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.report import drawing
from mtpkd_cli.report.agreement import agreement
from mtpkd_cli.report.curves import student_curves, teacher_curves
from mtpkd_cli.report.drawing import Block
from mtpkd_cli.report.forest import forest
from mtpkd_cli.report.label_curve import label_curve
from mtpkd_cli.report.matrices import similarity_matrices
from mtpkd_cli.report.numbers import csv_table, latex_table
from mtpkd_cli.report.people import people
from mtpkd_cli.report.provenance import extraction, listing, provenance, study_comment
from mtpkd_cli.report.reliability import reliability
from mtpkd_cli.report.results import Results, read_results
from mtpkd_cli.report.robustness import robustness
from mtpkd_cli.report.scores import scale_of, score_blocks, summary_sentences
from mtpkd_cli.report.selection import selection
from mtpkd_cli.report.spaces import spaces
from mtpkd_cli.report.tables import (
    best_control,
    choices,
    class_rows,
    classical_table,
    control_table,
    frame_table,
    gain_rows,
    target_rows,
)
from mtpkd_cli.report.transfer import transfer_table

FIGURES: dict[str, Callable[[Results], Block]] = {
    "forest": forest,
    "people": people,
    "label_curve": label_curve,
    "student_curves": student_curves,
    "teacher_curves": teacher_curves,
    "selection": selection,
    "matrices": similarity_matrices,
    "spaces": spaces,
    "agreement": agreement,
    "reliability": reliability,
    "robustness": robustness,
}


def write_report(run: RunFolder, progress: Callable[[str, int], Callable[[], None]] | None = None) -> Path:
    """Writes evaluation/report.html, one self-contained file, and its figures as SVG and PDF into evaluation/figures/,
    its numbers as CSV and LaTeX into evaluation/tables/.

    Args:
        progress: Begins a count of sections, as a `Reporter` does: of twenty methods the drawings take a minute or two.

    Returns:
        The path of the report.

    Raises:
        ArtifactError: The run has no scores yet. Any other artifact that is missing leaves its section out, with a
            sentence that says so.
        StudyError: study.toml is not a study.
    """
    results = read_results(run)
    advance = progress("report", len(FIGURES)) if progress else lambda: None
    with drawing.style():
        blocks = {}
        for name, draw in FIGURES.items():
            interruption.check()
            blocks[name] = _or_absent(draw, results)
            advance()
    page = _template().render(_context(results) | {"figures": blocks})
    panels = [panel for block in blocks.values() for panel in block.panels]
    with replaced_folder(run.evaluation / "figures") as folder:
        for panel in panels:
            write_text(folder / f"{panel.name}.svg", panel.svg)
            write_bytes(folder / f"{panel.name}.pdf", panel.pdf)
    with replaced_folder(run.evaluation / "tables") as folder:
        write_text(folder / "scores.csv", csv_table(results.summary))
        write_text(folder / "scores.tex", latex_table(results.summary))
    path = run.evaluation / "report.html"
    write_text(path, page)
    return path


def _context(results: Results) -> dict[str, Any]:
    origin = provenance(results)
    summary = results.summary
    columns = [
        {"label": summary.metrics[name].label, "unit": scale_of(results, name).unit}
        | {"lower": not summary.metrics[name].greater_is_better}
        for name in results.metric_names
    ]
    return {
        "name": results.study.study.name,
        "comment": study_comment(origin["study"]),
        "summary": summary,
        "choices": choices(results),
        "sentences": summary_sentences(results),
        "columns": columns,
        "blocks": score_blocks(results),
        "gains": gain_rows(results),
        "control": best_control(results),
        "over_control": control_table(results),
        "classes": class_rows(results),
        "targets": target_rows(results),
        "frames": frame_table(results),
        "classical": classical_table(results),
        "transfer": transfer_table(results),
        "headline": summary.metrics[summary.headline].label,
        "reference": results.reference,
        "classification": results.classification,
        "modalities": extraction(results),
        "listing": listing(results),
        "origin": origin,
        "version": __version__,
    }


def _or_absent(draw: Callable[[Results], Block], results: Results) -> Block:
    try:
        return draw(results)
    except ArtifactError as err:
        lacking = results.run.relative(err.where) if isinstance(err.where, Path) else err.what
        return Block(absent=f"This section is left out: {lacking} is missing or cannot be read.")


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
