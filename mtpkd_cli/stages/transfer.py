"""Transfer: what teachers know that the student's modalities do not show, before any student is trained."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.artifacts.run_folder import parse_repetition
from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.config.study import EvaluateSection
from mtpkd_cli.evaluation.held_out import HeldOut
from mtpkd_cli.evaluation.transfer import TRANSFER, diagnose
from mtpkd_cli.models.losses import valid_targets
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import tensor_of
from mtpkd_cli.training.data import labels_of
from mtpkd_cli.training.sides import read_sides
from mtpkd_cli.training.teachers import CROSSFIT


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    crossfits: dict[str, dict[str, Path]],
    teachers: dict[str, list[str]],
    prevalent_teacher: str,
    prevalent: list[str],
    task: str,
    ordinal: bool,
    metric: str,
    labels: LabelBudget,
    evaluate: EvaluateSection,
) -> Counts:
    """Diagnoses all teachers; writes transfer.json.

    Args:
        crossfits: "fold/seed" -> teacher -> its folder.
        teachers: Teacher -> modalities that it sees.
        prevalent_teacher: The one that sees what the student sees.
        prevalent: What the student sees.
        metric: In which skill is told.
        labels: How many labels of the training side are seen; no other label is read.
        evaluate: Of which resamples and their seed are used.

    Raises:
        ArtifactError: A teacher cannot be read.
        DataError: There is nothing to judge a teacher by.
    """
    table = read_parquet(samples).to_pandas()
    truth, people = labels_of(table), table["subject"].to_numpy()
    held_out, unlabelled = {}, []
    for key, folders in crossfits.items():
        fold, _ = parse_repetition(key)
        sides = read_sides(table, splits, fold, labels)
        rows = _with_label(torch.cat([sides.labelled, sides.validation]), truth)
        at = rows.numpy()
        logits = {name: tensor_of(read_parquet(folders[name] / CROSSFIT).column("logits")) for name in teachers}
        predicted = {name: one[rows].numpy().astype(np.float64) for name, one in logits.items()}
        held_out[key] = HeldOut(truth[rows].numpy(), people[at], at, predicted)
        unlabelled.append(len(sides.unlabelled))
    advance = job.reporter.progress("transfer", len(teachers))
    diagnosis = diagnose(
        held_out,
        teachers,
        prevalent_teacher,
        task=task,
        metric=metric,
        independent=[name for name, seen in teachers.items() if not set(seen) & set(prevalent)],
        ordinal=ordinal,
        unlabelled=unlabelled,
        resamples=evaluate.resamples,
        seed=evaluate.bootstrap_seed,
        advance=advance,
    )
    write_record(out / TRANSFER, diagnosis)
    return {"teachers": len(diagnosis.teachers), "people": diagnosis.people}


def _with_label(rows: Tensor, truth: Tensor) -> Tensor:
    """Those of the rows of which no target is missing."""
    return rows if truth.ndim == 1 else rows[valid_targets(truth[rows]).all(1)]
