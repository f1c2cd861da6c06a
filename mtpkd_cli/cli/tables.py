"""Results as tables on stdout: scores, gains, classical models, damaged recordings, ablations, curves over labels."""

from collections.abc import Mapping

from rich import box
from rich.table import Table

from mtpkd_cli.cli.console import ONE_LINE_WIDTH, print_text, wide_console
from mtpkd_cli.evaluation.ablation import AblationScores
from mtpkd_cli.evaluation.classical import ClassicalScores
from mtpkd_cli.evaluation.curve import CurveScores
from mtpkd_cli.evaluation.robustness import DamageCurves, RobustnessScores
from mtpkd_cli.evaluation.summary import TEACHER_PREFIX, TRIVIAL, Estimate, FrameScores, MethodScores, Summary, p_text

_SHOWN_METHODS = 6
_MOST_COLUMNS = 5
"""Swept keys and scores of an ablation together, so that a line holds them; ablation.json has all scores."""


def print_scores(summary: Summary) -> None:
    """One row per method: every score with its interval, the headline metric first; then of single frames."""
    names = summary.metric_names
    title = (
        f"{summary.samples} samples of {summary.subjects} subjects, {len(summary.repetitions)} fold x seed; "
        "mean and 95 % interval over subjects"
    )
    _print_methods(summary, summary.rows, names, title)
    for method, row in summary.methods.items():
        if unseen := summary.samples - row.scored:
            print_text(f"{method}: {unseen} without a score, since it could see nothing of them")
    if frames := summary.frames:
        title = f"{frames.frames} labelled frames, each by the mean of the windows that cover it"
        _print_methods(summary, frames.methods, [name for name in names if name in frames.metrics], title)
        for method, of_frames in frames.methods.items():
            if of_frames.unscored:
                left_out = f"{of_frames.unscored} frames without a score"
                print_text(f"{method}: {left_out}, since no window over them could be read")


def _print_methods(
    summary: Summary, methods: Mapping[str, MethodScores] | Mapping[str, FrameScores], names: list[str], title: str
) -> None:
    console = wide_console()
    labels = [summary.metrics[name].label for name in names]
    table = Table("method", *labels, title=title, title_justify="left")
    between = " " if console.width >= ONE_LINE_WIDTH else "\n"
    before = ""
    for method, row in methods.items():
        if method == TRIVIAL or (method.startswith(TEACHER_PREFIX) and not before.startswith(TEACHER_PREFIX)):
            table.add_section()
        cells = [interval_text(row.scores[name], between) for name in names]
        table.add_row(method, *cells)
        before = method
    console.print(table)


def print_gains(summary: Summary) -> None:
    """One row per method that differs from the reference, in the headline metric; how to read it below."""
    headline, repetitions = summary.headline, len(summary.repetitions)
    about = summary.metrics[headline]
    rows = {method: row for method, row in summary.methods.items() if headline in row.differences}
    if not rows:
        return
    control = next((row.over_control[headline].other for row in rows.values() if row.over_control), None)
    columns = [f"minus {summary.reference}", "p", "p Holm"]
    columns += [f"minus {control}, the best control", "p Holm"] if control else []
    placebos = any(row.over_placebo for row in rows.values())
    columns += ["minus its placebo", "p Holm"] if placebos else []
    columns.append("subjects who lose")
    guarded = any(row.fell_back is not None for row in rows.values())
    columns += ["guard fell back", "kept, yet worse"] if guarded else []
    title = f"{about.label}{'' if about.greater_is_better else ' (lower is better)'}: differences"
    table = Table("method", *columns, title=title, title_justify="left")
    for method, row in rows.items():
        versus = row.differences[headline]
        cells = [interval_text(versus, " ", sign="+"), p_text(versus.p), p_text(versus.p_holm)]
        for shown, by_metric in ((control, row.over_control), (placebos, row.over_placebo)):
            if shown:
                over = by_metric.get(headline)
                cells += [interval_text(over, " ", sign="+"), p_text(over.p_holm) if over else "-"]
        transfer = row.transfer
        lose = transfer.lose if transfer else None
        cells.append("-" if transfer is None or lose is None else f"{100 * lose:.0f} % of {transfer.subjects}")
        if guarded and transfer is not None:
            fell_back = row.fell_back or 0
            cells += [f"{fell_back}/{repetitions}", f"{row.kept_and_worse}/{repetitions - fell_back}"]
        table.add_row(method, *cells, *["-"] * (len(columns) - len(cells)))
    wide_console().print(table)
    print_text(f"p: {summary.test}.")


def print_classical(scores: ClassicalScores) -> None:
    """One row per network: its score, and the score of each model with the network minus it."""
    rivals = list(scores.rows[0].rivals)
    columns = [column for rival in rivals for column in (rival, "network minus it", "p")]
    title = f"{scores.label} of networks and of scikit-learn's models of the same features, pooled over time"
    table = Table("network", scores.label, *columns, title=title, title_justify="left")
    for row in scores.rows:
        cells = []
        for rival in row.rivals.values():
            difference = rival.difference
            cells += [value_text(rival.score), interval_text(difference, " ", sign="+"), p_text(difference.p)]
        table.add_row(row.network, value_text(row.score), *cells)
    wide_console().print(table)
    print_text(f"p: {scores.test.split(';')[0]}; their strength was chosen by validation subjects.")


def print_robustness(scores: RobustnessScores, label: str) -> None:
    """One row per kind and level: the score of every method, and how many samples could not be encoded.

    Args:
        label: Of the metric.
    """
    for name, medium in scores.media.items():
        if medium.reason:
            print_text(f"{name}: features were damaged, not media: {medium.reason}")
        else:
            print_text(
                f"{name}: damaged: {medium.sense}, encoded anew; undamaged, {medium.same} of "
                f"{medium.encoded} samples gave the stored features bit for bit"
            )
    students = [kind for kind in scores.kinds if kind.on != "modalities"]
    teacher = [kind for kind in scores.kinds if kind.on == "modalities"]
    part = "" if scores.samples == scores.all_samples else f" of {scores.all_samples}"
    samples = f"{scores.samples}{part} test samples of {scores.subjects} subjects"
    _print_kinds(students, f"{label} of {samples} as they get worse")
    _print_kinds(teacher, f"{label} of the joint teacher as trained")


def _print_kinds(kinds: list[DamageCurves], title: str) -> None:
    if not kinds:
        return
    methods = list(kinds[0].methods)[:_SHOWN_METHODS]
    encoded = any(kind.failed for kind in kinds)
    ends = ["samples lost", "time not measured"] if encoded else []
    table = Table("damage", "level", *methods, *ends, title=title, title_justify="left")
    for kind in kinds:
        table.add_section()
        place = "" if kind.on == "modalities" else f"{', '.join(kind.modalities)} {kind.on}: "
        for number, tick in enumerate(kind.ticks):
            scores = [value_text(kind.methods[method][number]) for method in methods]
            cells = [
                _share(shares[number] if shares else None) for shares in (kind.failed, kind.unmeasured)[: len(ends)]
            ]
            table.add_row("" if number else f"{place}{kind.kind}, {kind.label}", tick, *scores, *cells)
    wide_console().print(table)


def print_ablation(ablation: AblationScores) -> None:
    """One row per cell: its values, its scores, and how far it lies from the reference and from the first cell."""
    console = wide_console()
    over, headline = ablation.over, ablation.headline
    keys = [key for key, values in over.items() if len(values) > 1] or list(over)
    names = ablation.metric_names[: max(1, _MOST_COLUMNS - len(keys))]
    labels = [ablation.metrics[metric].label for metric in names]
    fixed = "".join(f", {key} = {values[0]}" for key, values in over.items() if key not in keys)
    title = (
        f"{ablation.method}{fixed}: {ablation.samples} samples of {ablation.subjects} subjects, "
        f"{len(ablation.repetitions)} fold x seed; mean and 95 % interval over subjects"
    )
    minus = [f"{labels[0]} minus {ablation.reference}"] if ablation.reference else []
    columns = [*keys, *labels, *minus, f"{labels[0]} minus first cell"]
    table = Table(*columns, title=title, title_justify="left")
    between = " " if console.width >= ONE_LINE_WIDTH else "\n"
    for row in ablation.cells:
        values = [row.values.get(key, "") for key in keys]
        if not row.values:
            values[0] = row.cell
        scores = [interval_text(row.scores[metric], between) for metric in names]
        differences = [*([row.from_reference] if ablation.reference else []), row.from_first]
        gains = [interval_text(by_metric.get(headline), between, sign="+") for by_metric in differences]
        table.add_row(*values, *scores, *gains, end_section=not row.values)
    console.print(table)
    if any(row.fell_back for row in ablation.cells if row.values):
        count = ", ".join(f"{row.cell} {row.fell_back}" for row in ablation.cells if row.values)
        print_text(
            f"the guard kept the student that knows no teacher, of {len(ablation.repetitions)} repetitions: {count}; "
            "--over distill.guard=false compares the teaching itself"
        )


def print_curve(curve: CurveScores) -> None:
    """One row per share and method, within 80 columns; then what the curve says in people."""
    title = (
        f"{curve.label} of {curve.tested} samples of {curve.subjects} subjects, {len(curve.repetitions)} fold x seed, "
        f"with 95 % intervals over subjects; labelled people and samples are means over folds"
    )
    columns = ("share", "people", "samples", "method", "score", f"minus {curve.reference}")
    # No lines between columns: a row has to fit a terminal of 80 columns.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in columns:
        right, folds = column in ("people", "samples"), column == "method"
        table.add_column(column, justify="right" if right else "left", no_wrap=not folds, overflow="fold")
    for one in curve.shares:
        cells = (f"{one.share:g}", f"{one.people:.3g}", f"{one.samples:.0f}")
        for number, (method, point) in enumerate(one.methods.items()):
            scores = (interval_text(point.score, " ", comma=","), interval_text(point.difference, " ", "+", comma=","))
            table.add_row(*cells, method, *scores, end_section=number == len(one.methods) - 1)
    wide_console().print(table)
    for sentence in curve.sentences:
        print_text(sentence)
    if not curve.sentences:
        print_text("no method gains so surely at any share that it can be said how many labels that is worth")


def value_text(estimate: Estimate) -> str:
    """A value without its interval, "-" where there is none."""
    return "-" if estimate.value is None else f"{estimate.value:.3f}"


def interval_text(estimate: Estimate | None, between: str, sign: str = "", comma: str = ", ") -> str:
    """A value with its interval, "-" where there is none; `between` stands between the two."""
    if estimate is None or estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.3f}"
    return f"{estimate.value:{sign}.3f}{between}[{estimate.low:{sign}.3f}{comma}{estimate.high:{sign}.3f}]"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
