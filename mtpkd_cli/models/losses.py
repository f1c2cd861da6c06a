"""Task losses and point-wise distances, each a plain function of tensors.

Legend: B batch, C classes or targets, d embedding size. Labels are (B,) long in classification and (B, C) float in
regression, where NaN masks an entry; a class of -1 is that of a sample without a label.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

LEAST_NORM = 1e-4
UNLABELLED = -1
"""Class index of a sample without a label."""


class Term(NamedTuple):
    """One named part of a loss: the raw value and its weight are both logged."""

    value: Tensor
    weight: float


def task_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy for integer labels, 1 - CCC for float labels: the mean over labelled samples, or over targets.

    Where no sample of the batch has a label there is no slope: a cross-entropy is then 0, and 1 - CCC is 1.
    """
    if labels.is_floating_point():
        return 1 - concordance(logits, labels).mean()
    total = functional.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum")
    return total / is_labelled(labels).sum().clamp(min=1)


def loss_per_sample(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, or squared error since one sample has no CCC: logits (..., B, C), labels -> (..., B).

    0 of a sample without a label.
    """
    if labels.is_floating_point():
        valid = valid_targets(labels)
        error = torch.where(valid, (logits - labels) ** 2, torch.zeros_like(logits))
        return error.sum(-1) / valid.sum(-1).clamp(min=1)
    log_probability = torch.log_softmax(logits, dim=-1)
    index = labels.clamp(min=0).expand(logits.shape[:-1]).unsqueeze(-1)
    return -log_probability.gather(-1, index).squeeze(-1) * is_labelled(labels)


def concordance(predicted: Tensor, target: Tensor) -> Tensor:
    """Concordance correlation coefficient per target, (N, C) x 2 -> (C,), in [-1, 1]; masked entries are left out.

    CCC = 2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2) with population moments (Lin 1989). Of a constant prediction it is 0.
    """
    valid = valid_targets(target)
    count = valid.sum(0).clamp(min=1)
    x, y = (torch.where(valid, t, torch.zeros_like(t)) for t in (predicted, target))
    mean_x, mean_y = x.sum(0) / count, y.sum(0) / count
    x, y = (torch.where(valid, t - m, torch.zeros_like(t)) for t, m in ((x, mean_x), (y, mean_y)))
    covariance = (x * y).sum(0) / count
    spread = (x**2).sum(0) / count + (y**2).sum(0) / count + (mean_x - mean_y) ** 2
    return 2 * covariance / spread.clamp(min=torch.finfo(spread.dtype).tiny ** 0.5)


def is_labelled(labels: Tensor) -> Tensor:
    """(B,) bool: samples that have a label, or one target at least."""
    return valid_targets(labels).any(1) if labels.is_floating_point() else labels != UNLABELLED


def valid_targets(target: Tensor) -> Tensor:
    """True where a regression target is to be learned and scored."""
    return ~target.isnan()


def cosine_distance(x: Tensor, y: Tensor) -> Tensor:
    """mean over rows of 1 - cos(x_i, y_i), in [0, 2]; 0 iff rows point the same way.

    A row shorter than LEAST_NORM has no direction: it is at 1, with the slope that it would have at length 1, for the
    slope of a cosine is 1 / length, and that of one row of zeros would be a million times that of all others.
    """
    lengths = [torch.linalg.vector_norm(rows, dim=-1, keepdim=True) for rows in (x, y)]
    short = (lengths[0] < LEAST_NORM) | (lengths[1] < LEAST_NORM)
    cosines = functional.cosine_similarity(x.masked_fill(short, 1.0), y.masked_fill(short, 1.0), dim=-1)
    nearly = (rows / length.masked_fill(length < LEAST_NORM, 1.0) for rows, length in zip((x, y), lengths, strict=True))
    return (1 - torch.where(short[..., 0], torch.mul(*nearly).sum(-1), cosines)).mean()


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean over rows and columns of (x - y)^2; 0 iff equal."""
    return functional.mse_loss(x, y)


def maximum_mean_discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Squared MMD of two clouds of rows with a mean of Gaussian kernels; 0 iff the clouds are the same.

    The biased estimate of Gretton et al. 2012; bandwidths are 1/2, 1 and 2 times the median squared distance, which is
    taken as a constant.
    """
    both = torch.cat([x, y])
    distances = torch.cdist(both, both) ** 2
    median = distances.detach().median().clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-distances / (factor * median)) for factor in (0.5, 1.0, 2.0)]).mean(0)
    n = len(x)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def soft_label_divergence(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """t^2 KL(teacher || student) of softened class probabilities (B, C), mean over the batch (Hinton et al. 2015).

    0 iff the softened probabilities agree; the factor t^2 keeps the gradient's size independent of t.
    """
    student = torch.log_softmax(logits / temperature, dim=-1)
    teacher = torch.log_softmax(teacher_logits / temperature, dim=-1)
    return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean", log_target=True)


def divergence_of_outputs(logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Soft-label divergence in classification; mean squared difference of predictions in regression."""
    if labels.is_floating_point():
        return squared_distance(logits, teacher_logits)
    return soft_label_divergence(logits, teacher_logits, temperature)
