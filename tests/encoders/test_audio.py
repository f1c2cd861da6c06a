"""The sound encoder against librosa called directly and against sounds that are known."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._librosa import load_librosa
from mtpkd_cli.encoders.audio import Config, encode, frame_features
from mtpkd_cli.registry import Registry

librosa = load_librosa()

RATE = 16_000


def _voice(seconds: float, pitch_hz: float = 150.0) -> np.ndarray:
    """A buzz of ten harmonics in a little noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * k * pitch_hz * t) / k for k in range(1, 11))
    return (0.1 * buzz + 0.001 * np.random.default_rng(3).normal(size=len(t))).astype(np.float32)


def _encode(path: Path, samples: np.ndarray, config: Config | None = None) -> Features:
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return encode(Segment(path), config or Config())


def _column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path / "a.wav", _voice(2.6))
    assert features.values.shape == (5, 95)
    assert features.values.dtype == np.float32
    assert len(set(features.names)) == 95
    np.testing.assert_allclose(features.times_s[:4], [0.25, 0.75, 1.25, 1.75])
    assert np.isfinite(features.values).all()
    assert not any(features.notes.values())


def test_steps_are_the_means_and_deviations_of_librosas_frames(tmp_path: Path) -> None:
    samples = _voice(2.0) * np.linspace(0.2, 1.0, 2 * RATE, dtype=np.float32)
    features = _encode(tmp_path / "a.wav", samples)
    frames = {"n_fft": 512, "hop_length": 160, "win_length": 400}
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=RATE, n_mels=26, **frames), top_db=None)
    mfcc = librosa.feature.mfcc(S=mel, n_mfcc=13)
    centroid = librosa.feature.spectral_centroid(y=samples, sr=RATE, **frames)
    rms = librosa.feature.rms(y=samples, frame_length=512, hop_length=160)
    crossings = librosa.feature.zero_crossing_rate(samples, frame_length=512, hop_length=160)
    expected = {
        **{f"mel_{i}": mel[i] for i in range(26)},
        **{f"mfcc_{i}": mfcc[i] for i in range(13)},
        "centroid_hz": centroid[0],
        "bandwidth_hz": librosa.feature.spectral_bandwidth(y=samples, sr=RATE, **frames)[0],
        "rolloff_hz": librosa.feature.spectral_rolloff(y=samples, sr=RATE, **frames)[0],
        "flatness": librosa.feature.spectral_flatness(y=samples, **frames)[0],
        "loudness_db": 20 * np.log10(rms[0]),
        "crossings": crossings[0],
    }
    for name, values in expected.items():
        steps = values[:200].reshape(4, 50)
        np.testing.assert_allclose(_column(features, f"{name}_mean"), steps.mean(axis=1), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(_column(features, f"{name}_std"), steps.std(axis=1), rtol=1e-3, atol=2e-3)


def test_pitch_is_librosas_yin_where_there_is_a_voice() -> None:
    samples = _voice(2.0)
    columns = frame_features(samples, Config())
    oracle = librosa.yin(samples, fmin=60, fmax=400, sr=RATE, frame_length=1024, hop_length=160)
    voiced = columns["voiced"] == 1
    assert voiced.mean() > 0.5
    np.testing.assert_allclose(columns["pitch_semitones"][voiced], 12 * np.log2(oracle[voiced] / 55), atol=1e-6)
    assert np.isnan(columns["pitch_semitones"][~voiced]).all()


def test_flux_is_librosas_onset_strength() -> None:
    samples = _voice(1.0) * (np.arange(RATE) > 7000)
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=512, hop_length=160, win_length=400, n_mels=26)
    oracle = librosa.onset.onset_strength(S=librosa.power_to_db(mel, top_db=None), center=False)
    np.testing.assert_allclose(frame_features(samples, Config())["flux_db"], oracle, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pitch_hz", [90.0, 150.0, 260.0])
def test_pitch_of_a_voice_is_recovered(tmp_path: Path, pitch_hz: float) -> None:
    features = _encode(tmp_path / "a.wav", _voice(1.5, pitch_hz))
    np.testing.assert_allclose(_column(features, "voiced_mean"), 1.0)
    np.testing.assert_allclose(_column(features, "pitch_semitones_mean"), 12 * np.log2(pitch_hz / 55), atol=0.3)


def test_hiss_and_silence_are_not_voiced_and_have_no_pitch(tmp_path: Path) -> None:
    hiss = 0.1 * np.random.default_rng(1).normal(size=RATE).astype(np.float32)
    features = _encode(tmp_path / "a.wav", np.concatenate([_voice(1.0), hiss, np.zeros(RATE, np.float32)]))
    assert _column(features, "voiced_mean")[[0, 1]].min() == 1
    assert _column(features, "voiced_mean")[[3, 5]].max() == 0
    assert _column(features, "pitch_semitones_mean")[[3, 5]].max() == 0


def test_ten_times_the_amplitude_is_twenty_decibels(tmp_path: Path) -> None:
    soft, loud = (_encode(tmp_path / f"{gain}.wav", gain * _voice(1.0)) for gain in (0.1, 1.0))
    gain_db = _column(loud, "loudness_db_mean") - _column(soft, "loudness_db_mean")
    np.testing.assert_allclose(gain_db, 20.0, atol=1e-3)


def test_a_segment_is_encoded_like_its_own_file(tmp_path: Path) -> None:
    samples = np.concatenate([_voice(1.0, 120.0), _voice(1.0, 220.0)])
    soundfile.write(tmp_path / "whole.wav", samples, RATE, subtype="FLOAT")
    part = encode(Segment(tmp_path / "whole.wav", 1.0, 2.0), Config())
    alone = _encode(tmp_path / "part.wav", samples[RATE:])
    np.testing.assert_array_equal(part.values, alone.values)
    np.testing.assert_array_equal(part.times_s, alone.times_s)


@pytest.mark.parametrize("n", [1, 37, 900])
def test_sound_shorter_than_a_frame_is_flagged_and_finite(tmp_path: Path, n: int) -> None:
    features = _encode(tmp_path / "a.wav", _voice(1.0)[:n])
    assert features.values.shape == (1, 95)
    assert np.isfinite(features.values).all()
    assert features.notes["short"] == 1


def test_silence_is_flagged_and_finite(tmp_path: Path) -> None:
    features = _encode(tmp_path / "a.wav", np.zeros(RATE, np.float32))
    assert np.isfinite(features.values).all()
    assert features.notes == {"seconds_without_sound": 0, "short": 0, "silent": 1}


def test_seconds_without_sound_are_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", _voice(1.0), RATE)
    features = encode(Segment(tmp_path / "a.wav", 0.0, 1.25), Config())
    assert features.notes["seconds_without_sound"] == pytest.approx(0.25)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_other_rates_and_more_bands_work(tmp_path: Path, rate: int) -> None:
    features = _encode(tmp_path / "a.wav", _voice(1.2), Config(sample_rate_hz=rate, n_mels=40, step_s=0.2))
    assert features.values.shape == (6, 2 * (40 + 13 + 9) - 1)
    assert np.isfinite(features.values).all()


@pytest.mark.parametrize("options", [{"n_mfcc": 27}, {"pitch_min_hz": 400.0}, {"hop_s": 0.1, "step_s": 0.05}])
def test_options_that_contradict_each_other_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"is (more than|not below)"):
        Config(**options)


def test_the_registry_knows_it() -> None:
    assert "Sound" in Registry("mtpkd_cli.encoders", "encoder").help("audio")
