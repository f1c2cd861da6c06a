"""Frames of speech: pitch, loudness, perturbation, harmonicity and spectral balance of each; F frames, N values."""

import numpy as np

from mtpkd_cli.encoders._blocks import in_blocks
from mtpkd_cli.encoders._librosa import load_librosa
from mtpkd_cli.encoders._sound import VoiceOptions, magnitudes, voice_frames

# eGeMAPS counts semitones from A0.
_PITCH_REFERENCE_HZ = 27.5
_LOUDNESS_BANDS, _LOUDNESS_POWER = 26, 0.3
_BALANCE_HZ, _HAMMARBERG_HZ, _TOP_HZ = (50.0, 1000.0), 2000.0, 5000.0
_SLOPES_HZ = {"slope_0_500_db_per_khz": (0.0, 500.0), "slope_500_1500_db_per_khz": (500.0, 1500.0)}
_POWER_FLOOR = 1e-12
# A share of harmonic power this near to all or nothing is beyond what a frame can tell: -30 to 40 dB.
_HARMONIC_SHARE = (1e-3, 1 - 1e-4)


def describe_frames(samples: np.ndarray, config: VoiceOptions) -> dict[str, np.ndarray]:
    """Describes every frame of a voice.

    Args:
        samples: (N,) float32 at `config.sample_rate_hz`, at least as long as a pitch frame.
        config: Options.

    Returns:
        Columns (F,) by name, F = 1 + N // hop, frame i centred at i * hop_s; `voiced` is 0 or 1, what only voiced or
        only unvoiced frames have is NaN in the others.
    """
    voice = voice_frames(samples, config)

    def describe(stretch: np.ndarray, held: slice) -> dict[str, np.ndarray]:
        return _describe(stretch, {name: values[held] for name, values in voice.items()}, config)

    return in_blocks(samples, config.hop, max(config.n_fft, config.pitch_frame), describe)


def _describe(samples: np.ndarray, voice: dict[str, np.ndarray], config: VoiceOptions) -> dict[str, np.ndarray]:
    librosa = load_librosa()

    voiced, pitch_hz = voice["voiced"], voice["pitch_hz"]
    # A sine of full scale has a power of 1.
    power = (magnitudes(samples, config) * 4.0 / config.window) ** 2
    frequencies = librosa.fft_frequencies(sr=config.sample_rate_hz, n_fft=config.n_fft)
    mel = librosa.feature.melspectrogram(S=power, sr=config.sample_rate_hz, n_mels=_LOUDNESS_BANDS)
    log_mel = librosa.power_to_db(mel, ref=1.0, top_db=None)
    balance = _spectral_balance(power, frequencies)
    only_voiced = {
        "pitch_perturbation": _neighbours(1.0 / pitch_hz, relative=True),
        "loudness_perturbation_db": _neighbours(_level_of_periods(samples, pitch_hz, config), relative=False),
        "harmonics_to_noise_db": _harmonics_to_noise(voice["periodicity"]),
        **balance,
    }
    return {
        "voiced": voiced.astype(float),
        "pitch_semitones": 12.0 * np.log2(pitch_hz / _PITCH_REFERENCE_HZ),
        "loudness": _loudness(power, frequencies, config),
        **{name: np.where(voiced, values, np.nan) for name, values in only_voiced.items()},
        **{f"unvoiced_{name}": np.where(voiced, np.nan, values) for name, values in balance.items()},
        "flux_db": np.maximum(np.diff(log_mel, axis=1, prepend=log_mel[:, :1]), 0.0).mean(axis=0),
        # The coefficient 0 is loudness again.
        **{f"mfcc_{i}": c for i, c in enumerate(librosa.feature.mfcc(S=log_mel, n_mfcc=5)) if i},
    }


def _loudness(power: np.ndarray, frequencies: np.ndarray, config: VoiceOptions) -> np.ndarray:
    """(F,) sum over mel bands of the A-weighted power to the 0.3: twice as loud at about ten decibels more."""
    librosa = load_librosa()

    weights = 10.0 ** (librosa.A_weighting(np.maximum(frequencies, 1.0)) / 10.0)
    bands = librosa.feature.melspectrogram(
        S=power * weights[:, None], sr=config.sample_rate_hz, n_mels=_LOUDNESS_BANDS, norm=None
    )
    return (bands**_LOUDNESS_POWER).sum(axis=0)


def _spectral_balance(power: np.ndarray, frequencies: np.ndarray) -> dict[str, np.ndarray]:
    """Columns (F,): alpha ratio, Hammarberg index and slopes of the spectrum in decibels."""
    low, high = _BALANCE_HZ
    power = power + _POWER_FLOOR
    db = 10.0 * np.log10(power)
    lower, upper = (frequencies >= low) & (frequencies < high), (frequencies >= high) & (frequencies <= _TOP_HZ)
    below, above = frequencies < _HAMMARBERG_HZ, (frequencies >= _HAMMARBERG_HZ) & (frequencies <= _TOP_HZ)
    columns = {
        "alpha_ratio_db": 10.0 * np.log10(power[lower].sum(axis=0) / power[upper].sum(axis=0)),
        "hammarberg_db": db[below].max(axis=0) - db[above].max(axis=0),
    }
    for name, (start, end) in _SLOPES_HZ.items():
        inside = (frequencies >= start) & (frequencies <= end)
        khz = frequencies[inside] / 1000.0
        centred = khz - khz.mean()
        columns[name] = centred @ db[inside] / (centred @ centred)
    return columns


def _neighbours(values: np.ndarray, *, relative: bool) -> np.ndarray:
    """(F,) distance from the frame before, relative to the mean of both where wanted; NaN where either is NaN."""
    before = np.concatenate([[np.nan], values[:-1]])
    return np.abs(values - before) / (0.5 * (values + before) if relative else 1.0)


def _level_of_periods(samples: np.ndarray, pitch_hz: np.ndarray, config: VoiceOptions) -> np.ndarray:
    """(F,) decibels of the mean power of the whole periods that fill a frame; NaN where there is no pitch.

    Of part of a period more at one frame than at the next, a steady voice would seem to tremble.
    """
    period = config.sample_rate_hz / pitch_hz
    length = np.minimum(np.ceil(config.window / period) * period, len(samples))
    # A frame at the edge of the clip is moved inside.
    start = np.clip(np.arange(len(pitch_hz)) * config.hop - length / 2.0, 0.0, len(samples) - length)
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    at = np.arange(len(energy))
    power = (np.interp(start + length, at, energy) - np.interp(start, at, energy)) / length
    return 10.0 * np.log10(np.maximum(power, 0.0) + _POWER_FLOOR)


def _harmonics_to_noise(periodicity: np.ndarray) -> np.ndarray:
    """(F,) decibels of what repeats after a period over what does not; NaN where there is no pitch (Boersma, 1993)."""
    share = np.clip(periodicity, *_HARMONIC_SHARE)
    return 10.0 * np.log10(share / (1.0 - share))
