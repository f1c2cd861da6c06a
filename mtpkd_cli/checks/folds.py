"""Folds: every side has subjects, and every class is among the samples of every side."""

from typing import Any

import pandas as pd

from mtpkd_cli.checks import Looked
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.datasets import SIDES
from mtpkd_cli.errors import DataError
from mtpkd_cli.stages.samples import folds_of
from mtpkd_cli.training.splits import Fold


def look_at_folds(samples: pd.DataFrame, classes: list[str], data: DataSection) -> tuple[Looked, list[Fold]]:
    """Counts subjects and classes of every side of every fold; no folds where the subjects cannot be split."""
    try:
        folds = folds_of(samples, data)
    except DataError as err:
        return Looked("folds", "none", [str(err)]), []
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    notes: list[str] = []
    for number, fold in enumerate(folds):
        for side in SIDES:
            own = samples[samples["subject"].isin(getattr(fold, side))]
            row: dict[str, Any] = {"fold": number, "side": side, "subjects": own["subject"].nunique()}
            row["samples"] = len(own)
            if classes:
                counts = [int((own["label"] == index).sum()) for index in range(len(classes))]
                row["classes"] = dict(zip(classes, counts, strict=True))
                if absent := [name for name, count in zip(classes, counts, strict=True) if not count]:
                    text = f"fold {number}: no {side} sample of {', '.join(absent)}"
                    # Leave-one-subject-out tests people who may show one class only.
                    (problems if side == "train" else notes).append(text)
            rows.append(row)
    if problems:
        problems.append("lower data.folds, change data.split_seed, or leave that class out")
    sizes = [row["samples"] for row in rows if row["side"] == "test"]
    few, many = min(sizes), max(sizes)
    found = f"{len(folds)} ({data.split}), {few if few == many else f'{few} to {many}'} test samples"
    return Looked("folds", found, problems, notes, {"folds": rows}), folds
