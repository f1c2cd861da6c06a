"""What an evaluation found, as plain data for a file: NaN becomes null, numbers stay as they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtpkd_cli.metrics._calibration import reliability
from mtpkd_cli.metrics._confusion import confusion
from mtpkd_cli.metrics._uncertainty import Estimate, Part
from mtpkd_cli.metrics._versus import Transfer, Versus


def plain_estimate(estimate: Estimate) -> dict[str, float | None]:
    """A value and its interval."""
    return {"value": _or_null(estimate.value), "low": _or_null(estimate.low), "high": _or_null(estimate.high)}


def plain_versus(found: Versus) -> dict[str, Any]:
    """A difference, its interval, p and corrected p; `from` names the other method."""
    tested = {"p": _or_null(found.p), "p_holm": _or_null(found.p_holm)}
    return {"from": found.other} | plain_estimate(found.estimate) | tested


def plain_transfer(found: Transfer) -> dict[str, Any]:
    """Shares of the subjects who gain and lose."""
    shares = {"gain": found.gain, "lose": found.lose, "worst": found.worst}
    return {"subjects": found.subjects} | {name: _or_null(value) for name, value in shares.items()}


def class_figures(parts: Sequence[Part], classes: Sequence[str]) -> dict[str, Any]:
    """Confusion, figures of each class and reliability of all parts pooled: a sample counts once per seed.

    Args:
        parts: Test predictions of every fold and seed; at least one.
        classes: Names of the C classes.
    """
    labels, scores = (np.concatenate(column) for column in zip(*((p.labels, p.scores) for p in parts), strict=True))
    counts = confusion(labels, scores)
    hits, support, said = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    found = reliability(labels, scores, None)
    return {
        "confusion": counts.tolist(),
        "classes": [
            {
                "name": name,
                "support": int(support[c]),
                "recall": _share(hits[c], support[c]),
                "precision": _share(hits[c], said[c]),
                "f1": _share(2 * hits[c], support[c] + said[c]),
            }
            for c, name in enumerate(classes)
        ],
        "reliability": {
            "ece": _or_null(found.error[0]),
            "bins": [
                {"samples": int(count), "confidence": float(sure), "accuracy": float(right)}
                for count, sure, right in zip(found.weight[0], found.confidence[0], found.accuracy[0], strict=True)
                if count
            ],
        },
    }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
