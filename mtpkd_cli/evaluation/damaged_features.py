"""What recordings suffer in the field, done to features: steps lost or hidden, noise, smearing, a slower rate.

It is done to the time steps that encoders gave, where media cannot be damaged: what a blurred or dark picture does to a
face detector is not in it. And the joint teacher where whole modalities go missing.

Legend: N samples, T time steps, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.evaluation.robustness import Bench, Scene, part_of, scores_of, subset_of
from mtpkd_cli.models import Teacher
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.teachers import apply

Change = Callable[[Tensor, Tensor, Tensor, float, Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Corruption:
    """One way to suffer.

    Args:
        label: Label of the axis, with its unit.
        levels: From none to severe.
        change: (values (N, T, D), mask (N, T), scale (D,), level, generator) -> values, mask; new tensors.
    """

    label: str
    levels: tuple[float, ...]
    change: Change


def _dropped(values: Tensor, mask: Tensor, _scale: Tensor, level: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Every step is lost by chance; one of each sample stays."""
    luck = torch.rand(mask.shape, generator=generator).masked_fill(~mask, -1)
    kept = mask & (luck >= level)
    return values, _with_one(kept, mask, luck)


def _hidden(values: Tensor, mask: Tensor, _scale: Tensor, level: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """A stretch of each sample, at a random place, is hidden; one step stays."""
    length = mask.sum(1, keepdim=True)
    hidden = (level * length).round()
    start = (torch.rand(len(mask), 1, generator=generator) * (length - hidden + 1)).floor()
    number = mask.cumsum(1) - 1
    kept = mask & ~((number >= start) & (number < start + hidden))
    return values, _with_one(kept, mask, torch.rand(mask.shape, generator=generator).masked_fill(~mask, -1))


def _noisy(values: Tensor, mask: Tensor, scale: Tensor, level: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Gaussian noise on every feature of every step, in standard deviations of the feature."""
    return values + level * scale * torch.randn(values.shape, generator=generator), mask


def _smeared(values: Tensor, mask: Tensor, _scale: Tensor, level: float, _: Generator) -> tuple[Tensor, Tensor]:
    """Mean over a centred window of `level` steps, an odd number, of those that exist."""
    there = mask.unsqueeze(-1).to(values.dtype)
    known = values.nan_to_num(0.0) * there
    radius, total, count = int(level) // 2, torch.zeros_like(values), torch.zeros_like(there)
    for shift in range(-radius, radius + 1):
        total += _shifted(known, shift)
        count += _shifted(there, shift)
    return torch.where(mask.unsqueeze(-1), total / count.clamp(min=1), values), mask


def _slower(values: Tensor, mask: Tensor, _scale: Tensor, level: float, _: Generator) -> tuple[Tensor, Tensor]:
    """Only every `level`-th step is there, from the first."""
    return values, mask & ((mask.cumsum(1) - 1) % int(level) == 0)


CORRUPTIONS = {
    "drop": Corruption("steps lost (%)", (0.0, 0.2, 0.4, 0.6, 0.8, 0.95), _dropped),
    "occlusion": Corruption("stretch hidden (% of the sample)", (0.0, 0.2, 0.4, 0.6, 0.8, 0.95), _hidden),
    "noise": Corruption("noise (standard deviations)", (0.0, 0.25, 0.5, 1.0, 2.0, 4.0), _noisy),
    "blur": Corruption("smeared over (steps)", (1, 3, 5, 9, 17), _smeared),
    "rate": Corruption("one step of (steps)", (1, 2, 3, 4, 6, 8), _slower),
}


MISSING_LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
TITLES = {
    "drop": "Steps drop out",
    "occlusion": "A stretch is hidden",
    "noise": "Noise on features",
    "blur": "Blur over time",
    "rate": "Fewer steps",
}
PERCENT = ("drop", "occlusion")


def feature_scenes(names: list[str]) -> list[Scene]:
    """One scene per kind of damage to the features of these modalities, without scores yet."""
    scenes = []
    for kind, about in CORRUPTIONS.items():
        ticks = [f"{(100 if kind in PERCENT else 1) * level:g}" for level in about.levels]
        scenes.append(Scene(kind, "features", names, TITLES[kind], about.label, list(about.levels), ticks))
    return scenes


def missing_scene(privileged: list[str]) -> Scene:
    """The scene of the joint teacher whose privileged modalities go missing, without scores yet."""
    title, label = "Joint teacher, privileged modalities missing", "samples without the modality (%)"
    ticks = [f"{100 * level:g}" for level in MISSING_LEVELS]
    return Scene("missing", "modalities", privileged, title, label, list(MISSING_LEVELS), ticks)


def score_features(bench: Bench, scenes: list[Scene], pair: tuple[int, int]) -> None:
    """Scores the students of one fold and seed; every method sees the same damage of a sample."""
    rows, data = bench.rows(pair[0]), bench.normal
    if not len(rows) or not scenes:
        return
    train = bench.sides[pair[0]].labelled
    scale = {name: _scale(data, name, train) for name in scenes[0].modalities}
    whole = data.batch(rows, bench.prevalent)
    for scene in scenes:
        change = CORRUPTIONS[scene.kind].change
        generator = _generator(pair, scene.kind)
        for number, level in enumerate(scene.levels):
            batch = dict(whole)
            for name in scene.modalities if number else []:
                values, mask = whole[name]
                batch[name] = change(values, mask, scale[name], level or 0.0, generator)
            worse = subset_of(data, rows, batch)
            for method in bench.students:
                logits = apply(bench.student(*pair, method), worse, bench.prevalent, torch.arange(len(rows))).logits
                scene.add(method, number, part_of(worse, scores_of(worse, logits)))


def score_teacher(bench: Bench, scene: Scene, pair: tuple[int, int], name: str, folder: Path) -> None:
    """The joint teacher as trained, in a share of the samples without one privileged modality, or without all.

    Args:
        name: The teacher.
        folder: Of its model, in this fold and seed.
    """
    model, data = load_model(folder, Teacher)[0], bench.normal
    rows = bench.rows(pair[0])
    if not len(rows):
        return
    luck = torch.rand(len(rows), generator=_generator(pair, "missing"))
    gone = {f"{name} without {modality}": [modality] for modality in scene.modalities}
    if len(scene.modalities) > 1:
        gone[f"{name} without any of them"] = scene.modalities
    for label, modalities in gone.items():
        for number, level in enumerate(MISSING_LEVELS):
            batch = data.batch(rows, model.trunk.modalities)
            for modality in modalities:
                values, mask = batch[modality]
                batch[modality] = values, mask & (luck >= level)[:, None]
            worse = subset_of(data, rows, batch)
            logits = apply(model, worse, model.trunk.modalities, torch.arange(len(rows))).logits
            scene.add(label, number, part_of(worse, scores_of(worse, logits)))


def _with_one(kept: Tensor, mask: Tensor, luck: Tensor) -> Tensor:
    """Gives the luckiest step back to samples that had steps and have none left."""
    lost = mask.any(1) & ~kept.any(1)
    kept = kept.clone()
    kept[lost, luck[lost].argmax(1)] = True
    return kept


def _shifted(values: Tensor, shift: int) -> Tensor:
    """(N, T, D) moved along time, zeros where nothing comes from."""
    result, steps = torch.zeros_like(values), values.shape[1]
    if abs(shift) >= steps:
        return result
    if shift >= 0:
        result[:, shift:] = values[:, : steps - shift]
    else:
        result[:, :shift] = values[:, -shift:]
    return result


def _generator(pair: tuple[int, int], kind: str) -> Generator:
    return torch.Generator().manual_seed(derived_seed(pair[1], pair[0], f"corrupt {kind}"))


def _scale(data: StudyData, name: str, rows: Tensor) -> Tensor:
    """(D,) standard deviation of a modality's features over the steps of training samples."""
    values, mask = (part[rows] for part in data.sequences[name])
    known = values[mask]
    if not len(known):
        raise ArtifactError(f"no training sample has '{name}'")
    return torch.from_numpy(np.nanstd(known.numpy().astype(np.float64), axis=0).astype(np.float32))
