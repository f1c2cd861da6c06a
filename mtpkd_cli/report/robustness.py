"""How scores fall as recordings get worse: one panel per kind of damage, as `evaluate --corrupt` has measured it."""

import json
from typing import Any

from mtpkd_cli.report.drawing import SERIES, Block, Panel, figure_of, finished, new_axes, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import scale_in

PERCENT = ("drop", "occlusion", "missing")
TITLES = {
    "drop": "Frames drop out",
    "occlusion": "A stretch is hidden",
    "noise": "Noise",
    "blur": "Blur over time",
    "rate": "Fewer frames",
    "missing": "Joint teacher, privileged modalities missing",
}


def robustness(results: Results) -> Block:
    """One panel per kind of damage, or how to have them."""
    path = results.run.evaluation / "corruption.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Block(absent="Not measured: mtpkd evaluate RUN --corrupt does it.")
    panels = [_panel(kind, found, content["metric"], results) for kind, found in content["kinds"].items()]
    caption = (
        "Lines are means over folds and seeds, bands 95 % intervals over subjects. The features of test samples are "
        "made worse to the right; nothing is trained anew, and all methods see the same damage. A method is worth "
        "having in the field if its line stays above the reference's all the way. Damage is done to the time steps "
        "that the encoders gave, not to pictures or sound: what it does to a face detector is not in it."
    )
    if content["steps"] == 1:
        caption += " Samples have one step each here, so only noise and a missing modality can change anything."
    return Block(caption, panels)


def _panel(kind: str, found: dict[str, Any], metric: str, results: Results) -> Panel:
    scale, about = scale_in(results.summary, metric), results.summary["metrics"][metric]
    axes = new_axes(TITLES.get(kind, kind), 2.5)
    factor = 100 if kind in PERCENT else 1
    x = [factor * level for level in found["levels"]]
    for number, (name, line) in enumerate(found["methods"].items()):
        colour = SERIES[number % len(SERIES)]
        value, low, high = (
            [float("nan") if point[key] is None else scale.factor * point[key] for point in line]
            for key in ("value", "low", "high")
        )
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, value, ".-", color=colour, linewidth=1.4, markersize=4, label=shortened(name, 30))
    axes.set_xlabel(found["label"])
    axes.set_ylabel(f"{about['label']}{f' ({scale.unit})' if scale.unit else ''}")
    axes.grid(axis="y")
    figure_of(axes).legend(loc="outside lower center", ncols=1 if kind == "missing" else 3, handlelength=1.4)
    return finished(axes, f"corrupt-{kind}", f"Scores as recordings get worse: {TITLES.get(kind, kind)}")
