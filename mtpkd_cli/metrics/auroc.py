"""Area under the ROC curve, macro one-vs-rest beyond two classes; in [0, 1], chance is 0.5.

The area is the probability that a random sample of the class outscores a random sample of the rest, ties counted half
(Hanley and McNeil 1982, Radiology 143:29-36).
"""

import numpy as np

from mtpkd_cli.metrics._inputs import SubjectWeights, Weights, class_inputs, ratio, weight_rows

TASK = "classification"
GREATER_IS_BETTER = True
LABEL = "AUROC"
UNIT = ""
ORDER_ONLY = True

# Counts of won pairs, samples x subjects, held at once: 160 MB.
MOST_COUNTS = 20_000_000


def metric(labels: np.ndarray, scores: np.ndarray, weights: Weights | None = None) -> np.ndarray:
    """Returns (R,) AUROC; NaN where fewer than two classes have positive weight in that row.

    Two score columns: column 1 ranks class 1 against class 0. More: the mean over the classes present of the class
    against the rest by its own column.
    """
    labels, scores = class_inputs(labels, scores)
    rows = weight_rows(weights, len(labels))
    if scores.shape[1] == 2:
        return _binary(labels == 1, scores[:, 1], rows)
    areas = np.stack([_binary(labels == c, scores[:, c], rows) for c in range(scores.shape[1])], axis=1)
    return ratio(np.nan_to_num(areas).sum(axis=1), (~np.isnan(areas)).sum(axis=1))


def _binary(positive: np.ndarray, score: np.ndarray, rows: Weights) -> np.ndarray:
    order = np.argsort(score, kind="stable")
    above, below = order[positive[order]], order[~positive[order]]
    won = np.searchsorted(score[below], score[above], side="left")
    not_lost = np.searchsorted(score[below], score[above], side="right")
    if isinstance(rows, SubjectWeights):
        if len(below) * rows.draws.shape[1] <= MOST_COUNTS:
            return _of_subjects(above, below, won, not_lost, rows)
        rows = rows.written_out()
    negatives = np.zeros((len(rows), len(below) + 1))
    np.cumsum(np.take(rows, below, axis=1), axis=1, out=negatives[:, 1:])
    positives = np.take(rows, above, axis=1)
    credit = np.einsum("rn,rn->r", positives, np.take(negatives, won, axis=1))
    if (won != not_lost).any():
        credit += np.einsum("rn,rn->r", positives, np.take(negatives, not_lost, axis=1))
        credit /= 2
    return ratio(credit, positives.sum(axis=1) * negatives[:, -1])


def _of_subjects(
    above: np.ndarray, below: np.ndarray, won: np.ndarray, not_lost: np.ndarray, rows: SubjectWeights
) -> np.ndarray:
    """Won pairs are counted once per pair of subjects, so that a weighting costs S^2 and not N operations."""
    beaten = np.zeros((len(below) + 1, rows.draws.shape[1]))
    beaten[np.arange(1, len(below) + 1), rows.subject_of[below]] = 1
    np.cumsum(beaten, axis=0, out=beaten)
    pairs = rows.within((beaten[won] + beaten[not_lost]) / 2, above)
    credit = np.einsum("rs,rs->r", rows.draws @ pairs, rows.draws)
    positives = rows.draws @ rows.within(np.ones(len(above)), above)
    return ratio(credit, positives * (rows.draws @ beaten[-1]))
