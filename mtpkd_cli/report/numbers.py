"""Scores as tables for other programs and papers: CSV with all numbers, LaTeX (booktabs) with what a reader wants."""

import csv
import io

from mtpkd_cli.evaluation.summary import MethodScores, Summary, score_rows
from mtpkd_cli.report.scores import Scale, scale_in

CSV_COLUMNS = (
    "method", "metric", "value", "low", "high",
    "reference", "difference", "difference_low", "difference_high", "p", "p_holm",
    "control", "over_control", "over_control_low", "over_control_high", "over_control_p", "over_control_p_holm",
    "placebo", "over_placebo", "over_placebo_low", "over_placebo_high", "over_placebo_p", "over_placebo_p_holm",
)  # fmt: skip
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {letter: "\\" + letter for letter in "&%$#_{}"}


def csv_table(summary: Summary) -> str:
    """One row per method and metric, numbers unrounded; an empty cell is a number that is not defined."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in score_rows(summary):
        writer.writerow([row[column] for column in CSV_COLUMNS])
    return sink.getvalue()


def latex_table(summary: Summary) -> str:
    """A table of the booktabs package: value with interval, * where p is below .05 after Holm's correction."""
    names = summary.metric_names
    scales = {name: scale_in(summary, name) for name in names}
    heads = [summary.metrics[name].label + (f" ({s.unit})" if s.unit else "") for name, s in scales.items()]
    body = [
        " & ".join([escaped(method), *(_cell(row, name, scales[name]) for name in names)])
        for method, row in summary.rows.items()
    ]
    lines = [
        f"% {summary.interval}; p: {summary.test}.",
        r"\begin{tabular}{l" + "r" * len(names) + "}",
        r"\toprule",
        " & ".join(["method", *map(escaped, heads)]) + r" \\",
        r"\midrule",
        *(f"{line} \\\\" for line in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A stranger's text as LaTeX text."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def _cell(row: MethodScores, metric: str, scale: Scale) -> str:
    score, difference = row.scores[metric], row.differences.get(metric)
    if score.value is None:
        return "--"
    star = "$^{*}$" if difference is not None and difference.beyond_chance else ""
    between = score.low is not None and score.high is not None
    interval = f" [{_number(scale, score.low)}, {_number(scale, score.high)}]" if between else ""
    return f"{_number(scale, score.value)}{star}{interval}"


def _number(scale: Scale, value: float | None) -> str:
    text = f"{(value or 0.0) * scale.factor:.{scale.digits}f}"
    return f"${text}$" if text.startswith("-") else text
