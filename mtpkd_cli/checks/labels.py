"""Labels: the reader takes them, classes are all there, targets vary and are finite."""

from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.datasets import MEDIA_PREFIX, TARGET_PREFIX


def look_at_labels(
    samples: pd.DataFrame, classes: list[str], frames: pd.DataFrame | None, ready: set[str]
) -> CheckResult:
    """Counts classes, or gives the range of targets.

    Args:
        samples: The samples table, which its reader has checked.
        classes: Names in index order; empty in regression.
        frames: Labels of single frames, where there are any.
        ready: Kinds of media that are tables of ready features, which all samples share by right.
    """
    problems: list[str] = []
    notes: list[str] = []
    facts: dict[str, Any] = {}
    if classes:
        counts = samples["label"].value_counts().reindex(range(len(classes)), fill_value=0)
        facts["classes"] = {name: int(counts[i]) for i, name in enumerate(classes)}
        summary = ", ".join(f"{name} {int(counts[i])}" for i, name in enumerate(classes))
        if counts.min() and counts.max() > 10 * counts.min():
            notes.append(f"the largest class has {counts.max() / counts.min():.0f} times the samples of the smallest")
    else:
        targets = [column for column in samples if column.startswith(TARGET_PREFIX)]
        ranges = {name.removeprefix(TARGET_PREFIX): samples[name].astype(float) for name in targets}
        facts["targets"] = {name: [float(values.min()), float(values.max())] for name, values in ranges.items()}
        summary = ", ".join(f"{name} {values.min():.3g} to {values.max():.3g}" for name, values in ranges.items())
        for name, values in ranges.items():
            if missing := int((~np.isfinite(values)).sum()):
                problems.append(f"target '{name}': {missing} samples have no finite value")
            elif values.nunique() == 1:
                problems.append(f"target '{name}' is {values.iloc[0]:g} in every sample: there is nothing to predict")
    if frames is not None:
        valid = int(frames["valid"].sum())
        summary += f"; {valid} of {len(frames)} frames count"
        facts |= {"frames": len(frames), "valid_frames": valid}
    # No problem in itself: two people may be labelled in one video.
    notes += _contradictions(samples, ready)
    return CheckResult("labels", summary, problems, notes, facts)


def _contradictions(samples: pd.DataFrame, ready: set[str]) -> list[str]:
    """Samples of one and the same part of one and the same media that are labelled differently."""
    media = [c for c in samples if c.startswith(MEDIA_PREFIX) and c.removeprefix(MEDIA_PREFIX) not in ready]
    if not media:
        return []
    labels = [column for column in samples if column == "label" or column.startswith(TARGET_PREFIX)]
    there = samples[(samples[media] != "").any(axis=1)]
    there = there.assign(**there[["start_s", "end_s"]].fillna(-1.0))
    part = [*media, "start_s", "end_s"]
    contradictions = []
    for _, group in there[there.duplicated(part, keep=False)].groupby(part):
        if len(group[labels].drop_duplicates()) > 1:
            names = ", ".join(group["sample_id"].tolist()[:4])
            contradictions.append(f"{names}: the same part of the same media, labelled differently")
    return contradictions
