"""Teacher selection: the share of the batch that each teacher taught, over epochs and in all."""

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mtpkd_cli.report.curves import SHARE_PREFIX, per_epoch
from mtpkd_cli.report.drawing import SERIES, Block, Panel, figure_of, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.training.fitting import Epoch, History


def selection(results: Results) -> Block:
    """Two panels per method that logs shares: stacked over epochs, and means over all epochs and repetitions."""
    panels, sentences = [], []
    for method in results.students:
        histories = [h for h in results.student_histories(method) if _teachers(h)]
        if not histories:
            continue
        teachers = _teachers(histories[0])
        total = {name: float(np.mean([_share(e, name) for h in histories for e in h])) for name in teachers}
        order = sorted(teachers, key=lambda name: -total[name])
        panels += [_over_epochs(method, histories, order), _in_all(method, {name: total[name] for name in order})]
        some = ""
        if len(histories) < len(results.repetitions):
            some = f", in the repetitions that kept it: {len(histories)} of {len(results.repetitions)}"
        share = f"{100 * total[order[0]]:.0f}\u00a0% of what it heard{some}"
        sentences.append(f"{method} listened most to {order[0]} ({share})")
    if not panels:
        return Block(absent="No method of this study selects among teachers.")
    caption = (
        f"{'; '.join(sentences)}. First panel, the share of each teacher per epoch, stacked, mean over repetitions as "
        "far as half of them ran; second, over all epochs and repetitions. One teacher throughout would mean that "
        "several teachers brought nothing; what falls short of 100\u00a0% are samples that no teacher could see."
    )
    return Block(caption, panels)


def _teachers(history: History) -> list[str]:
    return [key.removeprefix(SHARE_PREFIX) for key in history[0]["train"] if key.startswith(SHARE_PREFIX)]


def _share(epoch: Epoch, teacher: str) -> float:
    return float(epoch["train"].get(SHARE_PREFIX + teacher, 0.0))


def _over_epochs(method: str, histories: list[History], order: list[str]) -> Panel:
    shown, rest = (order, []) if len(order) <= len(SERIES) else (order[: len(SERIES) - 1], order[len(SERIES) - 1 :])
    groups = {name: [name] for name in shown} | ({f"{len(rest)} others": rest} if rest else {})
    stacked = {
        label: per_epoch(histories, [[sum(_share(e, name) for name in group) for e in h] for h in histories])[1]
        for label, group in groups.items()
    }
    axes = new_axes(f"{method}: teacher shares over epochs", 2.6)
    epochs = np.arange(len(next(iter(stacked.values()))))
    # One epoch alone has no width to stack over.
    axes.stackplot(
        epochs if len(epochs) > 1 else [0, 1],
        [share if len(epochs) > 1 else np.repeat(share, 2) for share in stacked.values()],
        labels=[shortened(label, 14) for label in stacked],
        colors=SERIES[: len(stacked)],
        linewidth=0,
    )
    axes.set_xlabel("epoch")
    axes.set_ylabel("share of the batch")
    axes.set_ylim(0, 1)
    axes.margins(x=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure_of(axes).legend(loc="outside lower center", ncols=4, handlelength=1, columnspacing=1)
    return panel_of(axes, f"selection-{method}-epochs", f"Teacher shares of {method} over epochs, stacked")


def _in_all(method: str, total: dict[str, float]) -> Panel:
    axes = new_axes(f"{method}: teacher shares in all", max(1.4, 0.7 + 0.23 * len(total)))
    colours = [SERIES[min(number, len(SERIES) - 1)] for number in range(len(total))]
    axes.barh(range(len(total)), list(total.values()), color=colours, height=0.7)
    for place, share in enumerate(total.values()):
        axes.text(share + 0.01, place, f"{100 * share:.0f} %", va="center", fontsize=7)
    axes.set_yticks(range(len(total)), [shortened(name, 20) for name in total])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, min(1.12, max(total.values()) * 1.2 + 0.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.set_xlabel("share over all epochs and repetitions")
    return panel_of(axes, f"selection-{method}-total", f"Teacher shares of {method} in all")
