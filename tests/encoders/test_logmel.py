"""The log-mel encoder against librosa called directly."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._librosa import load_librosa
from mtpkd_cli.encoders.logmel import Config, band_edges, encode

librosa = load_librosa()

RATE = 16_000


def _noise(n: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(n).normal(size=n).astype(np.float32)


def _encode(path: Path, samples: np.ndarray, rate: int = RATE, **options: object) -> Features:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return encode(Segment(path), Config(**options))


def test_it_is_librosas_log_mel_spectrum(tmp_path: Path) -> None:
    samples = _noise(2 * RATE + 37)
    features = _encode(tmp_path / "a.wav", samples)
    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=512, hop_length=160, win_length=400, n_mels=64, fmin=50.0
    )
    assert features.values.shape == (201, 64)
    assert features.values.dtype == np.float32
    assert len(set(features.names)) == 64
    np.testing.assert_allclose(features.values, librosa.power_to_db(mel, top_db=None).T, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(features.times_s, np.arange(201) * 0.01)
    assert not any(features.notes.values())


def test_no_frame_is_centred_on_the_end(tmp_path: Path) -> None:
    features = _encode(tmp_path / "a.wav", _noise(RATE))
    assert features.values.shape == (100, 64)
    assert features.times_s[-1] == pytest.approx(0.99)


@pytest.mark.parametrize("hz", [200.0, 1_000.0, 3_000.0])
def test_a_tone_is_in_its_band(tmp_path: Path, hz: float) -> None:
    tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)
    loudest = _encode(tmp_path / "a.wav", tone).values[5:-5].mean(axis=0).argmax()
    edges = band_edges(64, 50.0, 8_000.0)
    assert edges[loudest] < hz < edges[loudest + 2]


@pytest.mark.parametrize(("low", "high", "n"), [(0.0, 8_000.0, 64), (50.0, 4_000.0, 26), (1_500.0, 7_000.0, 13)])
def test_edges_of_bands_are_librosas(low: float, high: float, n: int) -> None:
    np.testing.assert_allclose(band_edges(n, low, high), librosa.mel_frequencies(n_mels=n + 2, fmin=low, fmax=high))


def test_ten_times_the_amplitude_is_twenty_decibels(tmp_path: Path) -> None:
    soft, loud = (_encode(tmp_path / "a.wav", gain * _noise(RATE)).values for gain in (0.1, 1.0))
    np.testing.assert_allclose(loud - soft, 20.0, atol=0.01)


def test_a_segment_is_encoded_like_its_own_file(tmp_path: Path) -> None:
    samples = _noise(2 * RATE)
    soundfile.write(tmp_path / "whole.wav", samples, RATE, subtype="FLOAT")
    part = encode(Segment(tmp_path / "whole.wav", 1.0, 2.0), Config())
    np.testing.assert_array_equal(part.values, _encode(tmp_path / "part.wav", samples[RATE:]).values)


@pytest.mark.parametrize("n", [1, 37, 511])
def test_sound_shorter_than_a_frame_is_flagged_and_finite(tmp_path: Path, n: int) -> None:
    features = _encode(tmp_path / "a.wav", _noise(n))
    assert features.values.shape == (-(-n // 160), 64)
    assert np.isfinite(features.values).all()
    assert features.notes["short"] == 1


def test_silence_is_flagged_and_stops_at_the_floor(tmp_path: Path) -> None:
    features = _encode(tmp_path / "a.wav", np.zeros(RATE, np.float32))
    np.testing.assert_allclose(features.values, -100.0)
    assert features.notes == {"seconds_without_sound": 0, "short": 0, "silent": 1}


@pytest.mark.parametrize(
    "options", [{"sample_rate_hz": 8_000}, {"n_mels": 128, "window_s": 0.032}, {"high_hz": 4_000.0}]
)
def test_other_rates_and_bands_work_without_an_empty_band(tmp_path: Path, options: dict[str, object]) -> None:
    features = _encode(tmp_path / "a.wav", _noise(44_100), rate=44_100, **options)
    assert features.values.min() > -90


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high_hz": 9_000.0}, "no band below 8000 Hz"),
        ({"low_hz": 500.0, "high_hz": 400.0}, "no band below 8000 Hz"),
        ({"n_mels": 128, "window_s": 0.01}, "lower n_mels"),
    ],
)
def test_bands_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**options)
