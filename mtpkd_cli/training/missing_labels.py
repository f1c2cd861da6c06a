"""Recordings that nobody has labelled: what a study makes of them (`data.unlabelled`), and how many there are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.datasets import LISTED_COLUMN, is_labelled
from mtpkd_cli.errors import DataError, first_ten
from mtpkd_cli.media.wide_tables import NOTES


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
