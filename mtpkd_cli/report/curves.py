"""Learning curves: losses over epochs of every student and teacher, all repetitions in one panel."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mtpkd_cli.evaluation.summary import TEACHER_PREFIX
from mtpkd_cli.report.drawing import SERIES, Block, Panel, figure_of, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.training.fitting import History

SHARE_PREFIX = "share_"
THIN_LINES = 12
# Far from the colours of the two losses.
TERM_COLOURS = (SERIES[2], SERIES[3], SERIES[6], SERIES[5], SERIES[7])


def student_curves(results: Results) -> Block:
    """One panel per method."""
    return _block({method: results.student_histories(method) for method in results.students}, results)


def teacher_curves(results: Results) -> Block:
    """One panel per teacher."""
    return _block({TEACHER_PREFIX + name: results.teacher_histories(name) for name in results.teachers}, results)


def per_epoch(histories: list[History], values: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Stacks what repetitions logged per epoch.

    Args:
        values: One list per repetition, as long as its history.

    Returns:
        (P, E) padded with NaN where a repetition had stopped; (E',) mean over those that ran, E' <= E the epochs that
        at least half of the repetitions reached.
    """
    table = np.full((len(histories), max(map(len, histories))), np.nan)
    for row, line in zip(table, values, strict=True):
        row[: len(line)] = line
    running = (~np.isnan(table)).sum(axis=0)
    reached = table[:, 2 * running >= len(histories)]
    return table, np.nanmean(reached, axis=0)


def _block(histories_of: dict[str, list[History]], results: Results) -> Block:
    panels = [_panel(name, histories) for name, histories in histories_of.items() if histories]
    if not panels:
        return Block(absent="No histories lie in the run folder, so there are no learning curves.")
    total = len(results.repetitions)
    fewest = min(len(histories) for histories in histories_of.values() if histories)
    spread = "thin lines are the repetitions" if total <= THIN_LINES else "the band holds the middle 80 % of them"
    count = str(total) if fewest == total else f"{fewest} to {total}"
    lines = f"Thick lines are means over {count} repetitions (fold x seed), as far as half of them ran; {spread}; "
    caption = (
        f"{lines if total > 1 else 'One repetition (fold x seed); '}dots mark the epoch whose weights were kept. "
        "Validation is the task loss on subjects that were not trained on; where it rises while training falls, the "
        "model over-fits."
    )
    if any(_terms(histories) for histories in histories_of.values()):
        caption += " Dashed terms are drawn before their weights in the total."
    return Block(caption, panels)


def _panel(name: str, histories: list[History]) -> Panel:
    axes = new_axes(name, 2.5)
    _line(axes, histories, [[entry["train"]["total"] for entry in h] for h in histories], SERIES[0], "train total")
    validation = [[entry["validation"] for entry in h] for h in histories]
    _line(axes, histories, validation, SERIES[1], "validation")
    for number, term in enumerate(_terms(histories)):
        # A repetition that kept another method's student does not log all terms.
        having = [history for history in histories if term in history[0]["train"]]
        _, mean = per_epoch(having, [[entry["train"][term] for entry in h] for h in having])
        label = shortened(term.replace("_", " "), 16)
        axes.plot(mean, "--", linewidth=1, color=TERM_COLOURS[number % len(TERM_COLOURS)], label=label)
    best = [int(np.nanargmin(line)) for line in validation]
    kept = [line[epoch] for line, epoch in zip(validation, best, strict=True)]
    axes.plot(best, kept, ".", markersize=5, color=SERIES[1])
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    if axes.dataLim.y0 >= 0:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    figure_of(axes).legend(loc="outside lower center", ncols=3, handlelength=1.4, columnspacing=1)
    return panel_of(axes, f"curves-{name}", f"Learning curves of {name}")


def _terms(histories: list[History]) -> list[str]:
    """Names of the loss terms, where there is more than the one that is the total."""
    logged = dict.fromkeys(key for history in histories for key in history[0]["train"])
    terms = [key for key in logged if key != "total" and not key.startswith(SHARE_PREFIX)]
    return terms if len(terms) > 1 else []


def _line(axes: Axes, histories: list[History], values: list[list[float]], colour: str, label: str) -> None:
    table, mean = per_epoch(histories, values)
    if len(table) > THIN_LINES:
        low, high = np.nanquantile(table[:, : len(mean)], [0.1, 0.9], axis=0)
        axes.fill_between(range(len(mean)), low, high, color=colour, alpha=0.2, linewidth=0)
    elif len(table) > 1:
        axes.plot(table.T, color=colour, linewidth=0.6, alpha=0.45)
    axes.plot(mean, color=colour, label=label)
