"""How doubtful labels seem, by what teachers predict for recordings that they have not learned from.

Two views, both upper bounds of the noise, since what teachers do not know counts as noise too:

- Of recordings on which the held-out consensus of the teachers is surest, how many have another label. Where it is sure
  for good reason this is the share of wrong labels, if they are as frequent there as elsewhere.
- Reliability by three views: label y and the predictions p, q of two teachers that share no modality. If the three
  have nothing in common but what is to be recognised, corr(y, p) corr(y, q) / corr(p, q) is the share of the label's
  variance that is true (the reliability of classical test theory), and nothing correlates with such labels by more than
  its root. Where p and q have more in common, such as who the person is, it comes out too low.

Legend: N recordings, C classes or targets.

Sources: Northcutt, Jiang, Chuang, "Confident learning", JAIR 70:1373-1411, 2021 (held-out confidence against labels);
Spearman, "The proof and measurement of association between two things", American Journal of Psychology 15:72-101, 1904,
and McColl et al., "Extended triple collocation", GRL 41:6229-6236, 2014 (three views).
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field
from scipy.special import log_softmax

from mtpkd_cli import metrics
from mtpkd_cli.artifacts.records import Record
from mtpkd_cli.evaluation.held_out import HeldOut, People
from mtpkd_cli.evaluation.summary import Estimate
from mtpkd_cli.metrics import pcc

SUREST = 0.25
"""Share of the recordings that counts as surest."""


class LabelNoise(Record):
    """How doubtful the labels seem.

    Args:
        wrong: Share of labels that the surest held-out consensus contradicts; classes only.
        reliability: Of the labels by three views, mean over targets; not for three or more classes without an order.
        ceiling: Its root: no prediction correlates with the labels by more.
        views: The two teachers of the three views.
    """

    wrong: Estimate | None = None
    reliability: Estimate | None = None
    ceiling: Estimate | None = None
    views: list[str] = Field(default_factory=list)


def label_noise(
    held_out: Sequence[HeldOut], people: People, prevalent: str, second: str | None, ordinal: bool
) -> LabelNoise:
    """Judges the labels.

    Args:
        prevalent: The teacher that sees what the student sees.
        second: One that sees nothing of that; None where there is none.
        ordinal: Whether the classes have an order.
    """
    noise: dict[str, Estimate] = {}
    if held_out[0].of_classes:
        surest = [_surest(one) for one in held_out]
        of = [one.people[rows] for one, (rows, _) in zip(held_out, surest, strict=True)]
        noise["wrong"] = Estimate.of(people.mean([wrong for _, wrong in surest], of).estimate)
    size = next(iter(held_out[0].logits.values())).shape[1]
    if second is None or (held_out[0].of_classes and not ordinal and size > 2):
        return LabelNoise(**noise)
    parts = []
    for one in held_out:
        rows = one.known(prevalent, second)
        if rows.any():
            views = [_on_a_scale(one, name, rows) for name in (prevalent, second)]
            labels = one.labels[rows].astype(np.float64)
            parts.append(metrics.Part(labels.reshape(len(labels), -1), np.concatenate(views, axis=1), one.people[rows]))
    if not parts:
        return LabelNoise(**noise)
    seen = people.resampled(three_views, parts)
    root = metrics.interval(np.sqrt(seen.values), float(np.sqrt(seen.point)))
    return LabelNoise(
        **noise, reliability=Estimate.of(seen.estimate), ceiling=Estimate.of(root), views=[prevalent, second]
    )


def three_views(labels: np.ndarray, scores: np.ndarray, weights: metrics.Weights | None = None) -> np.ndarray:
    """(R,) reliability of labels (N, C), at most 1, mean over targets; as a metric.

    NaN where two of the three do not go together, for then nothing is seen by all of them.

    Args:
        scores: (N, 2C) predictions of two teachers, side by side.
    """
    first, second = np.split(scores, 2, axis=1)
    pairs = [(labels, first), (labels, second), (first, second)]
    with_first, with_second, both = (pcc.per_target(a, b, weights) for a, b in pairs)
    defined = (with_first > 0) & (with_second > 0) & (both > 0)
    ratio = np.divide(with_first * with_second, both, out=np.full(both.shape, np.nan), where=defined)
    return np.minimum(ratio, 1.0).mean(axis=1)


def _surest(one: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """Rows of which the consensus is surest, and whether each has another label, 1 or 0.

    The consensus is the mean of the teachers' log probabilities, each on the scale of `evaluation.stacking`.
    """
    size = next(iter(one.logits.values())).shape[1]
    total, count = np.zeros((len(one.labels), size)), np.zeros(len(one.labels))
    for name in one.logits:
        rows = one.known(name)
        if rows.any():
            total[rows] += one.stacked([name], rows)
            count[rows] += 1
    seen = np.flatnonzero(count)
    log_p = log_softmax(total[seen] / count[seen, None], axis=1)
    kept = np.argsort(-log_p.max(axis=1), kind="stable")[: max(1, round(SUREST * len(seen)))]
    wrong = log_p[kept].argmax(axis=1) != one.labels[seen[kept]]
    return seen[kept], wrong.astype(np.float64)


def _on_a_scale(one: HeldOut, name: str, rows: np.ndarray) -> np.ndarray:
    """(n, 1) expected class, as a number, or (n, C) predicted targets."""
    scores = one.scores(name, rows)
    return scores if not one.of_classes else scores @ np.arange(scores.shape[1])[:, None]
