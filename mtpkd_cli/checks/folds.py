"""Folds: every side has subjects, and every class is among the samples of every side."""

from typing import Any

import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.datasets import SIDES
from mtpkd_cli.errors import DataError
from mtpkd_cli.training.splits import Fold, folds_of


def look_at_folds(samples: pd.DataFrame, classes: list[str], data: DataSection) -> tuple[CheckResult, list[Fold]]:
    """Counts subjects and classes of every side of every fold; no folds where the subjects cannot be split."""
    try:
        folds = folds_of(samples, data)
    except DataError as err:
        return CheckResult("folds", "none", [str(err)]), []
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    notes: list[str] = []
    for number, fold in enumerate(folds):
        for side in SIDES:
            of_side = samples[samples["subject"].isin(getattr(fold, side))]
            row: dict[str, Any] = {"fold": number, "side": side, "subjects": of_side["subject"].nunique()}
            row["samples"] = len(of_side)
            if classes:
                counts = [int((of_side["label"] == index).sum()) for index in range(len(classes))]
                row["classes"] = dict(zip(classes, counts, strict=True))
                if absent := [name for name, count in zip(classes, counts, strict=True) if not count]:
                    text = f"fold {number}: no {side} sample of {', '.join(absent)}"
                    # Leave-one-subject-out tests people who may show one class only.
                    (problems if side == "train" else notes).append(text)
            rows.append(row)
    sizes = [row["samples"] for row in rows if row["side"] == "test"]
    few, many = min(sizes), max(sizes)
    summary = f"{len(folds)} ({data.split}), {few if few == many else f'{few} to {many}'} test samples"
    return CheckResult("folds", summary, problems, notes, {"folds": rows}), folds
