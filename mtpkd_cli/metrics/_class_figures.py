"""What predictions of classes look like, as plain data: confusion, figures of each class, reliability."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtpkd_cli.metrics._calibration import reliability
from mtpkd_cli.metrics._confusion import confusion
from mtpkd_cli.metrics._uncertainty import Part


def class_figures(parts: Sequence[Part], classes: Sequence[str]) -> dict[str, Any]:
    """Confusion, figures of each class and reliability of all parts pooled: a sample counts once per seed.

    Args:
        parts: Test predictions of every fold and seed; at least one.
        classes: Names of the C classes.
    """
    labels, scores = (np.concatenate(column) for column in zip(*((p.labels, p.scores) for p in parts), strict=True))
    counts = confusion(labels, scores)
    hits, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    calibration = reliability(labels, scores, None)
    bins = (calibration.weight[0], calibration.confidence[0], calibration.accuracy[0])
    return {
        "confusion": counts.tolist(),
        "classes": [
            {
                "name": name,
                "support": int(support[c]),
                "recall": _share(hits[c], support[c]),
                "precision": _share(hits[c], predicted[c]),
                "f1": _share(2 * hits[c], support[c] + predicted[c]),
            }
            for c, name in enumerate(classes)
        ],
        "reliability": {
            "ece": _or_null(calibration.error[0]),
            "bins": [
                {"samples": int(count), "confidence": float(sure), "accuracy": float(right)}
                for count, sure, right in zip(*bins, strict=True)
                if count
            ],
        },
    }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
