"""How scores fall as recordings get worse: what is measured, on which samples, by which models.

Every method sees the same damage of a sample, and no student is trained anew: recordings turn out worse than those of
the study. A sample of which nothing is left is scored as one that was not seen.

Legend: N samples, T time steps, D features, C classes or targets.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.evaluation.summary import Estimate
from mtpkd_cli.models import ModalityBatch, Student, TargetScale
from mtpkd_cli.registry import METRICS
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import StudyData, standardised
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.teachers import apply

CORRUPTION = "corruption.json"
RESAMPLES = 500
_MOST_LOADED = 400

Curves = dict[str, list[list[metrics.Part]]]
"""Method -> level -> parts, one per fold and seed."""


class DamagedMedium(Record):
    """What was done to one prevalent modality.

    Args:
        sense: "pictures", "sound", or "" where its encoder reads neither.
        reason: Why features were damaged and not media; "" = media were.
        encoded: Samples that were encoded anew.
        same: Those of them that give the cache's features bit for bit when undamaged.
        kept: Samples that cannot be encoded undamaged either, and keep the features of the cache at every level.
    """

    sense: str
    reason: str
    encoded: int = 0
    same: int = 0
    kept: int = 0


class DamageCurves(Record):
    """Scores at every level of one kind of damage; fields as of `Scene`.

    Args:
        unit: Of the levels.
        methods: Method -> its score at each level.
    """

    kind: str
    on: str
    modalities: list[str]
    title: str
    label: str
    unit: str
    levels: list[float | None]
    ticks: list[str]
    methods: dict[str, list[Estimate]]
    failed: list[float]
    unmeasured: list[float | None]


class RobustnessScores(Record):
    """What corruption.json holds.

    Args:
        samples: Test samples that were tried.
        all_samples: Test samples that could have been.
        subjects: People whose samples were tried.
        steps: Of the median sample.
        media: Prevalent modality -> what was done to it.
    """

    metric: str
    samples: int
    all_samples: int
    subjects: int
    steps: int
    media: dict[str, DamagedMedium]
    kinds: list[DamageCurves]


def read_robustness(run: RunFolder) -> RobustnessScores:
    """Reads what has been measured; raises ArtifactError where nothing has."""
    todo = f"mtpkd evaluate {run.root} --corrupt"
    return read_record(run.corruption / CORRUPTION, RobustnessScores, "no damaged recordings were scored", todo)


@dataclass
class Scene:
    """Scores at every level of one kind of damage.

    Args:
        on: What was damaged: "pictures", "sound", "features" or "modalities" (they go missing).
        modalities: Which ones.
        levels: From none to severe; None = undamaged, where that is no number.
        ticks: The levels as the axis shows them.
        curves: Filled level by level.
        failed: Per level, share of the samples that could not be encoded; empty where nothing is encoded.
        unmeasured: Per level, share of the other samples' time in which nothing was measured (no face, no sound).
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
    unmeasured: list[float | None] = field(default_factory=list)

    def add(self, name: str, number: int, part: metrics.Part) -> None:
        """Adds a model's predictions at a level, in one more fold and seed."""
        self.curves.setdefault(name, [[] for _ in self.levels])[number].append(part)

    def damage_curves(self, metric: str, subjects: list[str], seed: int) -> DamageCurves:
        """The scores at all levels, with intervals over subjects.

        Args:
            seed: Of the bootstrap.
        """
        draws, module = metrics.bootstrap_weights(len(subjects), RESAMPLES, seed), METRICS.load(metric)
        drawn: dict[str, Any] = {"subjects_order": subjects, "multiplicities": draws}
        drawn |= {"pooled": getattr(module, "POOLED", False)}
        methods = {
            name: [Estimate.of(metrics.resampled_scores(module.metric, parts, **drawn).estimate) for parts in by_level]
            for name, by_level in self.curves.items()
        }
        return DamageCurves(
            kind=self.kind, on=self.on, modalities=self.modalities, title=self.title, label=self.label,
            unit=self.label[self.label.rindex("(") + 1 : -1], levels=self.levels, ticks=self.ticks, methods=methods,
            failed=self.failed, unmeasured=self.unmeasured,
        )  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Test samples and the models that are tried on them.

    Args:
        data: All samples and the features that the joint teacher sees, as extracted.
        sides: Of every fold.
        seeds: Of the study.
        prevalent: What the students see.
        normalise: "training", or "subject": by all recordings of a person.
        students: Method -> "fold/seed" -> folder of the student.
        chosen: Rows of the samples that are tried: tested in a fold, and with a prevalent modality.
    """

    data: StudyData
    sides: list[Sides]
    seeds: list[int]
    prevalent: list[str]
    normalise: str
    students: dict[str, dict[str, Path]]
    chosen: Tensor
    _loaded: dict[Path, Student] = field(default_factory=dict)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(fold, seed) of every repetition."""
        return [(fold, seed) for fold in range(len(self.sides)) for seed in self.seeds]

    @cached_property
    def normal(self) -> StudyData:
        """All samples as models take them: standardised by person where the study says so."""
        return self.normalised(self.data)

    @cached_property
    def tried(self) -> StudyData:
        """The chosen samples, features as extracted."""
        batch = {name: (v[self.chosen], m[self.chosen]) for name, (v, m) in self.data.sequences.items()}
        return subset_of(self.data, self.chosen, batch)

    def normalised(self, data: StudyData) -> StudyData:
        """Standardises by person where the study says so; by the recordings in `data`, damaged or not."""
        if self.normalise != "subject":
            return data
        by = data.samples["subject"].to_numpy(), is_labelled(data.samples)
        return replace(data, sequences={n: (standardised(v, m, *by), m) for n, (v, m) in data.sequences.items()})

    def rows(self, fold: int) -> Tensor:
        """Rows of the chosen samples that are tested in a fold."""
        rows = self.sides[fold].test
        return rows[torch.isin(rows, self.chosen)]

    def student(self, fold: int, seed: int, method: str) -> Student:
        """A trained student; the last few hundred stay in memory."""
        folder = self.students[method][repetition_name(fold, seed)]
        if folder not in self._loaded:
            if len(self._loaded) >= _MOST_LOADED:
                self._loaded.clear()
            self._loaded[folder] = load_model(folder, Student)[0]
        return self._loaded[folder]

    def score(self, scene: Scene, number: int, sequences: ModalityBatch) -> None:
        """Scores all students at a level whose features of the chosen samples are `sequences`, as extracted.

        A sample of which nothing is left gets what one knows without seeing it: how frequent the classes are among
        training samples, or the mean of the targets.
        """
        worse = self.normalised(replace(self.tried, sequences=sequences))
        present = worse.present(self.prevalent)
        for fold, seed in self.pairs:
            rows = worse.rows(self.sides[fold].people.test)
            if not len(rows):
                continue
            seen = rows[present[rows]]
            blind = prior(self.data.labels[self.sides[fold].labelled], self.outputs)
            for method in self.students:
                scores = blind.expand(len(rows), -1).clone()
                if len(seen):
                    logits = apply(self.student(fold, seed, method), worse, self.prevalent, seen).logits
                    scores[present[rows]] = scores_of(worse, logits)
                scene.add(method, number, part_of(subset_of(worse, rows, {}), scores))

    @property
    def outputs(self) -> int:
        """Classes or targets C."""
        labels = self.data.labels
        return labels.shape[1] if labels.is_floating_point() else int(labels.max()) + 1


def prior(labels: Tensor, outputs: int) -> Tensor:
    """(C,) shares of the classes among labels (N,) long, or means of targets (N, C) float, of those that count."""
    if labels.is_floating_point():
        return torch.tensor(TargetScale.of(labels).mean, dtype=labels.dtype)
    return torch.bincount(labels, minlength=outputs) / len(labels)


def subset_of(data: StudyData, rows: Tensor, sequences: ModalityBatch) -> StudyData:
    """The samples of some rows, with the features that `sequences` holds of them."""
    samples = data.samples.iloc[rows.numpy()].reset_index(drop=True)
    return replace(data, samples=samples, labels=data.labels[rows], sequences=sequences)


def scores_of(data: StudyData, logits: Tensor) -> Tensor:
    """(N, C) what evaluation scores: probabilities, or predicted targets."""
    return logits if data.labels.is_floating_point() else torch.softmax(logits, dim=1)


def part_of(data: StudyData, scores: Tensor) -> metrics.Part:
    """Scores beside the labels and subjects of the same samples."""
    return metrics.Part(data.labels.numpy(), scores.numpy(), data.samples["subject"].to_numpy())


def testable_rows(data: StudyData, sides: list[Sides], prevalent: list[str]) -> Tensor:
    """Rows of test samples that have a label and a prevalent modality."""
    tested = torch.cat([one.test for one in sides]).unique()
    return tested[data.present(prevalent)[tested]]


def chosen_rows(
    data: StudyData, sides: list[Sides], prevalent: list[str], at_most: int | None, *, whole_people: bool, seed: int
) -> Tensor:
    """Rows of test samples that have a prevalent modality: all, or `at_most`, drawn evenly over subjects and classes.

    Args:
        whole_people: Draw whole persons, at least one: where features are standardised by person.
        seed: Of the draw.
    """
    tested = testable_rows(data, sides, prevalent)
    if at_most is None or at_most >= len(tested):
        return tested
    table = data.samples.iloc[tested.numpy()].assign(row=tested.numpy())
    table = table.sample(frac=1, random_state=seed)
    if whole_people:
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
