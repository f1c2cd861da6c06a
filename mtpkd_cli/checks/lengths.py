"""Lengths: what a sample's media hold of it lasts about as long in each of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.checks.media import Modality
from mtpkd_cli.media.probe import Probe

# A unit of time or a rate is wrong by more than this; recorders that stop early stay below.
WRONG_SCALE = 10.0
# Recorders start and stop by hand.
APART_S, APART_SHARE = 1.0, 0.2


def look_at_lengths(modalities: Sequence[tuple[Modality, dict[str, Probe]]]) -> CheckResult | None:
    """Compares the lengths of each sample's media; None where no sample has two.

    Args:
        modalities: Each with its media's rates and lengths, by path.
    """
    lengths = pd.DataFrame({m.name: _lengths(m, probes) for m, probes in modalities})
    lengths = lengths[lengths.notna().sum(axis=1) > 1]
    if lengths.empty:
        return None
    shortest, longest = lengths.min(axis=1), lengths.max(axis=1)
    ratio = longest / shortest.clip(lower=1e-9)
    # Of a part, little may be left where one recorder stopped early.
    whole = pd.concat([m.table.set_index("sample_id")["end_s"].isna() for m, _ in modalities], axis=1).all(axis=1)
    wrong = (ratio > WRONG_SCALE) & whole.reindex(lengths.index)
    apart = ~wrong & (longest - shortest > np.maximum(APART_S, APART_SHARE * longest))
    problems = [f"{_told(lengths.loc[wrong])}: is a unit of time or a rate wrong?"] if wrong.any() else []
    notes = [_told(lengths.loc[apart])] if apart.any() else []
    facts = {"samples": len(lengths), "wrong": int(wrong.sum()), "apart": int(apart.sum())}
    return CheckResult("lengths", f"{len(lengths)} samples of two media or more", problems, notes, facts)


def _lengths(modality: Modality, probes: dict[str, Probe]) -> pd.Series:
    """Seconds of each sample that its medium holds, NaN where it does not say."""
    table = modality.table.set_index("sample_id")
    whole = table["media"].map({path: medium.length_s or np.nan for path, medium in probes.items()}).astype(float)
    held = np.fmin(table["end_s"], whole) - table["start_s"].fillna(0.0)
    # What begins after its medium's end is told with the media.
    return held.where(whole.notna() & (held > 0))


def _told(lengths: pd.DataFrame) -> str:
    worst = (lengths.max(axis=1) / lengths.min(axis=1)).idxmax()
    each = ", ".join(f"{name} {seconds:.4g} s" for name, seconds in lengths.loc[worst].dropna().items())
    return f"{len(lengths)} samples are of unlike length, e.g. {worst}: {each}"
