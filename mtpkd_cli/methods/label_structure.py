"""Control: the structure of the labels in place of a teacher's.

L = w_task task + w_OT OT(S^Y, S^S) + w_cent |mean_i S^Y_i - mean_i S^S_i| with mt-pkdot's weights: S^Y the cosine
matrix of one-hot labels, 1 within a class and 0 across. In regression each target is a place on a quarter circle, from
the least value of the batch to the greatest, so that equal targets have cosine 1 and the extremes 0, as classes have;
several targets are averaged. A gain that it has too needs no teacher. There is nobody to select, and soft labels would
be the task itself.

Source: this project's.
"""

from dataclasses import replace
from math import pi

import torch
from torch import Tensor
from torch.nn import functional

from mtpkd_cli.methods import Lesson, TeacherBank
from mtpkd_cli.models.losses import is_labelled, valid_targets

CONTROL_OF = "mt-pkdot"
FIXED = {"selection": "joint", "outputs": "crossfit", "soft_label_weight": 0.0, "temperature": 1.0}


def changed(lesson: Lesson) -> Lesson:
    """The bank holds one teacher, who is the labels and saw the samples that have one."""
    return replace(lesson, bank=_labels_as_teacher(lesson.labels, lesson.student.logits))


def _labels_as_teacher(labels: Tensor, logits: Tensor) -> TeacherBank:
    """A bank of one teacher, who is right; only its embeddings and presence are meant to be read."""
    if labels.is_floating_point():
        valid = valid_targets(labels)
        embeddings, present = _quarter_circles(labels, valid).to(logits.dtype), valid.any(1)
    else:
        embeddings = functional.one_hot(labels.clamp(min=0), logits.shape[1]).to(logits.dtype)
        present = is_labelled(labels)
    silent = torch.zeros_like(logits).detach().unsqueeze(0)
    return TeacherBank(["labels"], embeddings.unsqueeze(0), silent, silent, present.unsqueeze(0))


def _quarter_circles(targets: Tensor, valid: Tensor) -> Tensor:
    """(B, C) targets -> (B, 2 C) cosines and sines of their angles, 0 where masked."""
    least = targets.masked_fill(~valid, torch.inf).amin(0)
    spread = targets.masked_fill(~valid, -torch.inf).amax(0) - least
    angles = pi / 2 * (targets - least) / spread.where(spread > 0, 1.0)
    return torch.cat([torch.where(valid, part, 0.0) for part in (angles.cos(), angles.sin())], dim=1)
