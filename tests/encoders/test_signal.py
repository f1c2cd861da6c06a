"""The raw signal encoder on sines, whose filtered and resampled values are known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.signal import Config, encode, resample
from mtpkd_cli.errors import DataError

RATE = 512


def _sine(hz: float, seconds: float = 5.5, rate: float = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def _encode(tmp_path: Path, values: np.ndarray, rate: float = RATE, **options: object) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"x": values}).to_csv(path, index=False)
    return encode(Segment(path), Config(column="x", sample_rate_hz=rate, time_column="", **options))


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path, _sine(3.0))
    assert features.values.shape == (550, 1)
    assert features.values.dtype == np.float32
    assert features.names == ("value",)
    np.testing.assert_allclose(features.times_s, np.arange(550) / 100)
    assert not any(features.notes.values())


@pytest.mark.parametrize(("from_hz", "to_hz"), [(512, 100), (100, 512), (64, 64), (4, 100), (511.98, 100), (130, 37.5)])
def test_a_slow_sine_is_the_same_at_another_rate(from_hz: float, to_hz: float) -> None:
    result = resample(_sine(0.7, rate=from_hz), from_hz, to_hz)
    assert len(result) == round(round(5.5 * from_hz) / from_hz * to_hz)
    expected = np.sin(2 * np.pi * 0.7 * np.arange(len(result)) / to_hz)
    inside = slice(round(0.8 * to_hz), -round(0.8 * to_hz))
    np.testing.assert_allclose(result[inside], expected[inside], atol=0.02)
    np.testing.assert_allclose(result, expected, atol=0.15)


def test_resampling_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).normal(size=1024).cumsum()
    np.testing.assert_allclose(resample(values, 512, 128), resample_poly(values, 1, 4, padtype="line"), atol=1e-3)


def test_a_level_stays_the_level_at_both_ends() -> None:
    np.testing.assert_allclose(resample(np.full(700, 3.7), 512, 100), 3.7, rtol=1e-6)


def test_what_the_new_rate_cannot_hold_is_kept_out(tmp_path: Path) -> None:
    slow = _encode(tmp_path, _sine(3.0), standardise=False).values
    both = _encode(tmp_path, _sine(3.0) + _sine(97.0), standardise=False).values
    np.testing.assert_allclose(both[30:-30], slow[30:-30], atol=0.01)


@pytest.mark.parametrize(
    ("band", "left"),
    [
        ({"low_hz": 5.0}, [12.0]),
        ({"high_hz": 5.0}, [1.0]),
        ({"low_hz": 5.0, "high_hz": 20.0}, [12.0]),
        ({}, [1.0, 12.0]),
    ],
)
def test_only_the_band_is_left(tmp_path: Path, band: dict[str, float], left: list[float]) -> None:
    values = _encode(tmp_path, _sine(1.0) + _sine(12.0), standardise=False, **band).values[:, 0]
    expected = sum(np.sin(2 * np.pi * hz * np.arange(550) / 100) for hz in left)
    np.testing.assert_allclose(values[100:-100], expected[100:-100], atol=0.03)


def test_a_low_pass_keeps_the_level_and_a_high_pass_takes_it_away(tmp_path: Path) -> None:
    values = 7.0 + _sine(2.0)
    assert _encode(tmp_path, values, standardise=False, high_hz=20.0).values.mean() == pytest.approx(7.0, abs=0.02)
    assert _encode(tmp_path, values, standardise=False, low_hz=0.5).values.mean() == pytest.approx(0.0, abs=0.05)


def test_clips_are_standardised_unless_told_otherwise(tmp_path: Path) -> None:
    values = _encode(tmp_path, 3e-6 * _sine(2.0) + 5).values
    assert values.mean() == pytest.approx(0, abs=1e-4)
    assert values.std() == pytest.approx(1, abs=1e-4)
    raw = _encode(tmp_path, 3 * _sine(2.0) + 5, standardise=False).values
    assert raw.mean() == pytest.approx(5, abs=0.02)
    assert raw.max() == pytest.approx(8, abs=0.02)


def test_a_flat_line_is_flagged_and_zero(tmp_path: Path) -> None:
    features = _encode(tmp_path, np.full(RATE, 0.1), high_hz=20.0)
    assert features.notes == {"interpolated_rows": 0, "flat": 1}
    assert not features.values.any()


@pytest.mark.parametrize("n", [1, 2, 3, 17])
@pytest.mark.parametrize("rate", [4.0, 512.0])
def test_very_short_clips_are_finite(tmp_path: Path, n: int, rate: float) -> None:
    values = np.random.default_rng(n).normal(size=n)
    for options in ({}, {"low_hz": 0.1}, {"standardise": False}):
        features = _encode(tmp_path, values, rate, **options)
        assert features.values.shape == (max(1, round(n / rate * 100)), 1)
        assert np.isfinite(features.values).all()


def test_interpolated_rows_are_noted(tmp_path: Path) -> None:
    values = _sine(2.0)
    values[[100, 101, 300]] = np.nan
    assert _encode(tmp_path, values).notes["interpolated_rows"] == 3


def test_a_rate_too_low_for_the_band_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at 4 Hz a signal holds nothing above low_hz = 20"):
        _encode(tmp_path, np.arange(40.0), 4.0, low_hz=20.0)


@pytest.mark.parametrize(
    "options", [{}, {"column": "x", "low_hz": 9.0, "high_hz": 9.0}, {"column": "x", "low_hz": 50.0}]
)
def test_options_that_name_no_signal_or_band_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"column|is not below"):
        Config(**options)
