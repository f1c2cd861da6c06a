"""Labels: the reader takes them, classes are all there, targets vary and are finite; how many samples have none."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.datasets import MEDIA_PREFIX, TARGET_PREFIX, is_labelled
from mtpkd_cli.training.missing_labels import LabelCounts


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
    counts = LabelCounts.of(samples)
    facts: dict[str, Any] = counts.plain()
    whole, samples = samples, samples[is_labelled(samples)]
    if classes:
        sizes = samples["label"].value_counts().reindex(range(len(classes)), fill_value=0)
        facts["classes"] = {name: int(sizes[i]) for i, name in enumerate(classes)}
        summary = ", ".join(f"{name} {int(sizes[i])}" for i, name in enumerate(classes))
        if sizes.min() and sizes.max() > 10 * sizes.min():
            notes.append(f"the largest class has {sizes.max() / sizes.min():.0f} times the samples of the smallest")
    else:
        targets = [column for column in samples if column.startswith(TARGET_PREFIX)]
        ranges = {name.removeprefix(TARGET_PREFIX): samples[name].astype(float) for name in targets}
        facts["targets"] = {name: [float(values.min()), float(values.max())] for name, values in ranges.items()}
        summary = ", ".join(f"{name} {values.min():.3g} to {values.max():.3g}" for name, values in ranges.items())
        for name, values in ranges.items():
            missing, constant = int((~np.isfinite(values)).sum()), values.nunique() < 2
            if missing:
                # Targets of one sample are rated one by one: the others are learned, where they vary.
                refused = constant or np.isinf(values).any()
                (problems if refused else notes).append(f"target '{name}': {missing} samples have no finite value")
            elif constant:
                problems.append(f"target '{name}' is {values.iloc[0]:g} in every sample: there is nothing to predict")
    if counts.unlabelled_samples:
        summary += f"; {counts}"
    if frames is not None:
        valid = int(frames["valid"].sum())
        summary += f"; {valid} of {len(frames)} frames count"
        facts |= {"frames": len(frames), "valid_frames": valid}
    # No problem in itself: two people may be labelled in one video.
    notes += _contradictions(samples, ready)
    notes += _hidden_twins(whole, ready)
    return CheckResult("labels", summary, problems, notes, facts)


def _contradictions(samples: pd.DataFrame, ready: set[str]) -> list[str]:
    """Samples of one and the same part of one and the same media that are labelled differently."""
    labels = [column for column in samples if column == "label" or column.startswith(TARGET_PREFIX)]
    return [
        f"{', '.join(group['sample_id'].tolist()[:4])}: the same part of the same media, labelled differently"
        for group in _same_parts(samples, ready)
        if len(group[labels].drop_duplicates()) > 1
    ]


def _hidden_twins(samples: pd.DataFrame, ready: set[str]) -> list[str]:
    """Samples without a label of the same part of the same media as samples that have one."""
    return [
        f"{', '.join(group['sample_id'].tolist()[:4])}: the same part of the same media, with a label and without"
        for group in _same_parts(samples, ready)
        if len(set(is_labelled(group))) > 1
    ]


def _same_parts(samples: pd.DataFrame, ready: set[str]) -> Iterator[pd.DataFrame]:
    """Groups of samples of one and the same part of one and the same media."""
    media = [c for c in samples if c.startswith(MEDIA_PREFIX) and c.removeprefix(MEDIA_PREFIX) not in ready]
    if not media:
        return
    there = samples[(samples[media] != "").any(axis=1)]
    there = there.assign(**there[["start_s", "end_s"]].fillna(-1.0))
    part = [*media, "start_s", "end_s"]
    for _, group in there[there.duplicated(part, keep=False)].groupby(part):
        yield group
