"""The breathing encoder on breaths whose rate, depth and shape are known."""

import warnings
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.resp import Config, encode
from mtpkd_cli.errors import DataError

RATE = 50


def _breathe(per_minute: float, seconds: float = 60, rate: int = RATE, inspiration: float = 0.5) -> np.ndarray:
    """Breaths of depth 2 that spend a share of their time on breathing in."""
    phase = (np.arange(round(seconds * rate)) / rate * per_minute / 60) % 1
    into = phase < inspiration
    return np.where(
        into, -np.cos(np.pi * phase / inspiration), np.cos(np.pi * (phase - inspiration) / (1 - inspiration))
    )


def _encode(tmp_path: Path, values: np.ndarray, rate: float = RATE, **segment: float) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"rsp": values}).to_csv(path, index=False)
    return encode(Segment(path, **segment), Config(sample_rate_hz=rate, time_column=""))


def _column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path, _breathe(20, seconds=15))
    assert features.values.shape == (30, 17)
    assert features.values.dtype == np.float32
    assert len(features.names) == len(set(features.names)) == 17
    np.testing.assert_allclose(features.times_s, np.arange(30) * 0.5 + 0.25)
    assert np.isfinite(features.values).all()
    assert not any(features.notes.values())


@pytest.mark.parametrize("rate", [10, 50, 256])
@pytest.mark.parametrize("per_minute", [9, 15, 24])
def test_rate_and_depth_of_regular_breaths_are_recovered(tmp_path: Path, per_minute: int, rate: int) -> None:
    features = _encode(tmp_path, _breathe(per_minute, rate=rate), rate)
    np.testing.assert_allclose(_column(features, "breathing_rate_per_min")[20:-20], per_minute, rtol=0.05)
    np.testing.assert_allclose(_column(features, "breath_mean_s"), 60 / per_minute, rtol=0.05)
    np.testing.assert_allclose(_column(features, "depth")[20:-20], 2, atol=0.15)
    assert _column(features, "breath_std_s").max() < 0.3
    assert _column(features, "quality").min() == 1


@pytest.mark.parametrize("inspiration", [0.3, 0.5])
def test_the_share_of_breathing_in_is_recovered(tmp_path: Path, inspiration: float) -> None:
    features = _encode(tmp_path, _breathe(15, inspiration=inspiration))
    np.testing.assert_allclose(_column(features, "inspiration_mean_s"), 4 * inspiration, atol=0.15)
    np.testing.assert_allclose(_column(features, "expiration_mean_s"), 4 * (1 - inspiration), atol=0.15)
    np.testing.assert_allclose(_column(features, "inspiration_share").mean(), inspiration, atol=0.04)


def test_breaths_and_their_rate_are_those_of_neurokit2(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        # NeuroKit2's own among its libraries.
        warnings.simplefilter("ignore")
        values = nk.rsp_simulate(duration=90, sampling_rate=RATE, respiratory_rate=14, method="breathmetrics")
        cleaned = nk.rsp_clean(values, sampling_rate=RATE)
        _, events = nk.rsp_peaks(cleaned, sampling_rate=RATE)
    features = _encode(tmp_path, values)
    bins = np.arange(0, len(values) / RATE + 0.25, 0.5)
    np.testing.assert_array_equal(_column(features, "breaths"), np.histogram(events["RSP_Peaks"] / RATE, bins=bins)[0])
    cycles = np.diff(events["RSP_Troughs"]) / RATE
    assert (cycles > 1).all()
    np.testing.assert_allclose(_column(features, "breath_mean_s"), cycles.mean(), rtol=1e-5)
    np.testing.assert_allclose(_column(features, "breath_std_s"), cycles.std(), rtol=1e-4)
    np.testing.assert_allclose(_column(features, "breath_rmssd_s"), np.sqrt(np.mean(np.diff(cycles) ** 2)), rtol=1e-4)


def test_breathing_that_quickens_and_flattens_shows_both_changes(tmp_path: Path) -> None:
    values = np.concatenate([_breathe(12, seconds=40), 0.5 * _breathe(24, seconds=40)])
    features = _encode(tmp_path, values)
    np.testing.assert_allclose(_column(features, "breathing_rate_change_per_min")[-20:], 12, atol=2)
    np.testing.assert_allclose(_column(features, "depth_change")[-20:], -1, atol=0.25)


def test_a_held_breath_longer_than_any_is_left_out_and_lowers_the_quality(tmp_path: Path) -> None:
    values = np.concatenate([_breathe(15, seconds=40), np.full(25 * RATE, -1.0), _breathe(15, seconds=40)])
    features = _encode(tmp_path, values)
    assert 0.5 < _column(features, "quality")[0] < 1
    np.testing.assert_allclose(np.median(_column(features, "breathing_rate_per_min")), 15, atol=1)


@pytest.mark.parametrize(
    "values",
    [np.full(5 * RATE, 0.7), np.zeros(3), np.array([0.4]), 1e-3 * np.arange(5 * RATE), _breathe(15, seconds=5.5)],
    ids=["flat", "three rows", "one row", "ramp", "five seconds"],
)
def test_without_a_whole_breath_the_clip_is_flagged_and_neutral(tmp_path: Path, values: np.ndarray) -> None:
    features = _encode(tmp_path, values)
    assert features.notes["breaths_missing"] == 1
    np.testing.assert_array_equal(_column(features, "breathing_rate_per_min"), 15)
    np.testing.assert_array_equal(_column(features, "breath_mean_s"), 4)
    for name in ("breathing_rate_change_per_min", "depth", "breath_std_s", "breath_rmssd_s", "quality"):
        assert not _column(features, name).any()
    assert np.isfinite(features.values).all()


def test_a_clip_of_five_seconds_still_tells_its_course(tmp_path: Path) -> None:
    features = _encode(tmp_path, _breathe(15), start_s=20.0, end_s=25.5)
    assert features.notes["breaths_missing"] == 1
    into = features.times_s % 4 < 2
    share, level, slope = (_column(features, name) for name in ("inspiration_share", "level", "slope_mean"))
    assert share[into].min() > 0.6
    assert share[~into].max() < 0.4
    np.testing.assert_array_equal(np.sign(slope[into]), 1)
    assert level.argmax() in (3, 4)  # breathing in ends at 2 s, between these two steps


@pytest.mark.parametrize("n", [16, 17, 33, 64, 131, 300, 500])
def test_noise_of_any_length_is_finite(tmp_path: Path, n: int) -> None:
    assert np.isfinite(_encode(tmp_path, np.random.default_rng(n).normal(size=n)).values).all()


def test_flat_lines_and_interpolated_rows_are_noted(tmp_path: Path) -> None:
    notes = _encode(tmp_path, np.full(5 * RATE, 0.7)).notes
    assert notes == {"interpolated_rows": 0, "flat": 1, "breaths_missing": 1}
    values = _breathe(15)
    values[[100, 101, 300]] = np.nan
    assert _encode(tmp_path, values).notes["interpolated_rows"] == 3


def test_a_rate_that_cannot_hold_a_breath_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 values per second are too few"):
        _encode(tmp_path, _breathe(15, rate=4), rate=4)


def test_breathing_in_and_depth_are_those_of_neurokit2(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = nk.rsp_simulate(duration=90, sampling_rate=RATE, respiratory_rate=14, method="breathmetrics")
        cleaned = nk.rsp_clean(values, sampling_rate=RATE)
        _, events = nk.rsp_peaks(cleaned, sampling_rate=RATE)
        amplitude = nk.rsp_amplitude(cleaned, events)
    features = _encode(tmp_path, values)
    peaks, troughs = events["RSP_Peaks"], events["RSP_Troughs"]
    np.testing.assert_allclose(_column(features, "inspiration_mean_s"), (peaks - troughs).mean() / RATE, rtol=1e-4)
    # NeuroKit2 interpolates between breaths by a monotone cubic, this encoder linearly.
    at = (features.times_s * RATE).astype(int)
    inside = (at > peaks[0]) & (at < peaks[-1])
    np.testing.assert_allclose(_column(features, "depth")[inside], amplitude[at][inside], rtol=0.05, atol=0.02)
