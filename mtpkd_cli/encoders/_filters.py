"""Filters without delay: Butterworth, forwards and backwards, between two frequencies."""

import numpy as np

from mtpkd_cli.errors import DataError

_ORDER = 4
_NYQUIST_SHARE = 0.95


def filter_between(
    values: np.ndarray, rate_hz: float, low_hz: float | None, high_hz: float | None, *, padding_s: float, where: str
) -> np.ndarray:
    """The part of a signal (N,) between two frequencies, of which one or both may be open.

    Args:
        values: (N,) finite.
        rate_hz: Rate of the values.
        low_hz: Lower end; None = down to the constant part, which is kept then.
        high_hz: Upper end, moved below half the rate where it is not; None = open.
        padding_s: How far the signal is continued at both ends, at most by its length.
        where: File and column, for messages.

    Raises:
        DataError: The rate is too low for the band.
    """
    from scipy.signal import butter, sosfiltfilt

    top_hz = _NYQUIST_SHARE * rate_hz / 2
    if low_hz is not None and low_hz >= min(high_hz or top_hz, top_hz):
        raise DataError(
            f"at {rate_hz:g} Hz a signal holds nothing above low_hz = {low_hz:g}",
            where=where,
            expected=f"a rate above {2 * low_hz / _NYQUIST_SHARE:.0f} Hz",
            todo="lower low_hz in the encoder's options, or leave this modality out",
        )
    if high_hz is not None:
        high_hz = min(high_hz, top_hz)
    band: float | tuple[float, float]
    if low_hz is not None and high_hz is not None:
        kind, band = "bandpass", (low_hz, high_hz)
    elif low_hz is not None:
        kind, band = "highpass", low_hz
    elif high_hz is not None:
        kind, band = "lowpass", high_hz
    else:
        return values
    sections = butter(_ORDER, band, btype=kind, fs=rate_hz, output="sos")
    # The offset goes first, so that the filter's start does not ring with it; clips may be shorter than the padding.
    offset = values.mean()
    filtered = sosfiltfilt(sections, values - offset, padlen=min(len(values) - 1, int(padding_s * rate_hz)))
    return filtered + offset if low_hz is None else filtered
