"""Skin conductance: level, slow and fast part, responses (SCR) and change since the clip's first second.

Reads one column of a table, in microsiemens, at any rate from about 2 Hz. The signal is cleaned and split into a
tonic (slow) and a phasic (fast) part by NeuroKit2; a response is a peak of the phasic part that rises by at least
`scr_min_us` and a tenth of the clip's largest rise, which is NeuroKit2's rule with a floor against noise.

References:
    Makowski et al., "NeuroKit2", Behavior Research Methods 53, 2021. Boucsein et al., "Publication recommendations
    for electrodermal measurements", Psychophysiology 49, 2012 (floors from 0.01 to 0.05 microsiemens are in use).
    Kleckner et al., "Simple, transparent, and flexible automated quality assessment procedures for ambulatory
    electrodermal activity data", IEEE Transactions on Biomedical Engineering 65, 2018 (0.05 microsiemens and less are
    no skin).
"""

import warnings
from typing import Literal

import numpy as np
from pydantic import Field

from mtpkd_cli.artifacts.quality import Quality, quality_of, worst
from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._signal_options import RateBounds, SignalOptions, baseline_length, load_signal, rates_between
from mtpkd_cli.encoders._signal_quality import CONDUCTANCE, signal_quality
from mtpkd_cli.encoders._windows import Steps, split_steps, stepwise

VERSION = 2

# Below this NeuroKit2's filters are shorter than the padding that they need.
_MIN_VALUES = 32
_SCR_SHARE = 0.1
# Electrodes that hang in the air show a converter's noise; below this nothing touches skin (Kleckner et al.).
_LEAST_US = 0.05
_LITTLE = 0.1


class Config(SignalOptions):
    """Options of the skin conductance encoder."""

    column: str = Field("gsr", min_length=1, description="Name of the signal's column.")
    rates_hz: RateBounds = rates_between(0.5, 3_000.0)
    decomposition: Literal["highpass", "smoothmedian"] = Field(
        "highpass", description="How the phasic part is separated: above 0.05 Hz, or what a running median leaves."
    )
    scr_min_us: float = Field(0.03, gt=0, description="Least rise of a response in the signal's unit.")
    positive: bool = Field(
        True, description="Conductance of 0 or below was not measured; false = the signal was standardised or filtered."
    )


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of skin conductance.

    Returns:
        Features with T = duration / step_s; notes count interpolated rows, and clips that are flat (no variation: all
        features but the level are 0) or short (no filter: the tonic part is the median).

    Raises:
        DataError: See `mtpkd_cli.media.signals.read_signal`.
    """
    signal = load_signal(segment, config)
    values, rate_hz = signal.values, signal.rate_hz
    steps = split_steps(len(values), rate_hz, config.step_s)
    flat = float(np.ptp(values) == 0)
    short = float(len(values) < _MIN_VALUES)
    if flat or short:
        cleaned, tonic = values, np.full(len(values), np.median(values))
        phasic = values - tonic
    else:
        cleaned, tonic, phasic = _decompose(values, rate_hz, config.decomposition)
    columns = _describe(cleaned, tonic, phasic, rate_hz, steps, config.scr_min_us)
    notes = {**signal.notes, "flat": flat, "short": short}
    quality = worst(
        signal_quality(signal, segment, CONDUCTANCE, config.step_s), *(_of_skin(values) if config.positive else ())
    )
    return stepwise(columns, steps, notes, quality)


def _of_skin(values: np.ndarray) -> tuple[Quality, Quality]:
    """What is no conductance at all is refused; what is hardly any is flagged, since units may differ."""
    on_skin = max(_LITTLE, float((values >= _LEAST_US).mean()))
    return (
        quality_of(float((values > 0).mean()), "skin conductance is 0 or below"),
        quality_of(on_skin, f"skin conductance is below {_LEAST_US:g} microsiemens: off the skin, or another unit"),
    )


def _decompose(values: np.ndarray, rate_hz: float, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cleaned signal, tonic and phasic part, each (N,)."""
    import neurokit2 as nk

    with warnings.catch_warnings():
        # At 6 Hz and below NeuroKit2 says that it leaves the low-pass out, which is right: there is nothing to remove.
        warnings.simplefilter("ignore")
        cleaned = np.asarray(nk.eda_clean(values, sampling_rate=rate_hz))
        parts = nk.eda_phasic(cleaned, sampling_rate=rate_hz, method=method)
    return cleaned, parts["EDA_Tonic"].to_numpy(), parts["EDA_Phasic"].to_numpy()


def _describe(
    cleaned: np.ndarray, tonic: np.ndarray, phasic: np.ndarray, rate_hz: float, steps: Steps, scr_min_us: float
) -> dict[str, np.ndarray]:
    """Columns (T,) by name."""
    baseline = cleaned[: baseline_length(len(cleaned), rate_hz)].mean()
    # Rates in units per second; one value has none.
    slope = np.gradient(cleaned) * rate_hz if len(cleaned) > 1 else np.zeros(1)
    onsets, peaks, rises = _responses(phasic, scr_min_us)
    level = steps.each(cleaned, np.mean)
    return {
        "level": level,
        "level_change": level - baseline,
        "tonic": steps.each(tonic, np.mean),
        "phasic_mean": steps.each(phasic, np.mean),
        "phasic_max": steps.each(phasic, np.max),
        "phasic_std": steps.each(phasic, np.std),
        "slope_mean": steps.each(slope, np.mean),
        "slope_max": steps.each(slope, np.max),
        "slope_std": steps.each(slope, np.std),
        "scr_onsets": steps.count(onsets),
        "scr_peaks": steps.count(peaks),
        "scr_rise": steps.total(peaks, rises),
    }


def _responses(phasic: np.ndarray, scr_min_us: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onsets and peaks (P,) as positions, and rises (P,) from onset to peak, all > 0."""
    from scipy.signal import find_peaks

    peaks, properties = find_peaks(phasic, prominence=scr_min_us)
    if not peaks.size:
        return peaks, peaks, np.zeros(0)
    peaks = peaks[properties["prominences"] >= _SCR_SHARE * properties["prominences"].max()]
    starts = np.concatenate([[0], peaks[:-1]])
    onsets = np.array([start + np.argmin(phasic[start:peak]) for start, peak in zip(starts, peaks, strict=True)])
    return onsets, peaks, phasic[peaks] - phasic[onsets]
