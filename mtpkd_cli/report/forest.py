"""Forest plot: every method's difference from the reference, with its interval."""

from collections.abc import Mapping
from typing import Any

from mtpkd_cli.evaluation.summary import TEACHER_PREFIX, Estimate, MetricAbout
from mtpkd_cli.report.drawing import INK, MUTED, SERIES, Block, Panel, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import Scale, scale_of


def forest(results: Results) -> Block:
    """Draws the headline metric's differences; methods without a value are named in the caption."""
    metric = results.metric_names[0]
    scale, about = scale_of(results, metric), results.summary.metrics[metric]
    rows = {
        name: row.differences[metric]
        for name, row in results.summary.methods.items()
        if metric in row.differences and row.differences[metric].value is not None
    }
    if not rows:
        return Block(absent=f"No method has a defined difference from {results.reference}.")
    colours = {name: _colour(results, name) for name in rows}
    panel = forest_panel(rows, colours, scale, about, results.reference)
    left_out = [name for name in results.summary.methods if name not in rows and name != results.reference]
    better = "right" if about.greater_is_better else "left"
    caption = (
        f"Points are the mean over folds and seeds, bars the {results.summary.interval}. To the {better} of the "
        f"line is better than {results.reference}; a bar that crosses the line may be chance. Blue needs nothing but "
        f"{', '.join(results.study.prevalent)} at test time, orange needs privileged modalities. Intervals are not "
        "corrected for the number of comparisons."
    )
    caption += f" Without a defined difference: {', '.join(left_out)}." if left_out else ""
    return Block(caption, [panel])


def forest_panel(
    rows: Mapping[str, Estimate], colours: dict[str, str], scale: Scale, about: MetricAbout, reference: str
) -> Panel:
    """Draws differences with their intervals, one line per row.

    Args:
        rows: Name -> difference, its interval.
        about: Label of the metric, and whether greater is better.
    """
    axes = new_axes(f"Difference from {reference}", 0.95 + 0.21 * len(rows), 4.3)
    for place, (name, estimate) in enumerate(rows.items()):
        _draw(axes, place, estimate, scale.factor, colours[name])
    axes.axvline(0, color=INK, linewidth=0.9, zorder=0)
    axes.set_yticks(range(len(rows)), [shortened(name, 26) for name in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    unit = f" ({scale.difference_unit})" if scale.difference_unit else ""
    axes.set_xlabel(f"{about.label}, difference{unit}")
    return panel_of(axes, "differences", f"Differences from {reference} with intervals")


def _colour(results: Results, name: str) -> str:
    teacher = name.startswith(TEACHER_PREFIX) and results.needs_privileged(name.removeprefix(TEACHER_PREFIX))
    return SERIES[1] if teacher else SERIES[0]


def _draw(axes: Any, place: int, estimate: Estimate, factor: float, colour: str) -> None:
    low, high = estimate.low, estimate.high
    if low is None or high is None:
        axes.plot([factor * (estimate.value or 0)], [place], "o", markersize=4.5, color=MUTED)
        return
    axes.plot([factor * low, factor * high], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt")
    axes.plot([factor * (estimate.value or 0)], [place], "o", markersize=4.5, color=colour)
