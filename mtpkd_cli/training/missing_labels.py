"""Recordings that nobody has labelled: what a study makes of them (`data.unlabelled`), and how many there are.

Known without torch, before anything is computed.

Legend: N samples.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.datasets import LISTED_COLUMN, is_labelled
from mtpkd_cli.errors import DataError, first_ten
from mtpkd_cli.media.wide_tables import NOTES
from mtpkd_cli.training.label_budget import seen_labels
from mtpkd_cli.training.splits import Fold


@dataclass(frozen=True)
class LabelCounts:
    """How many samples and people have labels.

    Args:
        samples: With a label.
        subjects: Who have at least one of these.
        unlabelled_samples: Without a label.
        unlabelled_subjects: Who have these alone.
        partly_labelled_subjects: Who have both.
    """

    samples: int
    subjects: int
    unlabelled_samples: int
    unlabelled_subjects: int
    partly_labelled_subjects: int

    @classmethod
    def of(cls, samples: pd.DataFrame) -> "LabelCounts":
        """Counts a samples table."""
        labelled = is_labelled(samples)
        people, others = (set(samples.loc[rows, "subject"]) for rows in (labelled, ~labelled))
        n = int(labelled.sum())
        return cls(n, len(people), len(samples) - n, len(others - people), len(others & people))

    def __str__(self) -> str:
        text = f"{self.samples} samples of {self.subjects} people have labels, {self.unlabelled_samples} have none: "
        alone = f"of {self.unlabelled_subjects} people without any label"
        return text + f"{alone} and of {self.partly_labelled_subjects} who have labels too"

    def plain(self) -> dict[str, Any]:
        """As manifests, model.json and --json hold it; nothing where all have labels."""
        if not self.unlabelled_samples:
            return {}
        return {
            "labelled": {"samples": self.samples, "subjects": self.subjects},
            "unlabelled": {
                "samples": self.unlabelled_samples,
                "subjects": self.unlabelled_subjects,
                "partly_labelled_subjects": self.partly_labelled_subjects,
            },
        }


@dataclass(frozen=True)
class Count:
    """How many samples, and of how many people they are."""

    subjects: int
    samples: int

    @classmethod
    def of(cls, samples: pd.DataFrame, rows: np.ndarray) -> "Count":
        """Counts the rows that are True in (N,) bool."""
        return cls(int(samples.loc[rows, "subject"].nunique()), int(rows.sum()))

    def __str__(self) -> str:
        return f"{self.samples} samples of {self.subjects} people"


@dataclass(frozen=True)
class FoldLabels:
    """What one fold makes of labels, each (N,) bool over the samples.

    Args:
        train: Recordings that teach with their label.
        validation: Those that choose by it.
        test: Those that are scored by it.
        unlabelled: Recordings that teach without a label: they have none, or it is hidden.
        hidden: Labels that are hidden, on both sides that are not tested.
        unused: Recordings without a label of people who validate or are tested: nothing reads them.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unlabelled: np.ndarray
    hidden: np.ndarray
    unused: np.ndarray

    @classmethod
    def of(cls, samples: pd.DataFrame, fold: Fold, number: int, labels: LabelBudget) -> "FoldLabels":
        """Puts the samples on their sides.

        Args:
            samples: The samples table, N rows.
            fold: As splits.json has it.
            number: Of the fold.
            labels: How many labels are seen.
        """
        people, seen = seen_labels(samples, fold, number, labels)
        who = samples["subject"]
        train, validation, test, unlabelled = (
            who.isin(side).to_numpy() for side in (people.train, people.validation, people.test, people.unlabelled)
        )
        return cls(
            train=train & seen,
            validation=validation & seen,
            test=test & seen,
            unlabelled=(train & ~seen) | unlabelled,
            hidden=is_labelled(samples) & ~seen & (train | validation | unlabelled),
            unused=~is_labelled(samples) & ~train & ~unlabelled,
        )

    @property
    def seen(self) -> np.ndarray:
        """(N,) bool: recordings whose label somebody reads."""
        return self.train | self.validation | self.test


@dataclass(frozen=True)
class LabelFacts:
    """What becomes of the labels of a study, in numbers.

    Args:
        counts: Of labels that there are.
        budget: How many of those on the training side are seen.
        folds: Per fold, side (the fields of `FoldLabels`) -> samples and people.
    """

    counts: LabelCounts
    budget: LabelBudget
    folds: list[dict[str, Count]]

    @classmethod
    def of(cls, samples: pd.DataFrame, folds: list[Fold], budget: LabelBudget) -> "LabelFacts":
        """Counts a samples table and its folds."""
        made = [FoldLabels.of(samples, fold, number, budget) for number, fold in enumerate(folds)]
        names = [one.name for one in fields(FoldLabels)]
        counted = [{name: Count.of(samples, getattr(one, name)) for name in names} for one in made]
        return cls(LabelCounts.of(samples), budget, counted)

    @property
    def sentences(self) -> list[str]:
        """What a reader should know: nothing where every sample has a label, and every label is seen."""
        told = [f"{self.counts}"] if self.counts.unlabelled_samples else []
        if self.budget.hides:
            of = "people" if self.budget.unit == "subject" else "each person's samples"
            told.append(
                f"data.label_share = {self.budget.share:g} of {of}: a fold teaches with the labels of "
                f"{self._range('train')}, chooses by those of {self._range('validation')}, and those of "
                f"{self._range('hidden')} are hidden"
            )
        if any(fold["unlabelled"].samples for fold in self.folds):
            told.append(f"{self._range('unlabelled')} teach without a label in a fold")
        if any(fold["unused"].samples for fold in self.folds):
            told.append(f"{self._range('unused')} have no label and are set aside in a fold: nobody learns from them")
        return told

    def plain(self) -> dict[str, Any]:
        """The same as numbers for machines; nothing where there is nothing to tell."""
        if not self.sentences:
            return {}
        folds = [{side: asdict(count) for side, count in fold.items()} for fold in self.folds]
        return self.counts.plain() | {"label_share": self.budget.share, "label_unit": self.budget.unit, "folds": folds}

    def _range(self, side: str) -> str:
        """Samples and people of a side, over the folds."""
        samples, people = (
            sorted({getattr(fold[side], name) for fold in self.folds}) for name in ("samples", "subjects")
        )
        return f"{_between(samples)} samples of {_between(people)} people"


def _between(values: list[int]) -> str:
    return f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"


def with_places(samples: pd.DataFrame) -> pd.DataFrame:
    """Where there are samples without a label, places for all: those with one first, as if there were no others.

    Features of labelled samples then stay where they are when a study gets to know unlabelled ones, or leaves them out.
    """
    labelled = is_labelled(samples)
    if labelled.all():
        return samples
    places = np.empty(len(samples), np.int64)
    places[labelled] = np.arange(labelled.sum())
    places[~labelled] = np.arange(labelled.sum(), len(samples))
    return samples.assign(**{LISTED_COLUMN: places})


def as_asked(samples: pd.DataFrame, unlabelled: str) -> pd.DataFrame:
    """Keeps, leaves out or refuses the samples without a label.

    Args:
        samples: A samples table, of which nothing is left that the study excludes.
        unlabelled: "teach", "skip" or "refuse".

    Returns:
        The table; what is left out is counted in `attrs["notes"]`.

    Raises:
        DataError: There are such samples, and they are refused; or there are no others.
    """
    labelled = is_labelled(samples)
    if labelled.all() or (unlabelled == "teach" and labelled.any()):
        return samples
    if unlabelled == "refuse" or not labelled.any():
        rows = samples[~labelled]
        named = [f"{sample} of {person}" for sample, person in zip(rows["sample_id"], rows["subject"], strict=True)]
        ways = (
            'say what becomes of them: data.unlabelled = "teach" (they teach without a label), "skip" (they are '
            'left out) or "refuse" (this error, the default); or name them in data.exclude'
        )
        raise DataError(
            f"{len(rows)} of {len(samples)} samples have no label\n{first_ten(named)}",
            where=f'data.unlabelled = "{unlabelled}"',
            expected="samples with a label" if labelled.any() else "some samples with a label",
            todo=ways if labelled.any() else "look at the labels, and at the name of their column in [data.options]",
        )
    kept = samples[labelled].reset_index(drop=True)
    gone = samples["subject"].nunique() - kept["subject"].nunique()
    notes = {
        'samples without a label, left out by data.unlabelled = "skip"': int((~labelled).sum()),
        "subjects left out with them, who have no label at all": gone,
    }
    kept.attrs[NOTES] = samples.attrs.get(NOTES, {}) | {note: count for note, count in notes.items() if count}
    return kept
