"""NeuroKit2 on short and odd clips: a cleaned signal and the events in it, none where it cannot find any."""

import warnings

import numpy as np

from mtpkd_cli.errors import DataError


def clean_and_find(
    values: np.ndarray,
    rate_hz: float,
    *,
    kind: str,
    events: tuple[str, ...],
    min_s: float,
    min_values: int,
    min_rate_hz: float,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Cleans a signal by `<kind>_clean` and finds its events by `<kind>_peaks`, with NeuroKit2's defaults.

    Args:
        values: (N,) finite.
        rate_hz: Rate of the values.
        kind: NeuroKit2's name for the signal: "ecg", "ppg" or "rsp".
        events: Names of the events as NeuroKit2 returns them.
        min_s: Below this length in seconds there is nothing to find.
        min_values: Below this number of values the filters have no room.
        min_rate_hz: Below this rate the filters do not exist.

    Returns:
        The cleaned signal (N,), and positions (P,) int, increasing, per kind of event. Flat and too short signals are
        centred only and have no events.

    Raises:
        DataError: The rate is too low.
    """
    import neurokit2 as nk

    nothing = tuple(np.zeros(0, int) for _ in events)
    if np.ptp(values) == 0 or len(values) < max(min_values, min_s * rate_hz):
        return values - values.mean(), nothing
    if rate_hz < min_rate_hz:
        raise DataError(
            f"{rate_hz:g} values per second are too few for this signal",
            where=f"encoder of {kind} signals",
            expected=f"at least {min_rate_hz:g} Hz",
            todo="take a recording of a higher rate, or the encoder 'signal', or leave this modality out",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleaned = np.asarray(getattr(nk, f"{kind}_clean")(values, sampling_rate=rate_hz), dtype=float)
        try:
            _, events_of = getattr(nk, f"{kind}_peaks")(cleaned, sampling_rate=rate_hz)
        except (ValueError, IndexError, TypeError):
            # What NeuroKit2 raises where it finds no event at all; the encoders flag such a clip.
            return cleaned, nothing
    positions = (np.asarray(events_of[name], dtype=float) for name in events)
    return cleaned, tuple(p[np.isfinite(p)].astype(int) for p in positions)
