"""Who is scored on damaged test samples and by which models, and what a model says where it can see nothing.

Legend: N samples, T time steps, D features, C classes or targets.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.models import ModalityBatch, Student
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import StudyData, standardised
from mtpkd_cli.training.splits import Fold, count_folds, read_folds
from mtpkd_cli.training.teachers import apply

_KEPT = 400

Curves = dict[str, list[list[metrics.Part]]]
"""Method -> level -> parts, one per fold and seed."""


@dataclass
class Scene:
    """Scores at every level of one kind of damage.

    Args:
        on: What was damaged: "pictures", "sound", "features" or "modalities" (they go missing).
        modalities: Which ones.
        levels: From none to severe; None = undamaged, where that is no number.
        ticks: The levels as the axis says them.
        curves: Filled level by level.
        failed: Per level, share of the samples that could not be encoded; empty where nothing is encoded.
        unseen: Per level, share of the other samples' steps in which the encoder did not find what it looks for.
    """

    kind: str
    on: str
    modalities: list[str]
    title: str
    label: str
    levels: list[float | None]
    ticks: list[str]
    curves: Curves = field(default_factory=dict)
    failed: list[float] = field(default_factory=list)
    unseen: list[float | None] = field(default_factory=list)

    def add(self, name: str, number: int, part: metrics.Part) -> None:
        """Adds what a model says at a level, in one more fold and seed."""
        self.curves.setdefault(name, [[] for _ in self.levels])[number].append(part)


@dataclass(frozen=True)
class Bench:
    """Test samples and the models that are tried on them.

    Args:
        data: All samples and the features that the joint teacher sees, as extracted.
        chosen: Rows of the samples that are tried: tested in a fold, and with a prevalent modality.
    """

    run: RunFolder
    study: Study
    data: StudyData
    chosen: Tensor
    _students: dict[tuple[int, int, str], Student] = field(default_factory=dict)

    @cached_property
    def methods(self) -> list[str]:
        """Students, without controls."""
        return [m for m in self.study.distill.methods if METHODS.control_of(m) is None]

    @cached_property
    def folds(self) -> list[Fold]:
        """Subjects of every fold."""
        return read_folds(self.run.splits)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """(fold, seed) of every repetition."""
        count = count_folds(self.run.splits, self.study.data.folds)
        return [(fold, seed) for fold in range(count) for seed in self.study.study.seeds]

    @cached_property
    def normal(self) -> StudyData:
        """All samples as models take them: standardised by person where the study says so."""
        return self.normalised(self.data)

    @cached_property
    def tried(self) -> StudyData:
        """The chosen samples, features as extracted."""
        batch = {name: (v[self.chosen], m[self.chosen]) for name, (v, m) in self.data.sequences.items()}
        return only(self.data, self.chosen, batch)

    def normalised(self, data: StudyData) -> StudyData:
        """Standardises by person where the study says so; by the recordings in `data`, damaged or not."""
        if self.study.network.normalise != "subject":
            return data
        people = data.samples["subject"].to_numpy()
        return replace(data, sequences={n: (standardised(v, m, people), m) for n, (v, m) in data.sequences.items()})

    def rows(self, fold: int) -> Tensor:
        """Rows of the chosen samples that are tested in a fold."""
        rows = self.data.rows(self.folds[fold].test)
        return rows[torch.isin(rows, self.chosen)]

    def student(self, fold: int, seed: int, method: str) -> Student:
        """A trained student; the last few hundred stay in memory."""
        key = fold, seed, method
        if key not in self._students:
            if len(self._students) >= _KEPT:
                self._students.clear()
            self._students[key] = load_model(self.run.student(*key), Student)[0]
        return self._students[key]

    def score(self, scene: Scene, number: int, sequences: ModalityBatch) -> None:
        """Scores all students at a level whose features of the chosen samples are `sequences`, as extracted.

        A sample of which nothing is left gets what one knows without seeing it: how frequent the classes are among
        training samples, or the mean of the targets.
        """
        worse = self.normalised(replace(self.tried, sequences=sequences))
        present = worse.present(self.study.prevalent)
        for fold, seed in self.pairs:
            sides = self.folds[fold]
            rows = worse.rows(sides.test)
            if not len(rows):
                continue
            seen = rows[present[rows]]
            blind = prior(self.data.labels[self.data.rows(sides.train)], self.outputs)
            for method in self.methods:
                scores = blind.expand(len(rows), -1).clone()
                if len(seen):
                    logits = apply(self.student(fold, seed, method), worse, self.study.prevalent, seen).logits
                    scores[present[rows]] = scores_of(worse, logits)
                scene.add(method, number, part_of(only(worse, rows, {}), scores))

    @property
    def outputs(self) -> int:
        """Classes or targets C."""
        labels = self.data.labels
        return labels.shape[1] if labels.is_floating_point() else int(labels.max()) + 1


def prior(labels: Tensor, outputs: int) -> Tensor:
    """(C,) shares of the classes among labels (N,) long, or means of targets (N, C) float."""
    if labels.is_floating_point():
        return labels.nanmean(0)
    return torch.bincount(labels, minlength=outputs) / len(labels)


def only(data: StudyData, rows: Tensor, sequences: ModalityBatch) -> StudyData:
    """Some samples, with features that are theirs."""
    samples = data.samples.iloc[rows.numpy()].reset_index(drop=True)
    return replace(data, samples=samples, labels=data.labels[rows], sequences=sequences)


def scores_of(data: StudyData, logits: Tensor) -> Tensor:
    """(N, C) what evaluation scores: probabilities, or predicted targets."""
    return logits if data.labels.is_floating_point() else torch.softmax(logits, dim=1)


def part_of(data: StudyData, scores: Tensor) -> metrics.Part:
    """Scores beside the labels and subjects of the same samples."""
    return metrics.Part(data.labels.numpy(), scores.numpy(), data.samples["subject"].to_numpy())


def chosen_rows(study: Study, data: StudyData, folds: list[Fold], at_most: int | None) -> Tensor:
    """Rows of test samples that have a prevalent modality: all, or `at_most`, drawn evenly over subjects and classes.

    Where features are standardised by person, whole persons are drawn, at least one.
    """
    tested = data.rows(sorted({subject for fold in folds for subject in fold.test}))
    tested = tested[data.present(study.prevalent)[tested]]
    if at_most is None or at_most >= len(tested):
        return tested
    table = data.samples.iloc[tested.numpy()].assign(row=tested.numpy())
    table = table.sample(frac=1, random_state=study.evaluate.bootstrap_seed)
    if study.network.normalise == "subject":
        people = pd.factorize(table["subject"])[0]
        sizes = np.cumsum(np.bincount(people))
        taken = table[people < max(1, int((sizes <= at_most).sum()))]
    else:
        label = table["label"].to_numpy() if "label" in table else np.zeros(len(table), int)
        again = table.groupby(["subject", label]).cumcount().to_numpy()
        # One of every person before a second of anyone, each person beginning with another class.
        turn = (label - pd.factorize(table["subject"])[0]) % (label.max() + 1)
        taken = table.iloc[np.lexsort((turn, again))[:at_most]]
    return torch.from_numpy(np.sort(taken["row"].to_numpy()))
