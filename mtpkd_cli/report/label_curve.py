"""Scores over the number of labelled people: one line per method, as `mtpkd curve` has measured them."""

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mtpkd_cli.config.methods import PROPOSED
from mtpkd_cli.evaluation.curve import CurveScores, CurveShare, read_curve
from mtpkd_cli.pipeline.curve_request import CONTROLS
from mtpkd_cli.report.drawing import MUTED, SERIES, Block, Panel, figure_of, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import scale_in

_MOST_LINES = 4
"""Lines in one panel: more cannot be told apart."""
_APART = 0.016
"""Between intervals of two methods at the same labels, as a share of the panel: they would hide each other."""


def label_curve(results: Results) -> Block:
    """The methods that the curve is about in one panel, others in further ones; or how to have them."""
    state = results.optional_states["curve"]
    if state.kind == "missing":
        return Block(absent="Not measured: mtpkd curve RUN does it.")
    if state.kind == "stale":
        return Block(absent=f"Measured before something changed ({state.reason}): mtpkd curve RUN does it again.")
    curve = read_curve(results.run)
    lines = [name for name in curve.methods if name not in (curve.reference, curve.upper)]
    judged = [name for name in lines if name not in curve.controls]
    shown = [PROPOSED] if PROPOSED in judged else judged[:1]
    first = [*shown, *(name for name in CONTROLS if name in lines)]
    rest = [name for name in lines if name not in first]
    size = _MOST_LINES - 1
    groups = [first, *(rest[i : i + size] for i in range(0, len(rest), size))]
    return Block(" ".join(_sentences(curve)), [_panel(curve, group, n, results) for n, group in enumerate(groups)])


def _sentences(curve: CurveScores) -> list[str]:
    who = "people" if curve.label_unit == "subject" else "samples"
    shown = [
        f"Scores over the number of labelled {who} (mean over folds, those who validate among them; logarithmic); "
        f"bars are 95 % intervals over the same {curve.subjects} tested subjects, side by side where labels are the "
        f"same. All other labels on the training "
        f"side are hidden from all methods{f', but for {curve.upper}, the dashed line' if curve.upper else ''}."
    ]
    shown += [f"{sentence}." for sentence in curve.sentences]
    if not curve.sentences:
        shown.append("No gain is so sure that it can be said how many labels it is worth.")
    return shown


def _panel(curve: CurveScores, methods: list[str], number: int, results: Results) -> Panel:
    scale, about = scale_in(results.summary, curve.metric), results.summary.metrics[curve.metric]
    others = "other methods" if number else "what labels are worth"
    axes = new_axes(f"{about.label}: {others}", 2.9)
    ticks = sorted({curve.labels_of(one) for one in curve.shares})
    step = (ticks[-1] / ticks[0]) ** _APART if ticks[-1] > ticks[0] else 1 + _APART
    for index, method in enumerate([curve.reference, *methods]):
        shares = [one for one in curve.shares if method in one.methods]
        x = [curve.labels_of(one) * step ** (index - len(methods) / 2) for one in shares]
        value, low, high = (
            [float("nan") if end is None else scale.factor * end for end in ends]
            for ends in zip(*(_ends(one, method) for one in shares), strict=True)
        )
        colour = SERIES[index % len(SERIES)]
        axes.vlines(x, low, high, color=colour, alpha=0.6, linewidth=1)
        axes.plot(x, value, ".-", color=colour, linewidth=1.4, markersize=5, label=shortened(method, 30))
    if curve.upper:
        # Where no label is hidden, the reference knows all of them.
        known = [(one, curve.upper if curve.upper in one.methods else curve.reference) for one in curve.shares]
        points = [(curve.labels_of(one), _ends(one, name)[0]) for one, name in known]
        upper = [float("nan") if point is None else scale.factor * point for _, point in points]
        axes.plot([at for at, _ in points], upper, "--", color=MUTED, linewidth=1.2, label=curve.upper)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:.3g}"))
    axes.set_xlabel(f"labelled {'people' if curve.label_unit == 'subject' else 'samples'}")
    axes.set_ylabel(f"{about.label}{f' ({scale.unit})' if scale.unit else ''}")
    axes.grid(axis="y")
    figure_of(axes).legend(loc="outside lower center", ncols=2, handlelength=1.6, columnspacing=1)
    label = f"Scores over labelled people: {', '.join([curve.reference, *methods])}"
    return panel_of(axes, f"labels-{number}" if number else "labels", label)


def _ends(share: CurveShare, method: str) -> tuple[float | None, float | None, float | None]:
    score = share.methods[method].score
    return score.value, score.low, score.high
