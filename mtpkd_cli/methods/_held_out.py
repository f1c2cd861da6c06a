"""What teachers are worth to each other, by what they say of recordings that they have not learned from.

Nothing here needs the label of the recording that is taught: a teacher counts by its skill on other people and by how
sure it is of this one.

Legend: K teachers, n labelled recordings, B batch, C classes or targets.

References:
    The weights are those of a mixture of fixed components by expectation-maximisation (Dempster, Laird and Rubin 1977,
    doi 10.1111/j.2517-6161.1977.tb01600.x) under a Dirichlet prior, as in stacking of densities (Smyth and Wolpert
    1999, doi 10.1023/A:1007511322260).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mtpkd_cli.models.calibration import fit_temperature
from mtpkd_cli.models.losses import is_labelled, loss_per_sample

_PRIOR = 0.25
"""Pseudo-recordings of the prior, as a share of the labelled ones: with few of them no teacher is left out."""
_ITERATIONS = 200
_LEAST = 1e-12


@dataclass(frozen=True)
class Mixture:
    """How much each teacher counts, and how far their mixture is from being as sure as it should be.

    Args:
        weights: (K,), they sum to 1.
        temperature: At which held-out labels are the most likely; 1 in regression.
    """

    weights: Tensor
    temperature: float


@dataclass(frozen=True)
class TeacherWords:
    """Calibrated held-out words of all teachers on labelled recordings.

    Args:
        names: K teachers.
        logits: (K, n, C); in regression predictions in standard deviations.
        labels: (n,) long or (n, C) float; none without a label.
        present: (K, n) bool.
    """

    names: list[str]
    logits: Tensor
    labels: Tensor
    present: Tensor
    _known: dict[tuple[str, ...], Mixture] = field(default_factory=dict)

    @classmethod
    def of(cls, names: list[str], logits: Tensor, labels: Tensor, present: Tensor) -> "TeacherWords":
        """Keeps the recordings that have a label and that a teacher could see."""
        kept = is_labelled(labels) & present.any(0)
        return cls(names, logits[:, kept], labels[kept], present[:, kept])

    def mixture(self, names: list[str]) -> Mixture:
        """The mixture of some of the teachers, computed once: the most likely weights of those labels, and temperature.

        Without a labelled recording all count alike.
        """
        if tuple(names) not in self._known:
            self._known[tuple(names)] = self._fitted([self.names.index(name) for name in names])
        return self._known[tuple(names)]

    def _fitted(self, kept: list[int]) -> Mixture:
        logits, present = self.logits[kept], self.present[kept]
        seen = present.any(0)
        logits, present, labels = logits[:, seen], present[:, seen], self.labels[seen]
        count = logits.new_tensor(float(len(kept)))
        prior = _PRIOR * max(1, len(labels)) / count
        likelihoods = self._likelihoods(logits, labels, present)
        weights = torch.full((len(kept),), 1 / len(kept), device=logits.device)
        for _ in range(_ITERATIONS if len(labels) else 0):
            parts = weights[:, None] * likelihoods
            parts = parts / parts.sum(0).clamp(min=_LEAST)
            weights = (parts.sum(1) + prior) / (parts.sum() + count * prior)
        if labels.is_floating_point():
            return Mixture(weights, 1.0)
        each = weights_of(weights, logits, present, regression=False)
        return Mixture(weights, fit_temperature(log_mixture(each, logits), labels))

    @staticmethod
    def _likelihoods(logits: Tensor, labels: Tensor, present: Tensor) -> Tensor:
        """(K, n) of each label, up to a factor that all teachers share; of a target by each teacher's own error."""
        losses = loss_per_sample(logits, labels)
        if labels.is_floating_point():
            error = (losses * present).sum(1, keepdim=True) / present.sum(1, keepdim=True).clamp(min=1)
            error = error.clamp(min=1e-6)
            losses = losses / (2 * error) + error.log() / 2
        return torch.exp(losses.amin(0) - losses) * present


def weights_of(weights: Tensor, logits: Tensor, present: Tensor, *, regression: bool) -> Tensor:
    """How much each teacher counts for each sample: its weight, times exp(-entropy) of what it says.

    Args:
        weights: (K,) of the mixture.
        logits: (K, B, C).
        present: (K, B) bool.
        regression: A prediction tells nothing of how sure it is: weights alone count.

    Returns:
        (B, K), not negative; a row sums to 1, or to 0 where no teacher could see the sample.
    """
    each = weights[:, None] * present
    if not regression:
        log_p = torch.log_softmax(logits, dim=-1)
        each = each * torch.exp((log_p.exp() * log_p).sum(-1))
    return (each / each.sum(0).clamp(min=_LEAST)).T.to(logits.dtype)


def log_mixture(weights: Tensor, logits: Tensor) -> Tensor:
    """(B, C) log of sum_k w_bk softmax(z_k); weights (B, K), logits (K, B, C)."""
    return torch.einsum("bk,kbc->bc", weights, torch.softmax(logits, dim=-1)).clamp(min=_LEAST).log()


def spread(weights: Tensor, predictions: Tensor) -> Tensor:
    """(B,) mean over targets of the weighted variance of the teachers' predictions (K, B, C); weights (B, K)."""
    mean = torch.einsum("bk,kbc->bc", weights, predictions)
    return torch.einsum("bk,kbc->bc", weights, (predictions - mean) ** 2).mean(1)


def certainty(weights: Tensor, predictions: Tensor) -> Tensor:
    """(B,) in (0, 1]: 1 where teachers agree, 1/2 where they differ by a standard deviation of the targets.

    The inverse of the variance that a target has beside its own unit one, so that of two soft targets the one on which
    teachers agree counts more.
    """
    return 1 / (1 + spread(weights, predictions))
