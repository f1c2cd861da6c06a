"""Imputation baselines: the joint teacher with constants for what is privileged, kept and scored like a student."""

from pathlib import Path
from typing import Any

import torch

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.study import ModelSection
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.models.class_balance import ClassShift, balancing_shift
from mtpkd_cli.models.imputed import ImputedTrunk
from mtpkd_cli.models.losses import task_loss
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.alignment import ALIGNMENT_WEIGHTS
from mtpkd_cli.training.checkpoints import load_model, read_weights, save_model
from mtpkd_cli.training.data import read_fold
from mtpkd_cli.training.descriptions import Candidate, Description, TriedCandidate
from mtpkd_cli.training.predictions import PREDICTIONS, predictions_of
from mtpkd_cli.training.teachers import apply


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    prevalent: list[str],
    teacher: Path,
    alignment: Path,
    fold: int,
    method: str,
    impute: str,
    task: str,
    model: ModelSection,
    balanced: bool,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Writes the model and its predictions of validation and test samples.

    Args:
        features: Modality of the joint teacher -> folder of its cache. Privileged ones are opened to count the steps of
            training samples; what they hold is not used.
        prevalent: Modalities that are seen at test.
        teacher: Folder of the joint teacher; `alignment` holds the weights that it was tuned to.
        impute: "zero" or "mean", what stands in for a privileged feature.
        balanced: Whether classes count alike, however frequent they are.
        labels: How many labels are seen.
    """
    data, sides = read_fold(samples, splits, fold, features, job.device, model.normalise, labels)
    train = sides.labelled
    joint = load_model(teacher, Teacher)[0]
    tuned = read_weights(alignment / ALIGNMENT_WEIGHTS)
    joint.load_state_dict({name.removeprefix("joint."): t for name, t in tuned.items() if name.startswith("joint.")})
    steps = {name: _median_steps(data.sequences[name][1].cpu()[train]) for name in joint.trunk.modalities}
    sizes = data.sizes(joint.trunk.modalities)
    arguments: dict[str, Any] = {
        "features": {name: sizes[name] for name in prevalent},
        "privileged": 0,
        "outputs": len(data.outputs),
        "kind": "imputed",
        "imputed": {name: (sizes[name], steps[name]) for name in joint.trunk.modalities},
    } | model.sizes
    if joint.scale is not None:
        arguments["targets"] = joint.scale.plain()
    network = Student(**arguments)
    trunk = network.trunk
    assert isinstance(trunk, ImputedTrunk)
    trunk.trunk.load_state_dict(joint.trunk.state_dict())
    network.head.load_state_dict(joint.head.state_dict())
    if impute == "mean":
        for name, encoder in zip(joint.trunk.modalities, joint.trunk.encoders, strict=True):
            trunk.fill(name).copy_(encoder.normaliser.mean)  # type: ignore[arg-type]
    network = network.to(job.device).eval()
    there = sides.having(data.present(prevalent))
    if balanced:
        shift = balancing_shift(apply(network, data, prevalent, there.training).logits)
        arguments["class_shift"] = shift.tolist()
        network.units = ClassShift(arguments["class_shift"]).to(job.device)
    rows = {"validation": there.validation, "test": there.test}
    about = Description(
        kind=type(network).__name__, arguments=arguments, task=task, outputs=data.outputs,
        modalities=prevalent, method=method, chosen=Candidate(method=method, options={}),
        tried=[TriedCandidate(method=method, options={})],
    )  # fmt: skip
    save_model(out, network, about, [])
    write_parquet(out / PREDICTIONS, predictions_of(data, network, rows))
    logits = apply(network, data, prevalent, rows["validation"]).logits
    loss = task_loss(logits, data.labels[rows["validation"]]).item()
    return {"validation_loss": loss, "tried": 1, "fell_back": False, "steps": steps}


def _median_steps(mask: torch.Tensor) -> int:
    """Steps of the median sample among those that have any; 1 where none has."""
    counts = mask.sum(1)
    counts = counts[counts > 0]
    return int(counts.median()) if len(counts) else 1
