"""How much of a window was measured, and the one rule of what follows from it, whatever the modality.

A quality is the share of a window's time in which the thing was measured that its encoder describes: a face detected, a
heart beating, sound above silence, a signal that changes. Whoever encodes a window judges it by this rule:

    refused    the share is 0: nothing was measured, so there is no prediction, and no training on it unless the study
               says extract.unmeasured = "keep"
    doubtful   the share is above 0 and below `DOUBTFUL_BELOW`: it is used, and flagged wherever it is shown
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

VERSION = 2
"""Raised when the same input would be judged otherwise, so that features of older versions are stale."""

DOUBTFUL_BELOW = 0.5
UNMEASURED = "not measured"
"""The kind of failure of a sample that was refused, as failures.parquet holds it."""


class Quality(NamedTuple):
    """How much of a window was measured.

    Args:
        share: Of the window's time, in [0, 1].
        lacks: What was not measured, as a clause: "no face was detected"; "" where nothing is lacking.
    """

    share: float = 1.0
    lacks: str = ""

    @property
    def refused(self) -> bool:
        """Whether nothing was measured."""
        return self.share <= 0

    @property
    def doubtful(self) -> bool:
        """Whether something was, in less than half of the window."""
        return 0 < self.share < DOUBTFUL_BELOW

    @property
    def reason(self) -> str:
        """Why it is refused, in words; "" where it is not."""
        return f"nothing was measured: {self.lacks}" if self.refused else ""

    @property
    def doubt(self) -> str:
        """What is doubtful, in words; "" where nothing is."""
        return f"{self.lacks} (only {self.share:.0%} of the window was measured)" if self.doubtful else ""


MEASURED = Quality()


def quality_of(share: float, lacks: str) -> Quality:
    """A quality of this share, cut to [0, 1]; from a thousandth below 1 on nothing is lacking."""
    rounded = round(min(1.0, max(0.0, float(share))), 3)
    # What is above nothing is not refused for its being rounded to nothing.
    kept = rounded if rounded or share <= 0 else 0.001
    return MEASURED if kept == 1.0 else Quality(kept, lacks)


def worst(*qualities: Quality) -> Quality:
    """The one of the least share, the first of several."""
    return min(qualities, key=lambda quality: quality.share)


def mean_share(qualities: Iterable[Quality]) -> float | None:
    """Mean of the shares; None where there is no quality."""
    shares = [quality.share for quality in qualities]
    return sum(shares) / len(shares) if shares else None


def reasons_in_words(qualities: Iterable[Quality]) -> str:
    """What is lacking and how often, the most frequent first: "no sound (3), the sound is cut off (1)"."""
    counted = Counter(quality.lacks for quality in qualities)
    return ", ".join(f"{lacks} ({count})" for lacks, count in counted.most_common())
