"""The scores in words and in a table: intervals everywhere, and no difference without whether it may be chance."""

from dataclasses import dataclass
from typing import Any

from mtpkd_cli.evaluation.summary import TEACHER_PREFIX, TRIVIAL, Difference, Estimate, MethodScores, Summary
from mtpkd_cli.report.drawing import MINUS
from mtpkd_cli.report.results import Results

NO_VALUE = "n/a"


@dataclass(frozen=True)
class Scale:
    """How a metric is printed: shares in per cent, everything else as it is.

    Args:
        factor: Printed value = factor x value.
        unit: "%" or "".
        difference_unit: "points", or "" where the metric is no share.
    """

    factor: float
    digits: int
    unit: str
    difference_unit: str

    def number(self, value: float | None, signed: bool = False) -> str:
        """Formats one value; a value that rounds to zero has no sign."""
        if value is None:
            return NO_VALUE
        text = f"{round(value * self.factor, self.digits) + 0.0:{'+' if signed else ''}.{self.digits}f}"
        return (text[1:] if signed and float(text) == 0 else text).replace("-", MINUS)

    def interval(self, estimate: Estimate, signed: bool = False) -> str:
        """Formats "[low, high]", or "" where there is none."""
        if estimate.low is None or estimate.high is None:
            return ""
        return f"[{self.number(estimate.low, signed)},\u00a0{self.number(estimate.high, signed)}]"

    def with_interval(self, estimate: Estimate, signed: bool = False, unit: str = "") -> str:
        """Formats "65.7 % [58.9, 72.4]"; its spaces do not break."""
        parts = [self.number(estimate.value, signed), unit, self.interval(estimate, signed)]
        return "\u00a0".join(part for part in parts if part)


def scale_in(summary: Summary, metric: str) -> Scale:
    """Returns how a metric is printed: of classes, those that are better when greater and the ECE are shares."""
    share = metric == "ece" or summary.metrics[metric].greater_is_better
    if summary.task == "classification" and share:
        return Scale(100, 1, "%", "points")
    return Scale(1, 3, "", "")


def scale_of(results: Results, metric: str) -> Scale:
    """Returns how a metric of an evaluated run is printed: in per cent where it is a share."""
    return scale_in(results.summary, metric)


def summary_sentences(results: Results) -> list[str]:
    """Says what came out: the proposed method against the reference first, then what puts it in its place."""
    metric = results.metric_names[0]
    scale, label = scale_of(results, metric), results.summary.metrics[metric].label
    rows = results.summary.methods
    ours = rows[results.proposed].scores[metric]
    first = f"{results.proposed} reaches {scale.with_interval(ours, unit=scale.unit)} {label}"
    first += f" over {results.summary.subjects} subjects"
    if results.proposed != results.reference:
        base = rows[results.reference].scores[metric]
        first += f"; {results.reference} reaches {scale.with_interval(base, unit=scale.unit)}; "
        first += _verdict(results, metric, scale)
    sentences = [first + "."]
    joint = TEACHER_PREFIX + results.study.align.joint
    if joint in rows and rows[joint].scores[metric].value is not None:
        reached = scale.with_interval(rows[joint].scores[metric], unit=scale.unit)
        sentences.append(f"The teacher that has every modality at test time too ({joint}) reaches {reached}.")
    if metric == "balanced-accuracy":
        sentences.append(f"Guessing would reach {scale.number(1 / len(results.summary.outputs))}\u00a0%.")
    if trivial := results.summary.trivial:
        stated = [
            f"{scale_of(results, name).number(trivial.scores[name].value)} {results.summary.metrics[name].label}"
            for name in results.metric_names
            if trivial.scores[name].value is not None
        ]
        sentences.append(f"Predicting the mean of the training people for everybody would reach {', '.join(stated)}.")
    return sentences + _best_student(results, metric, scale) + _over_control(results, metric, scale)


def score_blocks(results: Results) -> list[dict[str, Any]]:
    """Returns the table's blocks: title and rows of (name, what it sees, one cell per metric)."""
    teachers = {TEACHER_PREFIX + name: name for name in results.teachers}
    needing = [row for row, name in teachers.items() if results.needs_privileged(name)]
    prevalent = ", ".join(results.study.prevalent)
    fair = [name for name in results.summary.methods if name not in needing]
    blocks = [
        {"title": f"see {prevalent} alone at test time", "rows": [_row(results, name) for name in fair]},
        {"title": "need privileged modalities at test time", "rows": [_row(results, name) for name in needing]},
        {"title": "see nothing at test time", "rows": [_row(results, TRIVIAL)] if results.summary.trivial else []},
    ]
    return [block for block in blocks if block["rows"]]


def _row(results: Results, name: str) -> dict[str, Any]:
    row = results.summary.rows[name]
    seen = results.study.teacher_modalities.get(name.removeprefix(TEACHER_PREFIX), [])
    sees = ", ".join(seen) if name.startswith(TEACHER_PREFIX) and len(seen) > 1 else ""
    note = "reference" if name == results.reference else sees
    if name == TRIVIAL:
        note = "predicts the mean of the training people's targets for everybody"
    return {"name": name, "note": note, "cells": [_cell(results, row, metric) for metric in results.metric_names]}


def _cell(results: Results, row: MethodScores, metric: str) -> dict[str, Any]:
    scale, score, difference = scale_of(results, metric), row.scores.get(metric), row.differences.get(metric)
    cell = {"value": NO_VALUE, "interval": "", "difference": "", "beyond_chance": False, "undefined": 0}
    if score is not None:
        cell |= {"value": scale.number(score.value), "interval": scale.interval(score)}
        cell["undefined"] = score.undefined_parts
    if difference is not None and difference.value is not None:
        cell |= {"difference": scale.with_interval(difference, signed=True), "beyond_chance": difference.excludes_zero}
    return cell


def _verdict(results: Results, metric: str, scale: Scale) -> str:
    difference = results.summary.methods[results.proposed].differences.get(metric)
    if difference is None or difference.value is None:
        return "their difference is not defined"
    stated = f"the difference of {scale.with_interval(difference, signed=True, unit=scale.difference_unit)}"
    if difference.low is None or difference.high is None:
        return f"{stated} has no interval, so it may be chance"
    p = difference.p_holm
    corrected = "" if p is None else f", p = {p:.3f} after Holm's correction"
    if not difference.excludes_zero:
        return f"{stated} may be chance: its 95\u00a0% interval includes 0{corrected}"
    better = (difference.value > 0) == results.summary.metrics[metric].greater_is_better
    return f"{stated} is a {'gain' if better else 'loss'}: its 95\u00a0% interval excludes 0{corrected}"


def _best_student(results: Results, metric: str, scale: Scale) -> list[str]:
    sign = 1 if results.summary.metrics[metric].greater_is_better else -1
    values = {name: results.summary.methods[name].scores[metric].value for name in results.students}
    ranked = sorted((-sign * value, name) for name, value in values.items() if value is not None)
    if not ranked or ranked[0][1] == results.proposed or len(ranked) < 3:
        return []
    best = ranked[0][1]
    value = "\u00a0".join([scale.number(values[best]), scale.unit]).strip()
    return [f"Of the {len(ranked)} students, {best} scores best: {value}."]


def _over_control(results: Results, metric: str, scale: Scale) -> list[str]:
    """Says whether the proposed method exceeds the best control, and how many people lose by it.

    Each sentence names it: the one before may be of another student.
    """
    name, sentences = results.proposed, []
    row = results.summary.methods[name]
    over, placebo = row.over_control.get(metric), row.over_placebo.get(metric)
    if over is not None and over.value is not None:
        stated = _difference_in_words(over, scale)
        sentences.append(f"Over {over.other}, the best control, the difference of {name} is {stated}.")
    if placebo is not None and placebo.value is not None and (over is None or placebo.other != over.other):
        permuted, stated = "its own loss with the teachers' rows permuted", _difference_in_words(placebo, scale)
        sentences.append(f"Over {placebo.other}, {permuted}, the difference of {name} is {stated}.")
    if row.transfer is not None and row.transfer.lose is not None:
        share = 100 * row.transfer.lose
        sentences.append(f"{share:.0f}\u00a0% of the subjects are scored worse by {name} than by {results.reference}.")
    return sentences


def _difference_in_words(difference: Difference, scale: Scale) -> str:
    stated = scale.with_interval(difference, signed=True, unit=scale.difference_unit)
    return f"{stated}, which {'is beyond chance' if difference.excludes_zero else 'may be chance'}"
