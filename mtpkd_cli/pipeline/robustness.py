"""How scores fall as recordings get worse: students as the prevalent modalities suffer, and the joint teacher as
privileged ones go missing."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import RunFolder, write_json
from mtpkd_cli.config import Study
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.registry import METHODS, METRICS
from mtpkd_cli.stages import Job
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.corruption import CORRUPTIONS
from mtpkd_cli.training.data import StudyData, read_data
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.splits import Fold, count_folds, read_folds
from mtpkd_cli.training.teachers import apply

RESAMPLES = 500
MISSING_LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
FILE = "corruption.json"

Curves = dict[str, list[list[metrics.Part]]]
"""Method -> level -> parts."""


def corrupted_scores(run: RunFolder, study: Study, metric: str, job: Job) -> dict[str, Any]:
    """Scores test samples that have been made worse; writes evaluation/corruption.json and returns its content.

    Every method sees the same damage of a sample. No student is trained anew: recordings turn out worse than
    those of the study.

    Raises:
        ArtifactError: A student, a teacher or the features are not there.
    """
    methods = [m for m in study.distill.methods if not METHODS.constant(m, "CONTROL", False)]
    seen = study.teacher_modalities[study.align.joint]
    data = read_data(run.samples, {name: run.features(name) for name in seen}, "cpu", study.network.normalise)
    subjects = sorted(data.samples["subject"].unique())
    draws = metrics.bootstrap_weights(len(subjects), RESAMPLES, study.evaluate.bootstrap_seed)
    folds = read_folds(run.splits)
    pairs = [(fold, seed) for fold in range(count_folds(run.splits, study.data.folds)) for seed in study.study.seeds]
    advance = job.reporter.progress("corrupt", len(pairs))
    curves: dict[str, Curves] = {kind: {} for kind in (*CORRUPTIONS, "missing")}
    for fold, seed in pairs:
        interruption.check()
        generator = torch.Generator().manual_seed(derived_seed(seed, fold, "corrupt"))
        _students(run, study, data, folds[fold], (fold, seed), methods, curves, generator)
        _teacher(run, study, data, folds[fold], (fold, seed), curves["missing"], generator)
        advance()
    module = METRICS.load(metric)
    steps = [data.sequences[name][1].sum(1) for name in study.prevalent]
    content: dict[str, Any] = {"metric": metric, "steps": int(torch.stack(steps).amax(0).median()), "kinds": {}}
    for kind, found in curves.items():
        label = CORRUPTIONS[kind].label if kind in CORRUPTIONS else "samples without the modality (%)"
        levels = CORRUPTIONS[kind].levels if kind in CORRUPTIONS else MISSING_LEVELS
        rows = {
            name: [
                metrics.plain_estimate(metrics.interval(score.values, score.point))
                for parts in by_level
                for score in [metrics.resampled_scores(module.metric, parts, subjects, draws)]
            ]
            for name, by_level in found.items()
        }
        content["kinds"][kind] = {"label": label, "levels": list(levels), "methods": rows}
    write_json(run.evaluation / FILE, content)
    return content


def _students(
    run: RunFolder,
    study: Study,
    data: StudyData,
    sides: Fold,
    pair: tuple[int, int],
    methods: list[str],
    curves: dict[str, Curves],
    generator: torch.Generator,
) -> None:
    rows = data.rows(sides.test)
    rows = rows[data.present(study.prevalent)[rows]]
    scale = {name: _scale(data, name, data.rows(sides.train)) for name in study.prevalent}
    models = {method: load_model(run.student(*pair, method), Student)[0] for method in methods}
    if not len(rows):
        return
    for kind, corruption in CORRUPTIONS.items():
        for number, level in enumerate(corruption.levels):
            batch = {name: tuple(part[rows] for part in data.sequences[name]) for name in study.prevalent}
            if number:
                batch = {
                    name: corruption.change(values, mask, scale[name], level, generator)
                    for name, (values, mask) in batch.items()
                }
            worse = _only(data, rows, batch)
            for method, model in models.items():
                own = curves[kind].setdefault(method, [[] for _ in corruption.levels])
                own[number].append(_part(worse, apply(model, worse, study.prevalent, torch.arange(len(rows))).logits))


def _teacher(
    run: RunFolder,
    study: Study,
    data: StudyData,
    sides: Fold,
    pair: tuple[int, int],
    curves: Curves,
    generator: torch.Generator,
) -> None:
    """The joint teacher as trained, in a share of the samples without one privileged modality, or without all."""
    joint = study.align.joint
    seen = study.teacher_modalities[joint]
    privileged = [name for name in seen if name in study.privileged]
    model = load_model(run.teacher(*pair, joint), Teacher)[0]
    rows = data.rows(sides.test)
    rows = rows[data.present(study.prevalent)[rows]]
    if not len(rows):
        return
    luck = torch.rand(len(rows), generator=generator)
    gone = {f"{joint} without {name}": [name] for name in privileged}
    if len(privileged) > 1:
        gone[f"{joint} without {' and '.join(privileged)}"] = privileged
    for label, names in gone.items():
        own = curves.setdefault(label, [[] for _ in MISSING_LEVELS])
        for number, level in enumerate(MISSING_LEVELS):
            batch = {name: tuple(part[rows] for part in data.sequences[name]) for name in seen}
            for name in names:
                values, mask = batch[name]
                batch[name] = values, mask & (luck >= level)[:, None]
            worse = _only(data, rows, batch)
            own[number].append(
                _part(worse, apply(model, worse, model.trunk.modalities, torch.arange(len(rows))).logits)
            )


def _only(data: StudyData, rows: Tensor, batch: dict[str, Any]) -> StudyData:
    samples = data.samples.iloc[rows.numpy()].reset_index(drop=True)
    return replace(data, samples=samples, labels=data.labels[rows], sequences=batch)


def _part(data: StudyData, logits: Tensor) -> metrics.Part:
    scores = logits if data.labels.is_floating_point() else torch.softmax(logits, dim=1)
    return metrics.Part(data.labels.numpy(), scores.numpy(), data.samples["subject"].to_numpy())


def _scale(data: StudyData, name: str, rows: Tensor) -> Tensor:
    """(D,) standard deviation of a modality's features over the steps of training samples."""
    values, mask = (part[rows] for part in data.sequences[name])
    known = values[mask]
    if not len(known):
        raise ArtifactError(f"no training sample has '{name}'")
    return torch.from_numpy(np.nanstd(known.numpy().astype(np.float64), axis=0).astype(np.float32))
