"""The electromyogram encoder on bursts and tones that are known."""

import warnings
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, sosfiltfilt

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.emg import Config, encode
from mtpkd_cli.errors import DataError

RATE = 512


def _encode(tmp_path: Path, values: np.ndarray, rate: float = RATE, **options: float) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"emg_trapezius": values}).to_csv(path, index=False)
    return encode(Segment(path), Config(sample_rate_hz=rate, time_column="", **options))


def _column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def _noise(seconds: float, rate: float = RATE) -> np.ndarray:
    return np.random.default_rng(7).normal(size=round(seconds * rate))


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path, _noise(5.5))
    assert features.values.shape == (11, 7)
    assert features.values.dtype == np.float32
    assert len(features.names) == len(set(features.names)) == 7
    np.testing.assert_allclose(features.times_s, np.arange(11) * 0.5 + 0.25)
    assert not any(features.notes.values())


def test_a_simulated_burst_stands_out_where_it_is(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        # NeuroKit2's own among its libraries.
        warnings.simplefilter("ignore")
        values = nk.emg_simulate(duration=8, sampling_rate=RATE, burst_number=1, burst_duration=2.0, random_state=3)
    power = np.convolve(values**2, np.ones(RATE // 2), mode="same")
    features = _encode(tmp_path, values)
    burst = np.array([power[round(t * RATE)] > 0.5 * power.max() for t in features.times_s])
    envelope, active = _column(features, "log_envelope_mean"), _column(features, "active_share")
    assert 3 <= burst.sum() <= 5
    assert envelope[burst].min() > envelope[~burst].max()
    assert active[burst].min() > 0.8
    assert np.median(active[~burst]) == 0


def test_ten_times_the_amplitude_is_one_decade(tmp_path: Path) -> None:
    quiet, strong = (_encode(tmp_path, gain * _noise(4)) for gain in (1.0, 10.0))
    for name in ("log_envelope_mean", "log_envelope_max"):
        np.testing.assert_allclose(_column(strong, name) - _column(quiet, name), 1.0, atol=1e-4)
    for name in ("log_envelope_std", "log_envelope_change", "active_share", "crossings_hz", "median_hz"):
        np.testing.assert_allclose(_column(strong, name), _column(quiet, name), atol=1e-4)


def test_change_is_against_the_first_second(tmp_path: Path) -> None:
    gain = np.where(np.arange(5 * RATE) < 2 * RATE, 1.0, 100.0)
    change = _column(_encode(tmp_path, gain * _noise(5)), "log_envelope_change")
    np.testing.assert_allclose(change[:3], 0, atol=0.1)
    np.testing.assert_allclose(change[5:], 2, atol=0.1)


@pytest.mark.parametrize("tone_hz", [40.0, 90.0, 180.0])
def test_a_tone_has_its_frequency_its_crossings_and_its_strength(tmp_path: Path, tone_hz: float) -> None:
    t = np.arange(6 * RATE) / RATE
    features = _encode(tmp_path, 3.0 * np.sin(2 * np.pi * tone_hz * t) + 50.0, envelope_s=0.1)
    inner = slice(1, -1)
    np.testing.assert_allclose(_column(features, "median_hz")[inner], tone_hz, atol=2.0)
    np.testing.assert_allclose(_column(features, "crossings_hz")[inner], 2 * tone_hz, atol=4.0)
    np.testing.assert_allclose(_column(features, "log_envelope_mean")[inner], np.log10(3 / np.sqrt(2)), atol=0.03)


def test_the_envelope_agrees_with_scipy_called_directly(tmp_path: Path) -> None:
    values = _noise(6)
    band = sosfiltfilt(butter(4, (20, 0.95 * RATE / 2), btype="bandpass", fs=RATE, output="sos"), values)
    oracle = [np.log10(np.sqrt(np.mean(part**2))) for part in np.split(band, 12)]
    # The mean of the logarithm lies a little below the logarithm of the mean.
    np.testing.assert_allclose(_column(_encode(tmp_path, values), "log_envelope_mean")[1:-1], oracle[1:-1], atol=0.05)


def test_drift_and_offset_outside_the_band_do_not_count(tmp_path: Path) -> None:
    t = np.arange(5 * RATE) / RATE
    plain = _encode(tmp_path, _noise(5))
    drifting = _encode(tmp_path, _noise(5) + 300.0 + 5.0 * np.sin(2 * np.pi * t))
    np.testing.assert_allclose(drifting.values[1:-1, 0], plain.values[1:-1, 0], atol=0.02)


@pytest.mark.parametrize("rate", [50.0, 100.0, 250.0, 1000.0, 2048.0])
def test_the_band_fits_itself_to_the_rate(tmp_path: Path, rate: float) -> None:
    features = _encode(tmp_path, _noise(5, rate), rate)
    assert features.values.shape == (10, 7)
    assert np.isfinite(features.values).all()


def test_a_rate_below_the_band_is_an_error_that_says_the_least(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at 32 Hz a signal holds nothing above low_hz = 20") as caught:
        _encode(tmp_path, _noise(5, 32), 32)
    assert "a rate above 42 Hz" in str(caught.value)


def test_a_flat_line_is_flagged_and_zero(tmp_path: Path) -> None:
    features = _encode(tmp_path, np.full(3 * RATE, 0.1))
    assert features.notes["flat"] == 1
    assert not features.values.any()


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_very_short_clips_are_finite(tmp_path: Path, n: int) -> None:
    features = _encode(tmp_path, _noise(1)[:n])
    assert features.values.shape == (1, 7)
    assert np.isfinite(features.values).all()


def test_a_band_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="low_hz = 90 is not below high_hz = 90"):
        Config(low_hz=90.0, high_hz=90.0)


def test_steps_shorter_than_a_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"step_s = 0\.001 is shorter than the 0\.00195312 s between two values"):
        _encode(tmp_path, _noise(1), step_s=0.001)
