"""How much of a segment has sound in it: what is no silence, no pause without end, not clipped and not cancelled.

Silence is what a muted or missing microphone gives: nothing, an offset, or a converter's last digit. A 16-bit digit of
noise lies at -90 dB of full scale or below, a quiet room through a microphone above -75 dB. Programs for calls write
zeros between words, so that silence counts from a second on, or where there is nothing else.
"""

import numpy as np

from mtpkd_cli.artifacts.quality import MEASURED, Quality, quality_of, worst
from mtpkd_cli.encoders import Segment
from mtpkd_cli.encoders._signal_quality import covered
from mtpkd_cli.media.audio import Audio

_FLOOR_DB, _FRAME_S, _PAUSE_S, _FEW = -80.0, 0.02, 1.0, 4096
# Less than a tenth of the energy is left: what is heard is what the channels do not share.
_CANCELLED = 0.9
_RAIL, _CLIPPED, _LEAST = 0.98, 0.3, 0.001
# Seconds that are looked at for hum, the share of their power from which on it is nothing else, and how many lines of
# the mains hold it: a cable picks up the lowest.
_LOOKS, _HUM, _LOWEST_LINES = 5, 0.98, 8


def sound_quality(audio: Audio, segment: Segment, least: int) -> Quality:
    """How much of a segment's sound was heard.

    Args:
        audio: The sound.
        segment: Where it is of.
        least: Values below which an encoder has not one whole frame.
    """
    samples, n = audio.samples, len(audio.samples)
    silent = silent_share(samples, audio.rate_hz)
    opposite = "its channels cancel each other in their mean, see the encoder's option channel"
    cancelled = audio.cancelled if audio.cancelled > _CANCELLED else 0.0
    return worst(
        # Half a frame is worth nothing: there is no pitch, and hardly a spectrum, in it.
        quality_of(n / least if 2 * n >= least else 0.0, "it is shorter than one frame"),
        quality_of(0.0 if silent == 1.0 and cancelled else 1.0 - cancelled, opposite),
        quality_of(1.0 - silent, "there is no sound"),
        quality_of(1.0 - hum_share(samples, audio.rate_hz), "there is nothing but the hum of the mains"),
        covered(segment, n / audio.rate_hz),
        _clipped(samples),
    )


def silent_share(samples: np.ndarray, rate_hz: int) -> float:
    """Share of the time in pauses of a second or more, 1 where there is nothing else; (N,) samples, N >= 1."""
    frame = max(1, min(len(samples), round(_FRAME_S * rate_hz)))
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    # Deviations, not levels: an offset is no sound. A few at a time: a copy of an hour would be as large as the hour.
    parts = (frames[at : at + _FEW].std(axis=1) for at in range(0, len(frames), _FEW))
    silent = np.concatenate(list(parts)) < 10 ** (_FLOOR_DB / 20)
    if silent.all():
        return 1.0
    ends = np.concatenate([np.flatnonzero(np.diff(silent)), [len(silent) - 1]])
    lengths = np.diff(ends, prepend=-1)
    return float(lengths[silent[ends] & (lengths >= _PAUSE_S / _FRAME_S)].sum() / len(silent))


def hum_share(samples: np.ndarray, rate_hz: int) -> float:
    """Share of the power at the mains' 50 or 60 Hz and their multiples, where that is nearly all of it; else 0.

    A cable without a microphone gives that. Looked at in a few seconds, the one with least hum counts; a voice has a
    tenth of the power elsewhere at the least, and its fundamental does not stay at one of these lines.
    """
    seconds = len(samples) // rate_hz
    if not seconds:
        return 0.0
    chosen = np.unique(np.linspace(0, seconds - 1, min(seconds, _LOOKS)).astype(int))
    pieces = samples[: seconds * rate_hz].reshape(seconds, rate_hz)[chosen]
    power = np.abs(np.fft.rfft(pieces * np.hanning(rate_hz))) ** 2  # one bin per Hz
    power[:, :3] = 0.0  # an offset
    shares = []
    for mains_hz in (50, 60):
        bins = np.arange(mains_hz, power.shape[1] - 2, mains_hz)
        lines = sum(power[:, bins + off].sum(axis=1) for off in (-2, -1, 0, 1, 2))
        low = power[:, : _LOWEST_LINES * mains_hz].sum(axis=1)
        total = np.maximum(power.sum(axis=1), np.finfo(float).tiny)
        shares.append(float((np.minimum(lines, low) / total).min()))
    return max(shares) if max(shares) >= _HUM else 0.0


def _clipped(samples: np.ndarray) -> Quality:
    """How much is off the peak, where more is on it than the eighth of a sine."""
    peak = float(max(samples.max(), -samples.min()))
    share = float((samples >= _RAIL * peak).mean() + (samples <= -_RAIL * peak).mean())
    # What is clipped throughout is heard all the same, as square waves of music are: it is flagged, not refused.
    clipped = peak and share >= _CLIPPED
    return quality_of(max(_LEAST, 1.0 - share), "the sound is clipped") if clipped else MEASURED
