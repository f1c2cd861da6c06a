"""How much of a frame of sound repeats after one period: what tells a voice from noise, whatever the rate.

Source: Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", IFA Proceedings 17, 1993.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# Frames that are correlated at once: the correlations of an hour of speech would fill the memory.
_CHUNK = 2048
# What half a period may be more like than a whole one: a voice in which YIN takes two periods for one.
_ROUNDING = 0.02


def periodicity(samples: np.ndarray, lags: np.ndarray, length: int, hop: int) -> np.ndarray:
    """The share of every frame's power that repeats after a lag.

    The autocorrelation of a windowed frame over that of its window, at the top of the parabola near the lag.

    Args:
        samples: (N,) values, at least a frame.
        lags: (F,) period of every frame in values, >= 1; NaN = not asked for.
        length: Values in a frame, at least twice the longest lag.
        hop: Values from one frame to the next; frame i is centred at i * hop.

    Returns:
        (F,) at most about 1: 1 for a periodic frame, r / (1 + r) for one of a power ratio r of voice to white noise;
        0 where half the lag is repeated better, NaN where there is no lag.
    """
    frames = sliding_window_view(samples, length)
    # A frame at the edge of the clip is moved inside: silence repeats nothing.
    starts = np.clip(np.arange(len(lags)) * hop - length // 2, 0, len(samples) - length)
    window = np.hanning(length).astype(np.float32)
    window_correlation = _autocorrelation(window[None])[0]
    known, shares = np.flatnonzero(np.isfinite(lags)), np.full(len(lags), np.nan)
    for chunk in (known[i : i + _CHUNK] for i in range(0, len(known), _CHUNK)):
        middles = np.rint(lags[chunk]).astype(int)
        asked = np.stack([middles - 1, middles, middles + 1, middles // 2], axis=1)
        cut = frames[starts[chunk]]
        cut = cut - cut.mean(axis=1, keepdims=True)
        correlation = np.take_along_axis(_autocorrelation(cut * window), asked, axis=1)
        left, middle, right, half = (correlation / window_correlation[asked]).T
        # A period is no whole number of values.
        bend = np.minimum(left - 2.0 * middle + right, -1e-6)
        top = middle - np.clip((right - left) / bend / 2.0, -1.0, 1.0) ** 2 * bend / 2.0
        # A rumble is like itself a moment later, and the more so the sooner.
        shares[chunk] = np.where(half <= top + _ROUNDING, top, 0.0)
    return shares


def _autocorrelation(rows: np.ndarray) -> np.ndarray:
    """(F, L) autocorrelation of rows (F, L), 1 at lag 0; 0 throughout where a row is 0."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = rows.shape[1]
    padded = next_fast_len(2 * length, real=True)
    correlation = irfft(np.abs(rfft(rows, padded)) ** 2, padded)[:, :length]
    return correlation / np.maximum(correlation[:, :1], np.finfo(np.float32).tiny)
