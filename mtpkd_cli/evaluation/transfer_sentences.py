"""A diagnosis of transfer in words: how doubtful labels seem, how the numbers are to be read, and what is not said."""

import numpy as np

from mtpkd_cli.evaluation.label_noise import SUREST
from mtpkd_cli.evaluation.summary import Estimate
from mtpkd_cli.evaluation.transfer import TransferDiagnosis

FEW_PEOPLE = 10
NO_FORECAST = (
    "No gain of a student is forecast: where that was tried, each set of recordings left out in turn, no forecast from "
    "these numbers was better than one gain for all."
)
"""What was tried: lines in one and two of a dozen numbers (skill of the prevalent teacher; gap, nats beyond, share and
agreement of the joint one; labelled people; unlabelled recordings per labelled one; products of these), fitted to gains
in AUROC on other sets: acted voices and faces, wrist sensors, the sample, planted signals. The line that was best on
the other sets erred 8 % more than their mean gain on the set left out, without unlabelled recordings 6 % more. Within a
set gains did follow gap times log(1 + unlabelled / labelled), by a factor that was another one in every set."""


def sentences(diagnosis: TransferDiagnosis) -> list[str]:
    """How doubtful the labels seem, and how the numbers are to be read."""
    first, noise, lines = diagnosis.prevalent, diagnosis.noise, []
    surest = "Labels: where the held-out consensus of all teachers is surest (a quarter of the recordings)"
    if noise.wrong is not None and noise.wrong.value == 0:
        count = max(1, round(SUREST * diagnosis.labelled))
        lines.append(
            f"{surest}, none has another label. Of {count} recordings this still allows {100 * _none_of(count):.0f} % "
            "(upper 95 % bound if they are independent, more if they are not). If wrong labels are as frequent "
            "elsewhere, at most so many are wrong."
        )
    elif wrong := _in_words(noise.wrong, 100, 0):
        lines.append(
            f"{surest}, {wrong} % have another label. If wrong labels are as frequent elsewhere, at most so many are "
            "wrong."
        )
    reliability, ceiling = _in_words(noise.reliability, 1, 2), _in_words(noise.ceiling, 1, 2)
    if reliability and ceiling:
        views = " and ".join(noise.views)
        lines.append(
            f"Labels: reliability by the views of {views} is {reliability}: if these two share nothing but what is to "
            f"be recognised, no prediction correlates with the labels by more than {ceiling}; else labels are better."
        )
    best = max(diagnosis.teachers[1:], key=lambda row: _value(row.beyond), default=None)
    if best is not None and best.beyond is not None:
        known = f"adds {_in_words(best.beyond, 1, 3)} nats per recording to what {first} knows"
        sure = "" if best.beyond.low is not None and best.beyond.low > 0 else ", which may be chance"
        lines.append(f"{best.name} {known}{sure}.")
    few = f", which are few: they are too narrow by {_too_narrow(diagnosis.people)} % or more"
    lines.append(
        "Nats: log-likelihood of the label per recording above what is known without looking, by small models of the "
        f"predictions that other people judge. Intervals: {diagnosis.interval}"
        f"{few if diagnosis.people < FEW_PEOPLE else ''}."
    )
    lines.append(NO_FORECAST)
    return lines


def _too_narrow(people: int) -> int:
    """Per cent by which a percentile bootstrap of so many is too narrow, see `metrics`."""
    return round(100 * (1 - np.sqrt((people - 1) / people)))


def _none_of(count: int) -> float:
    """The share of which none of so many is seen in one case of twenty (Clopper and Pearson 1934).

    A bootstrap of none is none, however few there are.
    """
    return float(1 - 0.05 ** (1 / count))


def _value(estimate: Estimate | None) -> float:
    return -np.inf if estimate is None or estimate.value is None else estimate.value


def _in_words(estimate: Estimate | None, factor: float, digits: int) -> str:
    if estimate is None or estimate.value is None:
        return ""
    text = f"{factor * estimate.value:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{factor * estimate.low:.{digits}f}, {factor * estimate.high:.{digits}f}]"
