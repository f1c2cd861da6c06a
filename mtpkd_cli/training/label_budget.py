"""Whose labels are seen: a share of the people of the training side, or of the recordings of each of them.

Known without torch, before anything is computed.

Legend: N samples.
"""

import numpy as np
import pandas as pd

from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.splits import Fold

LEAST_TRAIN, LEAST_VALIDATION = 2, 1
"""People whose labels are seen whatever the share is: cross-fitting holds one out, and one says when to stop."""


def seen_labels(samples: pd.DataFrame, fold: Fold, number: int, labels: LabelBudget) -> tuple[Fold, np.ndarray]:
    """Hides what a budget of labels leaves out.

    Args:
        samples: The samples table, N rows.
        fold: As splits.json has it.
        number: Of the fold; with it the order is drawn in which people, or recordings, keep their labels. A smaller
            share is part of a larger one, and a share of 1 is the fold as it is.
        labels: How many labels are seen.

    Returns:
        The fold, people whose labels are hidden moved to its unlabelled ones; and (N,) bool, the recordings whose label
        may be seen, by those who are tested at the end too.
    """
    seen = is_labelled(samples)
    if labels.unit == "sample":
        tested = samples["subject"].isin(fold.test).to_numpy()
        return fold, seen & (tested | _first_samples(samples, seen, number, labels.share))
    people = _with_hidden_people(fold, number, labels.share)
    return people, seen & ~samples["subject"].isin(people.unlabelled).to_numpy()


def missing_classes(samples: pd.DataFrame, rows: np.ndarray, classes: list[str]) -> list[str]:
    """Names of the classes that none of these rows has; none in regression.

    Args:
        samples: The samples table, N rows.
        rows: Row numbers, or (N,) bool.
        classes: Names in index order.
    """
    if "label" not in samples:
        return []
    there = set(samples["label"].to_numpy()[rows])
    return [name for label, name in enumerate(classes) if label not in there]


def _with_hidden_people(fold: Fold, number: int, share: float) -> Fold:
    """The fold with the labels of a share of its training people and of its validation people."""
    train, train_hidden = _first(fold.train, share, LEAST_TRAIN, derived_seed(number, "labels", "train"))
    validation, validation_hidden = _first(
        fold.validation, share, LEAST_VALIDATION, derived_seed(number, "labels", "validation")
    )
    return Fold(train, validation, fold.test, sorted([*fold.unlabelled, *train_hidden, *validation_hidden]))


def _first(people: list[str], share: float, least: int, seed: int) -> tuple[list[str], list[str]]:
    """A share of people, the first of an order that is drawn once, and all others; both sorted."""
    order = np.random.default_rng(seed).permutation(sorted(people)).tolist()
    count = min(len(order), max(least, round(share * len(order))))
    return sorted(order[:count]), sorted(order[count:])


def _first_samples(samples: pd.DataFrame, labelled: np.ndarray, number: int, share: float) -> np.ndarray:
    """(N,) bool: of each person the first recordings of an order that is drawn once, one at least."""
    seen = np.zeros(len(samples), bool)
    drawn = np.random.default_rng(derived_seed(number, "labels", "samples")).random(len(samples))
    for rows in samples.groupby("subject", sort=False).indices.values():
        known = rows[labelled[rows]]
        order = known[np.argsort(drawn[known], kind="stable")]
        seen[order[: max(1, round(share * len(order)))]] = True
    return seen
