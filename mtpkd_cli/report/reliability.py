"""Whether confidences may be believed: accuracy against confidence, in bins, of every student."""

from mtpkd_cli.evaluation.summary import Reliability
from mtpkd_cli.report.drawing import INK, SERIES, WIDTH_IN, Block, Panel, new_axes, panel_of
from mtpkd_cli.report.results import Results


def reliability(results: Results) -> Block:
    """One panel per student of a classification."""
    if not results.classification:
        return Block(absent="Predicted targets come without a confidence, so there is nothing to calibrate.")
    rows = {name: results.summary.methods[name].reliability for name in results.students}
    panels = [_panel(name, one, len(results.summary.outputs)) for name, one in rows.items() if one]
    if not panels:
        return Block(absent="The scores are of an earlier version and hold no reliability: evaluate again.")
    caption = (
        "Predictions of all folds and seeds in bins of confidence (the largest probability); a dot is as large as its "
        "bin is full. On the line a confidence is as often right as it says; below it the student is too sure, above "
        "it not sure enough. ECE is the mean distance from the line over predictions, the same number as in the scores."
    )
    return Block(caption, panels)


def _panel(name: str, calibration: Reliability, classes: int) -> Panel:
    ece = "undefined" if calibration.ece is None else f"{calibration.ece:.1%}"
    axes = new_axes(f"{name}, ECE = {ece}", WIDTH_IN * 0.8, WIDTH_IN * 0.86)
    sure = [100 * entry.confidence for entry in calibration.bins]
    right = [100 * entry.accuracy for entry in calibration.bins]
    counts = [entry.samples for entry in calibration.bins]
    least = 100 / classes
    axes.plot([least, 100], [least, 100], color=INK, linewidth=0.9)
    axes.plot(sure, right, color=SERIES[0], linewidth=1, alpha=0.6)
    axes.scatter(sure, right, s=[8 + 130 * count / max(counts) for count in counts], color=SERIES[0], linewidth=0)
    axes.set_xlim(least - 4, 104)
    axes.set_ylim(-4, 104)
    axes.set_xlabel("confidence (%)")
    axes.set_ylabel("right (%)")
    axes.grid()
    return panel_of(axes, f"reliability-{name}", f"Reliability of {name}")
