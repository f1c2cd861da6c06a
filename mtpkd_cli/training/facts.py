"""Facts of a study and its corpus that are known before any compute, and what a condition finds in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.training.batches import unlabelled_in_epoch
from mtpkd_cli.training.label_budget import seen_labels
from mtpkd_cli.training.missing_labels import FoldLabels
from mtpkd_cli.training.splits import Fold


@dataclass(frozen=True)
class MethodSettings:
    """A method as a study has it.

    Args:
        name: The method.
        options: All its options.
        keys: Option -> the key of study.toml that states it; what is left out takes its default.
        fixed: Options that no study changes, since they stand for a publication.
        least: Samples that its terms need in a batch.
    """

    name: str
    options: Mapping[str, Any]
    keys: Mapping[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    least: int = 1


@dataclass(frozen=True)
class Facts:
    """What is known of a study and its corpus.

    Args:
        study: The study.
        samples: The samples table, N rows.
        classes: Names in index order; empty in regression.
        classes_stated: Whether somebody has put the classes in this order, and not the alphabet.
        folds: The folds.
        present: Modality -> (N,) bool, samples that have it.
        methods: The methods that are trained.
        files: Modality -> what its encoder needs and is not there, in words.
    """

    study: Study
    samples: pd.DataFrame
    classes: list[str]
    classes_stated: bool
    folds: list[Fold]
    present: Mapping[str, np.ndarray]
    methods: list[MethodSettings] = field(default_factory=list)
    files: Mapping[str, list[str]] = field(default_factory=dict)

    @cached_property
    def sides(self) -> list[FoldLabels]:
        """What every fold makes of the labels of the samples."""
        labels = self.study.data.labels
        return [FoldLabels.of(self.samples, fold, number, labels) for number, fold in enumerate(self.folds)]

    @cached_property
    def seen_folds(self) -> list[Fold]:
        """The folds, people whose labels are hidden moved to the unlabelled ones."""
        labels = self.study.data.labels
        return [seen_labels(self.samples, fold, number, labels)[0] for number, fold in enumerate(self.folds)]

    def having(self, rows: np.ndarray, modalities: list[str]) -> int:
        """How many of the samples that are True in (N,) bool have at least one of the modalities."""
        return int((np.any([self.present[name] for name in modalities], axis=0) & rows).sum())

    def seen(self, fold: int, people: list[str], modalities: list[str]) -> bool:
        """Whether one of these people has, in a fold, a label that is seen of a sample with one of the modalities."""
        return any(not self._people[fold][name].isdisjoint(people) for name in modalities)

    @cached_property
    def _people(self) -> list[dict[str, set[str]]]:
        """Fold -> modality -> who has it in a sample whose label is seen."""
        subjects = self.samples["subject"].to_numpy()
        return [
            {name: set(subjects[present & side.seen]) for name, present in self.present.items()} for side in self.sides
        ]

    def trained(self) -> list[int]:
        """Per fold, how many samples a student is fitted to with their labels."""
        return [self.having(side.train, self.study.prevalent) for side in self.sides]

    def in_epoch(self, method: str) -> list[int]:
        """Per fold, how many samples an epoch of a method's student has, those without a label among them."""
        share = self.study.distill.unlabelled_share
        if not METHODS.constant(method, "TAUGHT", True):
            return self.trained()
        others = [self.having(side.unlabelled, self.study.prevalent) for side in self.sides]
        return [n + unlabelled_in_epoch(n, more, share) for n, more in zip(self.trained(), others, strict=True)]


@dataclass(frozen=True)
class Finding:
    """What a condition finds.

    Args:
        text: What does not fit, with the key at fault and the numbers.
        todo: A change that mends it; "" of a note.
        kind: "study" where a key cannot work, "corpus" where the data cannot, "note" where nothing is wrong.
    """

    text: str
    todo: str = ""
    kind: Literal["study", "corpus", "note"] = "note"

    def __str__(self) -> str:
        return f"{self.text}; {self.todo}" if self.todo else self.text
