"""Who gains and who loses: each subject's score by a student less that by the reference."""

import numpy as np
import pandas as pd

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.evaluation.summary import GAINS_BY_SUBJECT
from mtpkd_cli.report.drawing import INK, SERIES, Block, Panel, new_axes, panel_of
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import Scale, scale_in

TIE = 1e-12


def people(results: Results) -> Block:
    """One panel per student: its gain of every subject, sorted.

    Raises:
        ArtifactError: evaluation/subjects.parquet cannot be read.
    """
    metric = results.summary.headline
    scale, about = scale_in(results.summary, metric), results.summary.metrics[metric]
    table = read_parquet(results.run.evaluation / GAINS_BY_SUBJECT).to_pandas().dropna(subset=["gain"])
    by_method = {method: rows for method, rows in table.groupby("method", sort=False) if method in results.students}
    if not by_method:
        return Block(absent=f"No student has a score of a subject's own beside {results.reference}'s.")
    panels = [_panel(str(method), rows, scale, about.label, results.reference) for method, rows in by_method.items()]
    caption = (
        f"Each bar is one subject: {about.label} of the student less that of {results.reference}, mean over the "
        "folds and seeds that test the subject, better upwards. Blue bars gain, orange ones lose: a mean gain with a "
        "long orange tail is bought from some people for others. A flat line is a student that is the reference's own."
    )
    return Block(caption, panels)


def _panel(name: str, rows: pd.DataFrame, scale: Scale, label: str, reference: str) -> Panel:
    gains = np.sort(rows["gain"].to_numpy(float) * scale.factor)[::-1]
    axes = new_axes(name, 2.1)
    colours = [SERIES[0] if gain > 0 else SERIES[1] for gain in gains]
    axes.bar(range(1, len(gains) + 1), gains, width=0.85 if len(gains) < 150 else 1.0, color=colours, linewidth=0)
    if not gains.any():
        axes.set_ylim(-1, 1)
    axes.axhline(0, color=INK, linewidth=0.9)
    lose = (gains < -TIE).mean()
    axes.text(0.99, 0.96, f"{lose:.0%} lose", transform=axes.transAxes, ha="right", va="top")
    axes.set_xlabel(f"{len(gains)} subjects, sorted")
    axes.set_ylabel(f"gain ({scale.difference_unit or label})")
    axes.grid(axis="y")
    return panel_of(axes, f"subjects-{name}", f"Gain of each subject by {name} over {reference}")
