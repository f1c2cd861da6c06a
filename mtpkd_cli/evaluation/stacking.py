"""How likely labels are by what teachers predict: small models of their predictions, each judged by other people's.

A teacher's own probabilities say little of what it knows where it is over-confident; a model with one weight per
teacher puts all of them on one scale. Such models are nested: what [prevalent, teacher] gives beyond [prevalent] is
what the teacher knows and the prevalent one does not.

Recordings of one person are alike, so that a person counts as ten of them at most (the limit of the design effect
1 + (m - 1) r of m recordings whose intra-class correlation is r = 0.1): weights of few people stay near zero.

Legend: N recordings, C classes or targets, K teachers.

Sources: Wolpert, "Stacked generalization", Neural Networks 5:241-259, 1992; Kish, "Survey Sampling", 1965 (design
effect).
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

MOST_OF_A_PERSON = 10
LEAST_VARIANCE = 1e-6
"""Of residuals, in squared deviations of the target: what is predicted without error would be infinitely likely."""


def stacked_log_probabilities(
    labels: np.ndarray, predictions: Sequence[np.ndarray], people: np.ndarray, parts: Sequence[Sequence[str]], size: int
) -> np.ndarray:
    """Log probabilities (N, C) of the classes, each row by a model that was fitted to the people of other parts.

    log p(c) = sum_k w_k z_kc + b_c up to a constant, z_k being teacher k's log probabilities in units of their spread.
    Weights and offsets have a standard normal prior.

    Args:
        labels: (N,) int.
        predictions: K arrays (N, C) of logits; none of them = the frequencies of the classes.
        people: (N,) whose each recording is.
        parts: A partition of the people.
        size: C.
    """
    inputs = np.array([log_softmax(one, axis=1) for one in predictions]).reshape(-1, len(labels), size)
    inputs -= inputs.mean(axis=2, keepdims=True)
    spread = np.sqrt(np.square(inputs).mean(axis=(1, 2), keepdims=True))
    inputs /= np.where(spread > 0, spread, 1.0)
    counts, result = _counts(people), np.full((len(labels), size), np.nan)
    for part in parts:
        held = np.isin(people, list(part))
        weights, offsets = _fit(inputs[:, ~held], labels[~held], counts[~held], size)
        result[held] = log_softmax(np.tensordot(weights, inputs[:, held], axes=1) + offsets, axis=1)
    return result


def stacked_log_densities(
    labels: np.ndarray, predictions: Sequence[np.ndarray], people: np.ndarray, parts: Sequence[Sequence[str]]
) -> np.ndarray:
    """Log densities (N, C) of the targets, each row by a ridge regression fitted to the people of other parts.

    A target is normal about the regression on what teachers predict of it, with the variance of the residuals;
    densities are of targets in units of their own deviation.

    Args:
        labels: (N, C) float.
        predictions: K arrays (N, C); none of them = the mean.
        people: (N,).
        parts: A partition of the people.
    """
    from sklearn.linear_model import Ridge

    counts, result = _counts(people), np.full(labels.shape, np.nan)
    for column, target in enumerate(_standardised(labels).T):
        seen = [one[:, column] for one in predictions] or [np.zeros(len(labels))]
        inputs = _standardised(np.stack(seen, axis=1))
        for part in parts:
            held = np.isin(people, list(part))
            model = Ridge(1.0).fit(inputs[~held], target[~held], counts[~held])
            residual = target - model.predict(inputs)
            variance = max(LEAST_VARIANCE, np.average(np.square(residual[~held]), weights=counts[~held]))
            density = -0.5 * (np.log(2 * np.pi * variance) + np.square(residual) / variance)
            result[held, column] = density[held]
    return result


def _counts(people: np.ndarray) -> np.ndarray:
    """(N,) as how much of a recording each counts."""
    _, person, recordings = np.unique(people, return_inverse=True, return_counts=True)
    counts: np.ndarray = np.minimum(1.0, MOST_OF_A_PERSON / recordings)[person]
    return counts


def _standardised(columns: np.ndarray) -> np.ndarray:
    spread = columns.std(axis=0)
    standardised: np.ndarray = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return standardised


def _fit(inputs: np.ndarray, labels: np.ndarray, counts: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K,) and offsets (C,) that are most probable by inputs (K, N, C), labels (N,) and counts (N,)."""
    teachers, rows = len(inputs), np.arange(len(labels))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        log_p = log_softmax(np.tensordot(theta[:teachers], inputs, axes=1) + theta[teachers:], axis=1)
        excess = np.exp(log_p)
        excess[rows, labels] -= 1
        excess *= counts[:, None]
        slope = np.concatenate([(inputs * excess).sum(axis=(1, 2)), excess.sum(axis=0)])
        return 0.5 * theta @ theta - counts @ log_p[rows, labels], theta + slope

    best = minimize(loss, np.zeros(teachers + size), jac=True, method="L-BFGS-B").x
    return best[:teachers], best[teachers:]
