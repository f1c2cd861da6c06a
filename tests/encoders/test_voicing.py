"""Voiced or not, by what repeats: against noises that are no voice, voices in noise, and librosa's pyin."""

import librosa
import numpy as np
import pytest
from scipy.signal import lfilter

from mtpkd_cli.encoders import _sound
from mtpkd_cli.encoders._voice_frames import describe_frames
from mtpkd_cli.encoders.prosody import Config

SECONDS = 2
RATES = [16_000, 44_100]


def _noise(rate: int, power: float, band_hz: tuple[float, float] = (20.0, 22_050.0)) -> np.ndarray:
    """Noise whose power falls by a power of the frequency: 0 white, 1 pink, 2 brown."""
    n = SECONDS * rate
    frequencies = np.fft.rfftfreq(n, 1 / rate)
    inside = (frequencies >= band_hz[0]) & (frequencies <= band_hz[1])
    shape = np.where(inside, np.maximum(frequencies, 1.0) ** (-power / 2), 0.0)
    noise = np.fft.irfft(np.fft.rfft(np.random.default_rng(7).normal(size=n)) * shape, n)
    return (0.1 * noise / noise.std()).astype(np.float32)


def _vowel(rate: int, pitch_hz: float) -> np.ndarray:
    """Pulses through the resonances of an open vowel."""
    phase = np.arange(SECONDS * rate) * pitch_hz / rate
    voice = np.diff(np.floor(phase), prepend=0.0)
    for centre, width in ((700, 90), (1200, 110), (2600, 160)):
        radius = np.exp(-np.pi * width / rate)
        voice = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2], voice)
    return (0.1 * voice / voice.std()).astype(np.float32)


def _share(samples: np.ndarray, rate: int) -> float:
    return float(_sound.voice_frames(samples, Config(sample_rate_hz=rate))["voiced"].mean())


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("power", "band_hz"), [(0.0, (20, 22_050)), (1.0, (20, 22_050)), (2.0, (20, 22_050)), (0.0, (2000, 7000))]
)
def test_noise_is_no_voice_at_any_rate(rate: int, power: float, band_hz: tuple[float, float]) -> None:
    assert _share(_noise(rate, power, band_hz), rate) < 0.1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch_hz", [65.0, 90.0, 140.0, 220.0, 380.0])
def test_a_vowel_is_a_voice_alone_and_in_noise(rate: int, pitch_hz: float) -> None:
    vowel = _vowel(rate, pitch_hz)
    assert _share(vowel, rate) > 0.95
    assert _share(vowel + 10 ** (-5 / 20) * _noise(rate, 0.0), rate) > 0.9
    assert _share(vowel + 10 ** (-5 / 20) * _noise(rate, 1.0), rate) > 0.8


def test_most_frames_are_judged_as_pyin_judges_them() -> None:
    rate, config = 16_000, Config()
    parts = [_vowel(rate, 120.0), _noise(rate, 1.0), _vowel(rate, 210.0), 0.5 * _noise(rate, 0.0), _noise(rate, 2.0)]
    samples = np.concatenate(parts) + 0.005 * np.random.default_rng(1).normal(size=5 * SECONDS * rate)
    samples = samples.astype(np.float32)
    ours = _sound.voice_frames(samples, config)
    _, oracle, _ = librosa.pyin(
        samples, fmin=60, fmax=400, sr=rate, frame_length=config.pitch_frame, hop_length=config.hop
    )
    assert 0.3 < oracle.mean() < 0.5
    assert (ours["voiced"] == oracle).mean() > 0.9


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch_hz", [60.0, 71.3, 90.0, 130.0, 210.0, 400.0])
def test_a_steady_voice_does_not_tremble(rate: int, pitch_hz: float) -> None:
    for voice in (_vowel(rate, pitch_hz), 0.2 * np.sin(2 * np.pi * pitch_hz * np.arange(SECONDS * rate) / rate)):
        frames = describe_frames(voice.astype(np.float32), Config(sample_rate_hz=rate))
        assert frames["voiced"].mean() > 0.9
        assert np.nanmean(frames["loudness_perturbation_db"]) < 0.05
        assert np.nanmean(frames["pitch_perturbation"]) < 0.005
