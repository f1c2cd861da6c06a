"""Recordings without a label in distillation: what of the teachers' word counts, and noise on the student's side.

Legend: K teachers, N samples, B batch, T time steps, D features, C classes or targets.

References:
    Xie, Luong, Hovy, Le, "Self-training with Noisy Student improves ImageNet classification", CVPR 2020, arXiv
    1911.04252. Sohn et al., "FixMatch", NeurIPS 2020, arXiv 2001.07685 (the threshold). Park et al., "SpecAugment",
    Interspeech 2019, arXiv 1904.08779 (masks over features and time).
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.models import ModalityBatch


def sharpened(bank: TeacherBank, rows: Tensor, sharpening: float) -> TeacherBank:
    """The bank with class probabilities raised to a power, and normalised, in some rows.

    Args:
        rows: (U,) long, the samples without a label.
        sharpening: The power; above 1 the first class gains.
    """
    logits, crossfit = bank.logits.clone(), bank.crossfit_logits.clone()
    logits[:, rows] *= sharpening
    crossfit[:, rows] *= sharpening
    return replace(bank, logits=logits, crossfit_logits=crossfit)


def confident(bank: TeacherBank, rows: Tensor, least: float) -> TeacherBank:
    """The bank without what a teacher says in some rows where its first class has less than a probability.

    Args:
        rows: (U,) long, the samples without a label.
        least: The probability.
    """
    sure = torch.softmax(bank.crossfit_logits[:, rows], dim=-1).amax(-1) >= least
    present = bank.present.clone()
    present[:, rows] &= sure
    return replace(bank, present=present)


def with_student(bank: TeacherBank, rows: Tensor, student: Tensor, *, regression: bool) -> TeacherBank:
    """The bank of a further round: in some rows each teacher's word is the mean of its own and the last student's.

    Args:
        rows: (U,) long, the samples without a label.
        student: (U, C) logits of that student, or predictions in the same units as the bank's.
        regression: Whether they are predictions.
    """
    crossfit = bank.crossfit_logits.clone()
    both = torch.stack(torch.broadcast_tensors(crossfit[:, rows], student))
    crossfit[:, rows] = both.mean(0) if regression else both.log_softmax(-1).logsumexp(0) - math.log(2)
    return replace(bank, crossfit_logits=crossfit)


def masked(batch: ModalityBatch, features: float, time: float) -> ModalityBatch:
    """A batch of which features and time steps are missing at random; one step of a sample stays.

    A missing feature is NaN in all steps of a sample, which a model takes as the training mean. Draws from torch's
    global generator.

    Args:
        batch: Modality -> (values (B, T, D), mask (B, T)).
        features: Probability that a feature of a sample is missing.
        time: Probability that a time step of it is.
    """
    return {name: _masked(values, mask, features, time) for name, (values, mask) in batch.items()}


def _masked(values: Tensor, mask: Tensor, features: float, time: float) -> tuple[Tensor, Tensor]:
    if features:
        missing = torch.rand(len(values), 1, values.shape[2], device=values.device) < features
        values = values.masked_fill(missing, torch.nan)
    if time:
        drawn = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, 2.0)
        # The step that was drawn last stays, so that a sample that is there is still there.
        kept = (drawn >= time) | (drawn == drawn.masked_fill(~mask, -1.0).amax(1, keepdim=True))
        mask = mask & kept
    return values, mask
