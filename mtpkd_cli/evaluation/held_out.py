"""What teachers predict for labelled recordings of people from whom they have not learned, and draws of these people.

Legend: N recordings, n of them looked at, C classes or targets, S people, R resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mtpkd_cli import metrics
from mtpkd_cli.evaluation.stacking import stacked_log_densities, stacked_log_probabilities
from mtpkd_cli.training.splits import inner_folds

_PARTS = 5
"""Parts of the people over which the small models of predictions are cross-validated."""


@dataclass(frozen=True)
class HeldOut:
    """What all teachers of one fold and seed predict for labelled recordings of people from whom they have not learned.

    Args:
        labels: (N,) int, or (N, C) float without NaN.
        people: (N,) whose each recording is.
        recordings: (N,) its row in the samples table.
        logits: Teacher -> (N, C) logits, or predictions in units of the targets; NaN where it has nothing to see.
    """

    labels: np.ndarray
    people: np.ndarray
    recordings: np.ndarray
    logits: Mapping[str, np.ndarray]
    _stacked: dict[tuple[tuple[str, ...], bytes], np.ndarray] = field(default_factory=dict)

    @cached_property
    def parts(self) -> list[list[str]]:
        """The people in parts, by each of which models of the others are judged."""
        return inner_folds(sorted(set(self.people.tolist())), _PARTS, seed=0)

    @property
    def of_classes(self) -> bool:
        """Whether the labels are classes."""
        return self.labels.ndim == 1

    def known(self, *teachers: str) -> np.ndarray:
        """(N,) bool: recordings that all of these teachers have predictions of."""
        return np.logical_and.reduce([np.isfinite(self.logits[name]).all(axis=1) for name in teachers])

    def scores(self, teacher: str, rows: np.ndarray) -> np.ndarray:
        """(n, C) as metrics take them: probabilities, or predictions."""
        logits = self.logits[teacher][rows].astype(np.float64)
        if not self.of_classes:
            return logits
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def log_likelihood(self, teachers: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """(n,) of the labels by these teachers together, judged on other people than the weights were fitted to."""
        table = self.stacked(teachers, rows)
        return (
            np.take_along_axis(table, self.labels[rows, None], axis=1)[:, 0] if self.of_classes else table.mean(axis=1)
        )

    def stacked(self, teachers: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """(n, C) log probabilities of the classes, or log densities of the targets; see `evaluation.stacking`."""
        key = (tuple(teachers), rows.tobytes())
        if key not in self._stacked:
            people, predictions = self.people[rows], [self.logits[name][rows].astype(np.float64) for name in teachers]
            if self.of_classes:
                size = next(iter(self.logits.values())).shape[1]
                table = stacked_log_probabilities(self.labels[rows], predictions, people, self.parts, size)
            else:
                table = stacked_log_densities(self.labels[rows], predictions, people, self.parts)
            self._stacked[key] = table
        return self._stacked[key]


@dataclass(frozen=True)
class People:
    """Whose draws weigh every number, the same for all.

    Args:
        names: (S,) all people with labels on the training side.
        draws: (R, S) from `metrics.bootstrap_weights`.
    """

    names: list[str]
    draws: np.ndarray

    def resampled(
        self, metric: metrics.Metric, parts: Sequence[metrics.Part], pooled: bool = False
    ) -> metrics.Resampled:
        """A metric under these draws."""
        return metrics.resampled_scores(metric, parts, self.names, self.draws, pooled=pooled)

    def mean(self, columns: Sequence[np.ndarray], people: Sequence[np.ndarray]) -> metrics.Resampled:
        """The mean of a number per recording, one (n,) column per repetition."""
        parts = [metrics.Part(one, one[:, None], of) for one, of in zip(columns, people, strict=True)]
        return self.resampled(mean_of_scores, parts)


def mean_of_scores(labels: np.ndarray, scores: np.ndarray, weights: metrics.Weights | None = None) -> np.ndarray:
    """(R,) weighted mean of one column of scores, as a metric; NaN where nothing has weight."""
    del labels
    if weights is None:
        return scores.mean(axis=0)
    total = weights.sum(axis=1)
    return np.divide(weights @ scores[:, 0], total, out=np.full(total.shape, np.nan), where=total > 0)
