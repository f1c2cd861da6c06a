"""What a study says of labels that are hidden or not there, against those of the corpus: facts -> findings."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.training.facts import Facts, Finding
from mtpkd_cli.training.missing_labels import Count

_SHARE_STEPS = 1000


def with_label_share(facts: Facts, share: float) -> Facts:
    """The same corpus with another share of labels that are seen."""
    data = facts.study.data.model_copy(update={"label_share": share})
    return replace(facts, study=facts.study.model_copy(update={"data": data}))


def least_label_share(facts: Facts, is_whole: Callable[[Facts], bool]) -> float | None:
    """The least larger share of labels, in steps of 0.001, with which all is there; None where all labels are too few.

    Shares are nested: what a share has, a larger one has too.

    Args:
        is_whole: Whether every fold has all that is learned in it.
    """
    low, high = round(_SHARE_STEPS * facts.study.data.label_share), _SHARE_STEPS
    if not is_whole(with_label_share(facts, 1.0)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = is_whole(with_label_share(facts, middle / _SHARE_STEPS))
        low, high = (low, middle) if enough else (middle, high)
    return high / _SHARE_STEPS


def labels_that_teach(facts: Facts) -> Iterator[Finding]:
    """Notes of keys that change nothing, and of recordings that teach nothing."""
    data = facts.study.data
    none = np.zeros(len(facts.samples), bool)
    hidden, without, labelled = none, none, none
    for side in facts.sides:
        hidden, without, labelled = hidden | side.hidden, without | side.unlabelled, labelled | side.seen
    if data.unlabelled == "teach" and is_labelled(facts.samples).all():
        yield Finding('data.unlabelled = "teach", but every sample has a label: there are none to teach with')
    if data.labels.hides and not hidden.any():
        yield Finding(f"data.label_share = {data.label_share:g} hides no label: so few people or samples are there")
    upper = [one.name for one in facts.methods if METHODS.constant(one.name, "LABELS") == "all"]
    if upper and not hidden.any():
        yield Finding(f"{', '.join(upper)}: no label is hidden, so it is one more student of labels alone")
    ends = "no student learns from them, or is scored by them", "no privileged teacher sees them"
    yield from _lacking(facts, labelled, "have a label", ends)
    ends = "the student learns nothing from them", "no privileged teacher can say anything of them"
    yield from _lacking(facts, without & ~labelled, "would teach without a label", ends)


def _lacking(facts: Facts, rows: np.ndarray, what: str, ends: tuple[str, str]) -> Iterator[Finding]:
    """Recordings that lack the student's modality, or else all that privileged teachers see."""
    study = facts.study
    seen = [np.any([facts.present[name] for name in names], axis=0) for names in (study.prevalent, study.privileged)]
    without = rows & ~seen[0], rows & seen[0] & ~seen[1]
    for lacking, names, end in zip(without, (study.prevalent, study.privileged), ends, strict=True):
        if names and lacking.any():
            yield Finding(f"{Count.of(facts.samples, lacking)} {what} and lack {' or '.join(names)}: {end}")
