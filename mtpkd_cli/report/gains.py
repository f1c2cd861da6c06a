"""The table of gains in words of the page: differences, p, best control, who loses, what the guard did."""

from typing import Any

from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import NO_VALUE, scale_in


def gain_rows(results: Results) -> list[dict[str, Any]]:
    """One row per student but the reference: cells as text, in the headline metric."""
    summary, repetitions = results.summary, len(results.repetitions)
    metric = summary.get("headline", results.metric_names[0])
    scale, rows = scale_in(summary, metric), []
    for name in results.students:
        row = summary["methods"][name]
        versus = row["differences"].get(metric)
        if versus is None or name == results.reference:
            continue
        over, lose = row.get("over_control", {}).get(metric), row.get("transfer", {}).get("lose")
        placebo = row.get("over_placebo", {}).get(metric)
        kept = repetitions - row.get("fell_back", 0)
        rows.append(
            {
                "name": name,
                "difference": scale.with_interval(versus, signed=True),
                "p": p_text(versus.get("p")),
                "p_holm": p_text(versus.get("p_holm")),
                "beyond": (versus.get("p_holm") or 1.0) < 0.05,
                "control": scale.with_interval(over, signed=True) if over else "control",
                "control_p": p_text(over["p_holm"]) if over else "",
                "placebo": scale.with_interval(placebo, signed=True) if placebo else "",
                "placebo_p": p_text(placebo["p_holm"]) if placebo else "",
                "lose": NO_VALUE if lose is None else f"{100 * lose:.0f}\u00a0%",
                "fell_back": f"{row.get('fell_back', 0)} of {repetitions}",
                "kept_and_worse": f"{row.get('kept_and_worse', 0)} of {kept}",
            }
        )
    return rows


def best_control(results: Results) -> str | None:
    """The control that gains are told over, in the headline metric; None where the study has none."""
    metric = results.summary.get("headline", results.metric_names[0])
    rows = (row.get("over_control", {}).get(metric) for row in results.summary["methods"].values())
    return next((str(row["from"]) for row in rows if row), None)


def control_table(results: Results) -> dict[str, Any] | None:
    """Gains over the best control in every metric: heads and rows of text; None where the study has no control.

    Which control is best is another question in every metric.
    """
    summary, names = results.summary, results.metric_names
    judged = [name for name in results.students if summary["methods"][name].get("over_control")]
    if not judged:
        return None
    first = summary["methods"][judged[0]]["over_control"]
    heads = []
    for metric in (name for name in names if name in first):
        about, unit = summary["metrics"][metric], scale_in(summary, metric).unit
        lower = "" if about["greater_is_better"] else ", lower is better"
        heads.append({"label": f"{about['label']}{f' ({unit})' if unit else ''}{lower}", "from": first[metric]["from"]})
    rows = []
    for name in judged:
        found = summary["methods"][name]["over_control"]
        cells = [
            {
                "difference": scale_in(summary, metric).with_interval(found[metric], signed=True),
                "p": p_text(found[metric].get("p")),
                "p_holm": p_text(found[metric].get("p_holm")),
                "beyond": (found[metric].get("p_holm") or 1.0) < 0.05,
            }
            for metric in names
            if metric in found
        ]
        rows.append({"name": name, "cells": cells})
    return {"heads": heads, "rows": rows}


def p_text(p: float | None) -> str:
    """A p value to three digits, never 0."""
    if p is None:
        return NO_VALUE
    return "<\u00a0.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def class_rows(results: Results) -> list[dict[str, Any]]:
    """One row per student and class: recall, precision, F1; empty for a regression or scores of an earlier version."""
    rows = []
    for name in results.students:
        for entry in results.summary["methods"][name].get("classes", []):
            shares = {key: _percent(entry[key]) for key in ("recall", "precision", "f1")}
            rows.append({"method": name, "name": entry["name"], "support": entry["support"]} | shares)
    return rows


def target_rows(results: Results) -> list[dict[str, Any]]:
    """One row per student and target: every metric, recordings put together and one by one."""
    rows = []
    for name in results.students:
        for target, found in results.summary["methods"][name].get("targets", {}).items():
            cells = {
                metric: [scale_in(results.summary, metric).with_interval(kinds[kind]) for kind in kinds]
                for metric, kinds in found.items()
            }
            rows.append({"method": name, "name": target, "cells": cells})
    return rows


def _percent(value: float | None) -> str:
    return NO_VALUE if value is None else f"{100 * value:.1f}"
