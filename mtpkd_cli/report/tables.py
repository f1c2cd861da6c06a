"""The page's tables in words: gains, classes, targets, single frames, classical models, and what each method kept."""

from collections import Counter
from typing import Any

from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.evaluation.classical import read_classical
from mtpkd_cli.evaluation.summary import Difference, p_text
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import NO_VALUE, scale_in, scale_of
from mtpkd_cli.training.descriptions import Description, read_description


def gain_rows(results: Results) -> list[dict[str, Any]]:
    """One row per student but the reference: cells as text, in the headline metric."""
    summary, repetitions = results.summary, len(results.repetitions)
    metric = summary.headline
    scale, rows = scale_in(summary, metric), []
    for name in results.students:
        row = summary.methods[name]
        versus = row.differences.get(metric)
        if versus is None or name == results.reference:
            continue
        over, placebo = row.over_control.get(metric), row.over_placebo.get(metric)
        lose = row.transfer.lose if row.transfer else None
        fell_back = row.fell_back or 0
        rows.append(
            {
                "name": name,
                "difference": scale.with_interval(versus, signed=True),
                "p": _p(versus.p),
                "p_holm": _p(versus.p_holm),
                "beyond": versus.beyond_chance,
                "control": scale.with_interval(over, signed=True) if over else "control",
                "control_p": _p(over.p_holm) if over else "",
                "placebo": scale.with_interval(placebo, signed=True) if placebo else "",
                "placebo_p": _p(placebo.p_holm) if placebo else "",
                "lose": NO_VALUE if lose is None else f"{100 * lose:.0f}\u00a0%",
                "fell_back": f"{fell_back} of {repetitions}",
                "kept_and_worse": f"{row.kept_and_worse} of {repetitions - fell_back}",
            }
        )
    return rows


def best_control(results: Results) -> str | None:
    """The control that gains are taken from, in the headline metric; None where the study has none."""
    rows = (row.over_control.get(results.summary.headline) for row in results.summary.methods.values())
    return next((row.other for row in rows if row), None)


def control_table(results: Results) -> dict[str, Any] | None:
    """Gains over the best control in every metric: heads and rows of text; None where the study has no control.

    Which control is best is another question in every metric.
    """
    summary, names = results.summary, results.metric_names
    judged = [name for name in results.students if summary.methods[name].over_control]
    if not judged:
        return None
    first = summary.methods[judged[0]].over_control
    heads = []
    for metric in (name for name in names if name in first):
        about, unit = summary.metrics[metric], scale_in(summary, metric).unit
        lower = "" if about.greater_is_better else ", lower is better"
        heads.append({"label": f"{about.label}{f' ({unit})' if unit else ''}{lower}", "from": first[metric].other})
    rows = []
    for name in judged:
        over = summary.methods[name].over_control
        cells = [_tested(over[metric], results, metric) for metric in names if metric in over]
        rows.append({"name": name, "cells": cells})
    return {"heads": heads, "rows": rows}


def class_rows(results: Results) -> list[dict[str, Any]]:
    """One row per student and class: recall, precision, F1; empty for a regression."""
    return [
        {"method": name, "name": entry.name, "support": entry.support}
        | {"recall": _percent(entry.recall), "precision": _percent(entry.precision), "f1": _percent(entry.f1)}
        for name in results.students
        for entry in results.summary.methods[name].classes
    ]


def target_rows(results: Results) -> list[dict[str, Any]]:
    """One row per student and target: every metric, recordings put together and one by one."""
    rows = []
    for name in results.students:
        for target, by_metric in results.summary.methods[name].targets.items():
            cells = {
                metric: [
                    scale_in(results.summary, metric).with_interval(estimate)
                    for estimate in (scores.concatenated, scores.by_recording)
                ]
                for metric, scores in by_metric.items()
            }
            rows.append({"method": name, "name": target, "cells": cells})
    return rows


def frame_table(results: Results) -> dict[str, Any] | None:
    """Of corpora that label each frame: caption, columns and one row per method, every score with its difference from
    the reference below."""
    frames = results.summary.frames
    if frames is None:
        return None
    names = [name for name in results.metric_names if name in frames.metrics]
    rows = []
    for method, row in frames.methods.items():
        cells = []
        for name in names:
            scale, difference = scale_of(results, name), row.differences.get(name)
            cells.append(
                [
                    scale.with_interval(row.scores[name], unit=scale.unit),
                    "" if difference is None else scale.with_interval(difference, signed=True),
                ]
            )
        rows.append({"method": method, "cells": cells})
    caption = (
        f"{frames.frames} labelled frames, each told by the mean of the windows that cover it; below a score, its "
        f"difference from {results.reference}. Intervals: {frames.interval}."
    )
    return {"caption": caption, "columns": [results.summary.metrics[name].label for name in names], "rows": rows}


def classical_table(results: Results) -> dict[str, Any]:
    """Networks beside scikit-learn's models of the same features: heads and rows of text; or "absent", why not."""
    state = results.optional_states["classical"]
    if state.kind == "missing":
        return {"absent": "Not measured: mtpkd evaluate RUN --classical does it."}
    if state.kind == "stale":
        again = "mtpkd evaluate RUN --classical does it again"
        return {"absent": f"Measured before something changed ({state.reason}): {again}."}
    scores = read_classical(results.run)
    scale = scale_in(results.summary, scores.metric)
    rows = []
    for row in scores.rows:
        cells = [
            {
                "score": scale.number(rival.score.value),
                "difference": scale.with_interval(rival.difference, signed=True),
                "p": _p(rival.difference.p),
                "beyond": rival.difference.p is not None and rival.difference.p < 0.05,
            }
            for rival in row.rivals.values()
        ]
        score = scale.with_interval(row.score)
        rows.append({"name": row.network, "sees": ", ".join(row.modalities), "score": score, "cells": cells})
    label = f"{scores.label}{f' ({scale.unit})' if scale.unit else ''}"
    return {"absent": "", "label": label, "models": list(scores.rows[0].rivals), "rows": rows}


def choices(results: Results) -> list[str]:
    """One sentence per method that tried more than one student; a gain is its gain as far as its student was kept."""
    sentences = []
    for method in results.students:
        models = []
        for pair in results.repetitions:
            try:
                models.append(read_description(results.run.student(*pair, method)))
            except ArtifactError:
                # Without a description nothing is known of the choice, so there is no sentence.
                continue
        models = [model for model in models if len(model.tried) > 1]
        if models:
            kept = Counter(_kept(model, method) for model in models)
            counts = ", ".join(f"{name} in {count}" for name, count in kept.most_common())
            tried = max(len(model.tried) for model in models)
            sentences.append(
                f"{method} tried {tried} students per repetition and kept the one with the least validation loss; "
                f"of {len(models)} repetitions: {counts}."
            )
    return sentences


def _kept(model: Description, method: str) -> str:
    """The options in which the kept student differs from others of its method; else the method's name."""
    assert model.chosen is not None
    if model.chosen.method != method:
        return f"the student of {model.chosen.method}"
    others = [tried.options for tried in model.tried if tried.method == method]
    options = model.chosen.options
    varied = [key for key, value in options.items() if any(other.get(key) != value for other in others)]
    return " ".join(f"{key} = {options[key]}" for key in varied) or f"{method} as it is"


def _tested(difference: Difference, results: Results, metric: str) -> dict[str, Any]:
    return {
        "difference": scale_in(results.summary, metric).with_interval(difference, signed=True),
        "p": _p(difference.p),
        "p_holm": _p(difference.p_holm),
        "beyond": difference.beyond_chance,
    }


def _p(p: float | None) -> str:
    return p_text(p, NO_VALUE, "\u00a0")


def _percent(value: float | None) -> str:
    return NO_VALUE if value is None else f"{100 * value:.1f}"
