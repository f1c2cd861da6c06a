"""The prosody encoder on voices that are known."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._voice_frames import describe_frames
from mtpkd_cli.encoders.prosody import Config, encode

RATE = 16_000


def _voice(
    seconds: float, pitch_hz: float | np.ndarray = 150.0, tilt: float = 1.0, n_harmonics: int = 10
) -> np.ndarray:
    """A buzz whose harmonic k has the amplitude k ** -tilt."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch_hz, round(seconds * RATE))) / RATE
    return 0.1 * sum(np.sin(k * phase) / k**tilt for k in range(1, n_harmonics + 1))


def _noise(like: np.ndarray, snr_db: float) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=len(like))
    return noise * like.std() / noise.std() / 10 ** (snr_db / 20)


def _encode(path: Path, samples: np.ndarray, **options: object) -> Features:
    soundfile.write(path, samples.astype(np.float32), RATE, subtype="FLOAT")
    return encode(Segment(path), Config(**options))


def _column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path / "a.wav", _voice(2.6))
    assert features.values.shape == (5, 52)
    assert features.values.dtype == np.float32
    assert len(set(features.names)) == 52
    np.testing.assert_allclose(features.times_s[:4], [0.25, 0.75, 1.25, 1.75])
    assert np.isfinite(features.values).all()
    assert not any(features.notes.values())


@pytest.mark.parametrize("pitch_hz", [90.0, 150.0, 260.0])
def test_pitch_is_in_semitones_from_a0(tmp_path: Path, pitch_hz: float) -> None:
    features = _encode(tmp_path / "a.wav", _voice(1.5, pitch_hz))
    for functional in ("mean", "p20", "p50", "p80"):
        expected = 12 * np.log2(pitch_hz / 27.5)
        np.testing.assert_allclose(_column(features, f"pitch_semitones_{functional}"), expected, atol=0.3)
    np.testing.assert_allclose(_column(features, "voiced_share"), 1.0)


def test_a_glide_rises_by_its_slope(tmp_path: Path) -> None:
    up = _voice(2.0, 120.0 * 2 ** (np.arange(2 * RATE) / RATE * 6 / 12))
    rising, falling = _encode(tmp_path / "a.wav", up, step_s=1.0), _encode(tmp_path / "b.wav", up[::-1], step_s=1.0)
    np.testing.assert_allclose(_column(rising, "pitch_semitones_rise_per_s"), 6, atol=1.0)
    np.testing.assert_allclose(_column(falling, "pitch_semitones_fall_per_s"), -6, atol=1.0)
    np.testing.assert_allclose(_column(rising, "pitch_semitones_range"), 0.6 * 6, atol=0.5)


@pytest.mark.parametrize("snr_db", [10.0, 20.0, 30.0])
def test_harmonics_to_noise_is_that_of_the_mixture(tmp_path: Path, snr_db: float) -> None:
    voice = 0.5 * _voice(2.0)
    features = _encode(tmp_path / "a.wav", voice + _noise(voice, snr_db))
    np.testing.assert_allclose(_column(features, "harmonics_to_noise_db_mean"), snr_db, atol=1.5)


def test_an_unsteady_voice_is_more_perturbed_than_a_steady_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wander = 150 * (1 + np.repeat(0.04 * rng.normal(size=100), 2 * RATE // 100))
    tremble = np.repeat(1 + 0.3 * rng.uniform(-1, 1, size=100), 2 * RATE // 100)
    steady = _encode(tmp_path / "a.wav", _voice(2.0))
    pitch, loudness = (_encode(tmp_path / "b.wav", v) for v in (_voice(2.0, wander), tremble * _voice(2.0)))
    name = "pitch_perturbation_mean"
    assert (_column(pitch, name)[1:-1] > 5 * _column(steady, name)[1:-1] + 0.005).all()
    name = "loudness_perturbation_db_mean"
    assert (_column(loudness, name)[1:-1] > 5 * _column(steady, name)[1:-1] + 0.1).all()


def test_a_darker_voice_has_a_steeper_spectrum(tmp_path: Path) -> None:
    bright, dark = (_encode(tmp_path / "a.wav", _voice(1.0, tilt=tilt, n_harmonics=30)) for tilt in (0.5, 2.0))
    for name, sign in (("alpha_ratio_db", 1), ("hammarberg_db", 1), ("slope_500_1500_db_per_khz", -1)):
        assert (sign * (_column(dark, f"{name}_mean") - _column(bright, f"{name}_mean")) > 5).all()


def test_loudness_grows_with_amplitude_as_the_ear_compresses_it(tmp_path: Path) -> None:
    soft, loud = (_encode(tmp_path / "a.wav", gain * _voice(1.0)) for gain in (0.1, 1.0))
    ratio = _column(loud, "loudness_mean") / _column(soft, "loudness_mean")
    np.testing.assert_allclose(ratio, 10 ** (2 * 0.3), rtol=1e-3)


def test_segments_and_syllables_are_counted(tmp_path: Path) -> None:
    burst = np.concatenate([_voice(0.25) * np.hanning(RATE // 4), np.zeros(RATE // 4)])
    features = _encode(tmp_path / "a.wav", np.tile(burst, 8), step_s=2.0)
    np.testing.assert_allclose(_column(features, "voiced_segments_hz"), 2.0)
    np.testing.assert_allclose(_column(features, "loudness_peaks_hz"), 2.0)
    assert (_column(features, "voiced_length_s") < 0.3).all()
    np.testing.assert_allclose(
        _column(features, "voiced_length_s") * _column(features, "voiced_segments_hz"),
        _column(features, "voiced_share"),
        rtol=1e-4,
    )


def test_a_step_without_voice_is_counted_and_zero_in_what_only_a_voice_has(tmp_path: Path) -> None:
    hiss = 0.1 * np.random.default_rng(1).normal(size=RATE)
    features = _encode(tmp_path / "a.wav", np.concatenate([_voice(1.0), hiss]))
    assert features.notes["steps_without_voice"] == 2
    assert _column(features, "voiced_share")[3] == 0
    for name in ("pitch_semitones_mean", "harmonics_to_noise_db_mean", "alpha_ratio_db_mean"):
        assert _column(features, name)[3] == 0
    assert _column(features, "unvoiced_alpha_ratio_db_mean")[3] != 0
    assert _column(features, "unvoiced_alpha_ratio_db_mean")[0] == 0


def test_what_is_not_told_by_a_frame_is_not_a_number_and_all_else_is() -> None:
    frames = describe_frames(np.concatenate([_voice(1.0), np.zeros(RATE)]).astype(np.float32), Config())
    assert len({values.shape for values in frames.values()}) == 1
    voiced = frames["voiced"] == 1
    assert 0 < voiced.sum() < len(voiced)
    for name in ("pitch_semitones", "harmonics_to_noise_db", "slope_0_500_db_per_khz"):
        np.testing.assert_array_equal(np.isfinite(frames[name]), voiced)
    for name in ("loudness", "flux_db", "mfcc_1"):
        assert np.isfinite(frames[name]).all()


def test_a_segment_is_encoded_like_its_own_file(tmp_path: Path) -> None:
    samples = np.concatenate([_voice(1.0, 120.0), _voice(1.0, 220.0)])
    soundfile.write(tmp_path / "whole.wav", samples, RATE, subtype="FLOAT")
    part = encode(Segment(tmp_path / "whole.wav", 1.0, 2.0), Config())
    np.testing.assert_array_equal(part.values, _encode(tmp_path / "part.wav", samples[RATE:]).values)


@pytest.mark.parametrize("n", [1, 37, 900])
def test_sound_shorter_than_a_frame_is_flagged_and_finite(tmp_path: Path, n: int) -> None:
    features = _encode(tmp_path / "a.wav", _voice(1.0)[:n])
    assert features.values.shape == (1, 52)
    assert np.isfinite(features.values).all()
    assert features.notes["short"] == 1


def test_silence_is_flagged_and_finite(tmp_path: Path) -> None:
    features = _encode(tmp_path / "a.wav", np.zeros(RATE))
    assert np.isfinite(features.values).all()
    assert features.notes == {"seconds_without_sound": 0, "short": 0, "silent": 1, "steps_without_voice": 2}


@pytest.mark.parametrize(
    "options", [{"sample_rate_hz": 8_000}, {"sample_rate_hz": 44_100, "hop_s": 0.02, "step_s": 0.2}]
)
def test_other_rates_and_steps_work(tmp_path: Path, options: dict[str, object]) -> None:
    features = _encode(tmp_path / "a.wav", _voice(1.2), **options)
    assert np.isfinite(features.values).all()
    np.testing.assert_allclose(_column(features, "pitch_semitones_mean")[0], 12 * np.log2(150 / 27.5), atol=0.3)
