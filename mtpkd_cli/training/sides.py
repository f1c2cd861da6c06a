"""Who teaches, validates and is tested in one fold, and whose labels are seen: rows of the samples table.

Labels are hidden here and nowhere else: what a stage fits with has no label but those of `labelled` and `validation`.

Legend: N samples, n of them on a side.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.training.label_budget import seen_labels
from mtpkd_cli.training.splits import Fold, read_folds


@dataclass(frozen=True)
class Sides:
    """Rows of one fold, by what they may be used for; no row is on two sides.

    Args:
        people: The fold, those whose labels are hidden moved to its unlabelled people.
        labelled: (n,) long, recordings that teach with their label.
        unlabelled: Recordings on the training side without a label, or with one that is hidden.
        validation: Labelled recordings of the people who validate.
        test: Labelled recordings of the people who are tested. Other recordings of these two are used by nobody.
    """

    people: Fold
    labelled: Tensor
    unlabelled: Tensor
    validation: Tensor
    test: Tensor

    @property
    def training(self) -> Tensor:
        """All rows of the training side, labelled ones first."""
        return torch.cat([self.labelled, self.unlabelled])

    @property
    def parts(self) -> dict[str, Tensor]:
        """Part of a bank -> its rows."""
        parts = {"train": self.labelled, "unlabelled": self.unlabelled}
        return parts | {"validation": self.validation, "test": self.test}

    @property
    def without_unlabelled(self) -> "Sides":
        """The same sides, for what learns from labels alone."""
        return replace(self, unlabelled=self.unlabelled[:0])

    def having(self, present: Tensor) -> "Sides":
        """The same sides without the rows that are False in `present`, (N,) bool."""
        there = present.cpu()
        kept = (rows[there[rows]] for rows in (self.labelled, self.unlabelled, self.validation, self.test))
        return Sides(self.people, *kept)


def read_sides(samples: pd.DataFrame, splits: Path, fold: int, labels: LabelBudget) -> Sides:
    """Puts every recording on its side in one fold of a splits.json; arguments as of `sides_of`."""
    return sides_of(samples, read_folds(splits)[fold], fold, labels)


def read_every_side(samples: pd.DataFrame, splits: Path, labels: LabelBudget) -> list[Sides]:
    """Puts every recording on its side in each fold of a splits.json."""
    return [sides_of(samples, fold, number, labels) for number, fold in enumerate(read_folds(splits))]


def sides_of(samples: pd.DataFrame, fold: Fold, number: int, labels: LabelBudget) -> Sides:
    """Puts every recording on its side in one fold.

    Args:
        samples: The samples table, N rows.
        fold: As splits.json has it.
        number: Of the fold.
        labels: How many labels of the training side are seen.
    """
    people, seen = seen_labels(samples, fold, number, labels)
    subjects = samples["subject"]
    train, validation, test = (
        subjects.isin(side).to_numpy() for side in (people.train, people.validation, people.test)
    )
    without = (train & ~seen) | subjects.isin(people.unlabelled).to_numpy()
    rows = (train & seen, without, validation & seen, test & seen)
    return Sides(people, *(torch.from_numpy(np.flatnonzero(side)) for side in rows))
