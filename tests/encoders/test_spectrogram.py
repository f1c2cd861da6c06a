"""The spectrogram encoder against scipy called as the released code calls it, and on sines."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import spectrogram

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.spectrogram import Config, encode

RATE = 512


def _encode(tmp_path: Path, values: np.ndarray, **options: object) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"emg": values}).to_csv(path, index=False)
    return encode(Segment(path), Config(column="emg", sample_rate_hz=RATE, time_column="", **options))


def test_it_is_the_released_spectrogram(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=1536)
    features = _encode(tmp_path, values)
    _, times, power = spectrogram(values, fs=RATE, nperseg=16, noverlap=4, nfft=128)
    assert features.values.shape == (127, 65)
    assert features.values.dtype == np.float32
    assert len(set(features.names)) == 65
    np.testing.assert_allclose(features.values, power.T, rtol=1e-5)
    np.testing.assert_allclose(features.times_s, times)
    assert not any(features.notes.values())


def test_the_logarithm_is_that_of_the_power(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=300)
    power, logarithm = (_encode(tmp_path, values, log_scale=log).values for log in (False, True))
    np.testing.assert_allclose(logarithm, np.log10(power + 1e-12), rtol=1e-4)


@pytest.mark.parametrize("hz", [64.0, 128.0, 200.0])
def test_a_sine_is_in_its_band(tmp_path: Path, hz: float) -> None:
    features = _encode(tmp_path, np.sin(2 * np.pi * hz * np.arange(1000) / RATE))
    assert features.values.mean(axis=0).argmax() == round(hz * 128 / RATE)


def test_steps_follow_each_other_by_what_windows_do_not_share(tmp_path: Path) -> None:
    features = _encode(tmp_path, np.random.default_rng(2).normal(size=700), nperseg=64, noverlap=14, nfft=64)
    assert features.values.shape == ((700 - 14) // 50, 33)
    np.testing.assert_allclose(np.diff(features.times_s), 50 / RATE)


@pytest.mark.parametrize("n", [1, 3, 15])
@pytest.mark.parametrize("log_scale", [False, True])
def test_clips_shorter_than_a_window_are_flagged_and_finite(tmp_path: Path, n: int, log_scale: bool) -> None:
    features = _encode(tmp_path, np.random.default_rng(n).normal(size=n), log_scale=log_scale)
    assert features.values.shape == (1, 65)
    assert np.isfinite(features.values).all()
    assert features.notes["short"] == 1


def test_flat_lines_and_interpolated_rows_are_noted(tmp_path: Path) -> None:
    features = _encode(tmp_path, np.full(600, 0.3), log_scale=True)
    assert features.notes == {"interpolated_rows": 0, "flat": 1, "short": 0}
    assert np.isfinite(features.values).all()
    values = np.random.default_rng(3).normal(size=600)
    values[[100, 101, 300]] = np.nan
    assert _encode(tmp_path, values).notes["interpolated_rows"] == 3


@pytest.mark.parametrize("options", [{"noverlap": 16}, {"nfft": 8}])
def test_windows_that_do_not_fit_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="below nperseg = 16"):
        Config(column="emg", **options)
