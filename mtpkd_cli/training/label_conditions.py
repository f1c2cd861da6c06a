"""What a study says of recordings without a label, against those that there are: facts -> findings."""

from collections.abc import Iterator

import numpy as np

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.training.facts import Facts, Finding
from mtpkd_cli.training.missing_labels import Count


def labels_that_teach(facts: Facts) -> Iterator[Finding]:
    """Notes of keys that change nothing, and of recordings that teach nothing."""
    data = facts.study.data
    hidden, without = np.zeros(len(facts.samples), bool), np.zeros(len(facts.samples), bool)
    for side in facts.sides:
        hidden, without = hidden | side.hidden, without | side.unlabelled
    if data.unlabelled == "teach" and is_labelled(facts.samples).all():
        yield Finding('data.unlabelled = "teach", but every sample has a label: there are none to teach with')
    if data.labels.hides and not hidden.any():
        yield Finding(f"data.label_share = {data.label_share:g} hides no label: so few people or samples are there")
    upper = [one.name for one in facts.methods if METHODS.constant(one.name, "LABELS") == "all"]
    if upper and not hidden.any():
        yield Finding(f"{', '.join(upper)}: no label is hidden, so it is one more student of labels alone")
    unseen = without & ~_any(facts, facts.study.prevalent)
    if unseen.any():
        lacking = (
            f"{Count.of(facts.samples, unseen)} lack {' or '.join(facts.study.prevalent)} and a label that is seen"
        )
        yield Finding(f"{lacking}: the student learns nothing from them")
    untaught = without & ~unseen & ~_any(facts, facts.study.privileged)
    if untaught.any():
        lacking = (
            f"{Count.of(facts.samples, untaught)} lack {' or '.join(facts.study.privileged)} and a label that is seen"
        )
        yield Finding(f"{lacking}: no privileged teacher can say anything of them")


def _any(facts: Facts, modalities: list[str]) -> np.ndarray:
    """(N,) bool: samples that have at least one of the modalities."""
    return np.any([facts.present[name] for name in modalities], axis=0)
