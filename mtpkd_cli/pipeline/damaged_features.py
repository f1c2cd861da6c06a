"""Scores where features are damaged, since media cannot be, and of the joint teacher where modalities go missing."""

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.evaluation.damaged_features import CORRUPTIONS
from mtpkd_cli.models import Teacher
from mtpkd_cli.pipeline.damaged_scores import Bench, Scene, only, part_of, scores_of
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.teachers import apply

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


def missing_scene(bench: Bench) -> Scene:
    """The scene of the joint teacher, without scores yet."""
    names = [n for n in bench.study.teacher_modalities[bench.study.align.joint] if n in bench.study.privileged]
    title, label = "Joint teacher, privileged modalities missing", "samples without the modality (%)"
    ticks = [f"{100 * level:g}" for level in MISSING_LEVELS]
    return Scene("missing", "modalities", names, title, label, list(MISSING_LEVELS), ticks)


def score_features(bench: Bench, scenes: list[Scene], pair: tuple[int, int]) -> None:
    """Scores the students of one fold and seed; every method sees the same damage of a sample."""
    rows, study, data = bench.rows(pair[0]), bench.study, bench.normal
    if not len(rows) or not scenes:
        return
    train = data.rows(bench.folds[pair[0]].train)
    scale = {name: _scale(data, name, train) for name in scenes[0].modalities}
    whole: dict[str, Any] = {name: tuple(part[rows] for part in data.sequences[name]) for name in study.prevalent}
    for scene in scenes:
        change = CORRUPTIONS[scene.kind].change
        generator = _generator(pair, scene.kind)
        for number, level in enumerate(scene.levels):
            batch = dict(whole)
            for name in scene.modalities if number else []:
                values, mask = whole[name]
                batch[name] = change(values, mask, scale[name], level or 0.0, generator)
            worse = only(data, rows, batch)
            for method in bench.methods:
                logits = apply(bench.student(*pair, method), worse, study.prevalent, torch.arange(len(rows))).logits
                scene.add(method, number, part_of(worse, scores_of(worse, logits)))


def score_teacher(bench: Bench, scene: Scene, pair: tuple[int, int]) -> None:
    """The joint teacher as trained, in a share of the samples without one privileged modality, or without all."""
    joint, data = bench.study.align.joint, bench.normal
    model = load_model(bench.run.teacher(*pair, joint), Teacher)[0]
    rows = bench.rows(pair[0])
    if not len(rows):
        return
    luck = torch.rand(len(rows), generator=_generator(pair, "missing"))
    gone = {f"{joint} without {name}": [name] for name in scene.modalities}
    if len(scene.modalities) > 1:
        gone[f"{joint} without any of them"] = scene.modalities
    for label, names in gone.items():
        for number, level in enumerate(MISSING_LEVELS):
            batch: dict[str, Any] = {
                name: tuple(part[rows] for part in data.sequences[name]) for name in model.trunk.modalities
            }
            for name in names:
                values, mask = batch[name]
                batch[name] = values, mask & (luck >= level)[:, None]
            worse = only(data, rows, batch)
            logits = apply(model, worse, model.trunk.modalities, torch.arange(len(rows))).logits
            scene.add(label, number, part_of(worse, scores_of(worse, logits)))


def _generator(pair: tuple[int, int], kind: str) -> Generator:
    return torch.Generator().manual_seed(derived_seed(pair[1], pair[0], f"corrupt {kind}"))


def _scale(data: StudyData, name: str, rows: Tensor) -> Tensor:
    """(D,) standard deviation of a modality's features over the steps of training samples."""
    values, mask = (part[rows] for part in data.sequences[name])
    known = values[mask]
    if not len(known):
        raise ArtifactError(f"no training sample has '{name}'")
    return torch.from_numpy(np.nanstd(known.numpy().astype(np.float64), axis=0).astype(np.float32))
