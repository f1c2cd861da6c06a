"""Caches on disk -> tensors in memory: one padded sequence per sample and modality.

Legend: N samples, T time steps (the longest sample's), D features.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.artifacts.feature_parts import read_parts
from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.datasets import TARGET_PREFIX, is_labelled
from mtpkd_cli.errors import DataError
from mtpkd_cli.models import ModalityBatch, Normaliser, TargetScale
from mtpkd_cli.training.label_budget import missing_classes
from mtpkd_cli.training.sides import Sides, read_sides
from mtpkd_cli.training.splits import class_names_of


@dataclass(frozen=True)
class StudyData:
    """All samples of a study with the features of some modalities.

    Args:
        samples: The samples table; row i is sample i everywhere.
        labels: (N,) long class indices, or (N, C) float targets, in units of the corpus unless `with_standard_targets`.
        sequences: Modality -> (values (N, T, D) float, mask (N, T) bool).
        outputs: Names of the C classes in index order, or of the targets.
    """

    samples: pd.DataFrame
    labels: Tensor
    sequences: ModalityBatch
    outputs: list[str] = field(default_factory=list)

    def rows(self, subjects: list[str]) -> Tensor:
        """Returns the row numbers of the samples of these subjects, in the order of the table."""
        return torch.from_numpy(np.flatnonzero(self.samples["subject"].isin(subjects).to_numpy()))

    def present(self, modalities: list[str]) -> Tensor:
        """(N,) bool: samples of which at least one of the modalities could be read."""
        return torch.stack([self.sequences[name][1].any(1) for name in modalities]).any(0)

    def batch(self, rows: Tensor, modalities: list[str]) -> ModalityBatch:
        """Gathers the given rows of some modalities."""
        rows = rows.to(self.labels.device)
        return {name: (self.sequences[name][0][rows], self.sequences[name][1][rows]) for name in modalities}

    def with_labels_of(self, rows: Tensor) -> "StudyData":
        """The same samples without any label but those of some rows: -1, or NaN, everywhere else."""
        seen = torch.zeros(len(self.samples), dtype=torch.bool)
        seen[rows] = True
        if self.labels.is_floating_point():
            labels = torch.where(seen[:, None].to(self.labels.device), self.labels, torch.nan)
        else:
            labels = torch.where(seen.to(self.labels.device), self.labels, -1)
        columns = ["label", "label_name", *target_columns(self.samples)]
        return replace(self, samples=self.samples.drop(columns=columns, errors="ignore"), labels=labels)

    def target_scale(self, rows: Tensor) -> TargetScale | None:
        """Mean and standard deviation of the targets in some rows; None of classes."""
        return TargetScale.of(self.labels[rows.to(self.labels.device)]) if self.labels.is_floating_point() else None

    def with_standard_targets(self, scale: TargetScale | None) -> "StudyData":
        """The same samples with targets in standard deviations, as losses take them; None changes nothing."""
        return self if scale is None else replace(self, labels=scale.standardised(self.labels))

    def sizes(self, modalities: list[str]) -> dict[str, int]:
        """Modality -> feature size D."""
        return {name: self.sequences[name][0].shape[2] for name in modalities}


def read_data(samples_file: Path, folders: dict[str, Path], device: str, normalise: str = "training") -> StudyData:
    """Reads the samples table and the features of some modalities (modality -> its folder) onto a device.

    Args:
        normalise: "training" leaves the features as they are, for the models standardise them; "subject" standardises
            each person's by all recordings of that person that have a label, or by all where none has: those without
            one are used by nobody where the person validates or is tested.
    """
    samples = read_parquet(samples_file).to_pandas()
    ids = samples["sample_id"].tolist()
    sequences = {name: _read_sequences(folder, ids) for name, folder in folders.items()}
    if normalise == "subject":
        by = samples["subject"].to_numpy(), is_labelled(samples)
        sequences = {name: (standardised(values, mask, *by), mask) for name, (values, mask) in sequences.items()}
    on_device = {name: (values.to(device), mask.to(device)) for name, (values, mask) in sequences.items()}
    return StudyData(samples, labels_of(samples).to(device), on_device, outputs_of(samples))


def read_fold(
    samples_file: Path,
    splits: Path,
    fold: int,
    folders: dict[str, Path],
    device: str,
    normalise: str,
    labels: LabelBudget,
) -> tuple[StudyData, Sides]:
    """Reads what one fold is fitted with, and who is on which side of it.

    Args:
        labels: How many labels of the training side are seen.

    Returns:
        Data as of `read_data` without a label but those that a fit may learn from and be chosen by, and the sides.

    Raises:
        DataError: No recording of a class teaches with its label.
    """
    data = read_data(samples_file, folders, device, normalise)
    sides = read_sides(data.samples, splits, fold, labels)
    if lacking := missing_classes(data.samples, sides.labelled.numpy(), data.outputs):
        raise DataError(
            f"fold {fold}: no training recording of {', '.join(lacking)} has a label that is seen",
            where=f"data.label_share = {labels.share:g}",
            expected="every class among them",
            todo="a larger data.label_share (mtpkd check RUN names the least that works)",
        )
    return data.with_labels_of(torch.cat([sides.labelled, sides.validation])), sides


def standardised(values: Tensor, mask: Tensor, people: np.ndarray, counted: np.ndarray | None = None) -> Tensor:
    """Subtracts each person's mean and divides by each person's deviation over all existing steps, label unseen.

    Args:
        values: (N, T, D); NaN cells stay NaN.
        mask: (N, T).
        people: (N,) who each sample is of.
        counted: (N,) bool, samples by which a person is standardised; None = all, as of a person who has none of these.
    """
    result = values.clone()
    for person in np.unique(people):
        rows = torch.from_numpy(np.flatnonzero(people == person))
        of = rows if counted is None or not counted[rows].any() else rows[counted[rows]]
        normaliser = Normaliser(values.shape[2])
        normaliser.fit(values[of], mask[of])
        result[rows] = (values[rows] - normaliser.mean) / normaliser.scale
    return torch.where(mask.unsqueeze(-1), result, 0.0)


def labels_of(samples: pd.DataFrame) -> Tensor:
    """(N,) long class indices, or (N, C) float targets in the order of the table's columns."""
    if "label" in samples:
        return torch.from_numpy(samples["label"].to_numpy(np.int64, copy=True))
    return torch.from_numpy(samples[target_columns(samples)].to_numpy(np.float32, copy=True))


def outputs_of(samples: pd.DataFrame) -> list[str]:
    """Names of the C outputs of a model: the classes in index order, or the targets."""
    if "label" not in samples:
        return [column.removeprefix(TARGET_PREFIX) for column in target_columns(samples)]
    return class_names_of(samples)


def target_columns(samples: pd.DataFrame) -> list[str]:
    """Names of the target columns of a regression study."""
    return [column for column in samples.columns if column.startswith(TARGET_PREFIX)]


def _read_sequences(folder: Path, ids: list[str]) -> tuple[Tensor, Tensor]:
    return padded(*read_parts(folder, ids), len(ids))


def padded(rows: np.ndarray, steps: np.ndarray, features: np.ndarray, n_samples: int) -> tuple[Tensor, Tensor]:
    """Lays time steps, as `read_parts` gives them, into values (N, T, D) and mask (N, T)."""
    values = np.zeros((n_samples, int(steps.max(initial=0)) + 1, features.shape[1]), np.float32)
    mask = np.zeros(values.shape[:2], bool)
    values[rows, steps], mask[rows, steps] = features, True
    return torch.from_numpy(values), torch.from_numpy(mask)
