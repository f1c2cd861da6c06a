"""How scores fall as recordings get worse: one panel per kind of damage, as `evaluate --corrupt` has measured it."""

from mtpkd_cli.evaluation.robustness import DamageCurves, RobustnessScores, read_robustness
from mtpkd_cli.report.drawing import MUTED, SERIES, Block, Panel, figure_of, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import scale_in


def robustness(results: Results) -> Block:
    """One panel per kind of damage; or how to have them, or why they are not shown."""
    state = results.optional_states["corrupt"]
    if state.kind == "missing":
        return Block(absent="Not measured: mtpkd evaluate RUN --corrupt does it.")
    if state.kind == "stale":
        again = "mtpkd evaluate RUN --corrupt does it again"
        return Block(absent=f"Measured before something changed ({state.reason}): {again}.")
    scores = read_robustness(results.run)
    limits = _limits(scores.kinds, scale_in(results.summary, scores.metric).factor)
    panels = [_panel(kind, scores.metric, results, limits) for kind in scores.kinds]
    return Block(" ".join(_sentences(scores)), panels)


def _sentences(scores: RobustnessScores) -> list[str]:
    part = "" if scores.samples == scores.all_samples else f" of {scores.all_samples}"
    sentences = [
        f"Lines are means over folds and seeds of {scores.samples}{part} test samples, bands 95 % intervals over "
        f"{scores.subjects} subjects; damage grows to the right. Nothing is trained anew, and all methods see the "
        "same damage. A method is worth having in the field if its line stays above the reference's all the way."
    ]
    for name, about in scores.media.items():
        if about.reason:
            sentences.append(
                f"Of {name} the features were damaged, not pictures or sound, so what damage does to an encoder or a "
                f"face search is not in it: {about.reason}."
            )
            continue
        itself = "pictures themselves were" if about.sense == "pictures" else "sound itself was"
        searched = ", the search for a face included" if about.sense == "pictures" else ""
        sentences.append(f"Of {name} the {itself} damaged and encoded anew{searched}.")
        same = f"{about.same} of {about.encoded}"
        sentences.append(f"Undamaged, {same} samples gave the stored features bit for bit.")
        if about.kept:
            sentences.append(
                f"{about.kept} could not be encoded undamaged either and keep their stored features throughout."
            )
    if any(kind.failed for kind in scores.kinds):
        sentences.append(
            "The dotted line is the share of samples in which nothing could be found or read any more; where no "
            "other modality is left either, they are scored as one who has not seen them would, by the shares of the "
            "classes (or the mean of the targets) in training."
        )
    on_features = any(kind.on == "features" for kind in scores.kinds)
    if on_features and scores.steps == 1:
        sentences.append("Samples have one step each here, so only noise and a missing modality can change anything.")
    return sentences


def _limits(kinds: list[DamageCurves], factor: float) -> tuple[float, float]:
    """One range for all panels of students, so that they can be compared."""
    lines = [line for kind in kinds if kind.on != "modalities" for line in kind.methods.values()]
    ends = [
        factor * end
        for line in lines
        for point in line
        for end in (point.low, point.value, point.high)
        if end is not None
    ]
    if not ends:
        return 0.0, factor
    room = 0.05 * (max(ends) - min(ends)) or 0.05 * factor
    return min(ends) - room, max(ends) + room


def _panel(kind: DamageCurves, metric: str, results: Results, limits: tuple[float, float]) -> Panel:
    scale, about = scale_in(results.summary, metric), results.summary.metrics[metric]
    lost = [100 * share for share in kind.failed]
    teacher = kind.on == "modalities"
    place = "" if teacher else f"{', '.join(kind.modalities)}: "
    axes = new_axes(f"{place}{kind.title}", 2.7)
    # Levels grow by factors: evenly spaced they can all be told apart.
    x = range(len(kind.ticks))
    for number, (name, line) in enumerate(kind.methods.items()):
        colour = SERIES[number % len(SERIES)]
        value, low, high = (
            [float("nan") if end is None else scale.factor * end for end in ends]
            for ends in zip(*((point.value, point.low, point.high) for point in line), strict=True)
        )
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, value, ".-", color=colour, linewidth=1.4, markersize=4, label=shortened(name, 30))
    axes.set_xticks(list(x), kind.ticks)
    axes.set_xlabel(kind.label)
    axes.set_ylabel(f"{about.label}{f' ({scale.unit})' if scale.unit else ''}")
    axes.grid(axis="y")
    if not teacher:
        axes.set_ylim(*limits)
    handles, labels = axes.get_legend_handles_labels()
    if any(lost):
        right = axes.twinx()
        right.spines["right"].set_visible(True)
        right.set_ylim(0, 100)
        right.set_ylabel("not encoded (% of samples)")
        handles += right.plot(x, lost, ":", color=MUTED, linewidth=1.4)
        labels.append("not encoded")
    columns = 1 if teacher else 3
    figure_of(axes).legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=1.4)
    name = "-".join(["corrupt", *([] if teacher else kind.modalities), kind.kind])
    return panel_of(axes, name, f"Scores as recordings get worse: {place}{kind.title}")
