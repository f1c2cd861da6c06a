"""Folds: every side has subjects, and every class is among the labelled samples of every side; who has no label."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.datasets import SIDES
from mtpkd_cli.errors import DataError
from mtpkd_cli.training.missing_labels import Count, FoldLabels
from mtpkd_cli.training.splits import Fold, folds_of


def look_at_folds(samples: pd.DataFrame, classes: list[str], data: DataSection) -> tuple[CheckResult, list[Fold]]:
    """Counts subjects and classes of every side of every fold; no folds where the subjects cannot be split.

    A side's samples are those whose label is seen; recordings that teach without one are a side of their own.
    """
    try:
        folds = folds_of(samples, data)
    except DataError as err:
        return CheckResult("folds", "none", [str(err)]), []
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    notes: list[str] = []
    for number, fold in enumerate(folds):
        labels = FoldLabels.of(samples, fold, number, data.labels)
        for side in SIDES:
            row = {"fold": number, "side": side} | asdict(Count.of(samples, getattr(labels, side)))
            if classes:
                of_side = samples[getattr(labels, side)]
                counts = [int((of_side["label"] == index).sum()) for index in range(len(classes))]
                row["classes"] = dict(zip(classes, counts, strict=True))
                if absent := [name for name, count in zip(classes, counts, strict=True) if not count]:
                    text = f"fold {number}: no {side} sample of {', '.join(absent)}"
                    # Leave-one-subject-out tests people who may show one class only.
                    (problems if side == "train" else notes).append(text)
            rows.append(row)
        rows += _without_labels(samples, number, labels)
    sizes = [row["samples"] for row in rows if row["side"] == "test"]
    few, many = min(sizes), max(sizes)
    summary = f"{len(folds)} ({data.split}), {few if few == many else f'{few} to {many}'} test samples"
    return CheckResult("folds", summary, problems, notes, {"folds": rows}), folds


def _without_labels(samples: pd.DataFrame, number: int, labels: FoldLabels) -> list[dict[str, Any]]:
    """Rows of recordings that teach without a label, and of those that take no part, where there are any."""
    rows: list[dict[str, Any]] = []
    if labels.unlabelled.any():
        row = {"fold": number, "side": "unlabelled"} | asdict(Count.of(samples, labels.unlabelled))
        rows.append(row | {"hidden": asdict(Count.of(samples, labels.hidden))})
    if labels.unused.any():
        rows.append({"fold": number, "side": "unused"} | asdict(Count.of(samples, labels.unused)))
    return rows
