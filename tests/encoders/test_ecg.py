"""The electrocardiogram encoder on simulated hearts whose rate is known."""

import warnings
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.ecg import Config, encode

RATE = 256


def _simulate(bpm: float, seconds: int = 12, rate: int = RATE) -> np.ndarray:
    with warnings.catch_warnings():
        # NeuroKit2's own among its libraries.
        warnings.simplefilter("ignore")
        return nk.ecg_simulate(
            duration=seconds, sampling_rate=rate, heart_rate=bpm, heart_rate_std=0, noise=0.01, random_state=2
        )


def _encode(tmp_path: Path, values: np.ndarray, rate: float = RATE, **segment: float) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"ecg": values}).to_csv(path, index=False)
    return encode(Segment(path, **segment), Config(sample_rate_hz=rate, time_column=""))


def _column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path, _simulate(75, seconds=7))
    assert features.values.shape == (14, 11)
    assert features.values.dtype == np.float32
    assert len(features.names) == len(set(features.names)) == 11
    np.testing.assert_allclose(features.times_s, np.arange(14) * 0.5 + 0.25)
    assert np.isfinite(features.values).all()
    assert not any(features.notes.values())


@pytest.mark.parametrize("rate", [100, 256, 512])
@pytest.mark.parametrize("bpm", [60, 75, 100])
def test_the_heart_rate_is_recovered_in_a_clip_of_five_seconds(tmp_path: Path, bpm: int, rate: int) -> None:
    features = _encode(tmp_path, _simulate(bpm, rate=rate), rate, start_s=3.0, end_s=8.5)
    np.testing.assert_allclose(_column(features, "heart_rate_bpm"), bpm, atol=2.0)
    np.testing.assert_allclose(_column(features, "rr_mean_s"), 60 / bpm, rtol=0.03)
    assert _column(features, "quality").min() == 1
    assert not _column(features, "beats_missing").any()


def test_beats_are_those_of_neurokit2(tmp_path: Path) -> None:
    values = _simulate(83, seconds=30)
    _, events = nk.ecg_peaks(nk.ecg_clean(values, sampling_rate=RATE), sampling_rate=RATE)
    oracle = np.histogram(events["ECG_R_Peaks"] / RATE, bins=np.arange(0, 30.5, 0.5))[0]
    np.testing.assert_array_equal(_column(_encode(tmp_path, values), "beats"), oracle)


def test_rate_and_variation_are_those_of_neurokit2(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = nk.ecg_simulate(duration=60, sampling_rate=RATE, heart_rate=70, heart_rate_std=3, random_state=4)
        _, events = nk.ecg_peaks(nk.ecg_clean(values, sampling_rate=RATE), sampling_rate=RATE)
        hrv = nk.hrv_time(events, sampling_rate=RATE)
    features = _encode(tmp_path, values)
    n = len(events["ECG_R_Peaks"]) - 1
    assert _column(features, "quality").min() == 1
    np.testing.assert_allclose(_column(features, "rr_mean_s"), hrv["HRV_MeanNN"][0] / 1000, rtol=1e-4)
    # NeuroKit2 divides by n - 1 where this encoder divides by n.
    np.testing.assert_allclose(
        _column(features, "rr_std_s"), hrv["HRV_SDNN"][0] / 1000 * np.sqrt((n - 1) / n), rtol=1e-3
    )
    np.testing.assert_allclose(_column(features, "rr_rmssd_s"), hrv["HRV_RMSSD"][0] / 1000, rtol=0.02)


def test_a_heart_that_speeds_up_shows_the_change_against_the_start(tmp_path: Path) -> None:
    values = np.concatenate([_simulate(60, seconds=10), _simulate(90, seconds=10)])
    change = _column(_encode(tmp_path, values), "heart_rate_change_bpm")
    assert change[0] == 0
    np.testing.assert_allclose(change[:14], 0, atol=2)
    np.testing.assert_allclose(change[-14:], 30, atol=3)


def test_an_interval_that_no_heart_makes_is_left_out_and_lowers_the_quality(tmp_path: Path) -> None:
    values = _simulate(75, seconds=20)
    # The lead falls off for three seconds; the interval across it is no interval of the heart.
    values[8 * RATE : 11 * RATE] = values[8 * RATE] + 1e-6 * np.arange(3 * RATE)
    features = _encode(tmp_path, values)
    # Taken for an interval, the gap would be a rate of about 20.
    np.testing.assert_allclose(_column(features, "heart_rate_bpm"), 75, atol=16)
    np.testing.assert_allclose(np.median(_column(features, "heart_rate_bpm")), 75, atol=1)
    assert 0.5 < _column(features, "quality")[0] < 1


@pytest.mark.parametrize(
    "values",
    [
        np.full(5 * RATE, 0.7),
        np.zeros(3),
        np.array([0.4]),
        1e-3 * np.arange(5 * RATE),
        _simulate(60)[: int(1.4 * RATE)],
        _simulate(60)[:90],
    ],
    ids=["flat", "three rows", "one row", "ramp", "a beat or two", "third of a second"],
)
def test_without_three_beats_the_clip_is_flagged_and_neutral(tmp_path: Path, values: np.ndarray) -> None:
    features = _encode(tmp_path, values)
    assert features.notes["beats_missing"] == 1
    assert _column(features, "beats_missing").min() == 1
    np.testing.assert_array_equal(_column(features, "heart_rate_bpm"), 70)
    for name in ("heart_rate_change_bpm", "r_height", "rr_std_s", "rr_rmssd_s", "quality"):
        assert not _column(features, name).any()
    assert np.isfinite(features.values).all()


def test_a_flat_line_is_noted(tmp_path: Path) -> None:
    notes = _encode(tmp_path, np.full(5 * RATE, 0.7)).notes
    assert notes == {"interpolated_rows": 0, "flat": 1, "beats_missing": 1}


def test_noise_is_finite_and_trusted_less_than_a_heart(tmp_path: Path) -> None:
    noise = _encode(tmp_path, np.random.default_rng(4).normal(size=20 * RATE))
    assert np.isfinite(noise.values).all()
    assert _column(noise, "quality")[0] < 0.9


def test_the_height_of_r_waves_doubles_with_the_signal(tmp_path: Path) -> None:
    values = _simulate(70)
    once, twice = (_column(_encode(tmp_path, gain * values), "r_height") for gain in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-3)


def test_interpolated_rows_are_noted(tmp_path: Path) -> None:
    values = _simulate(70)
    values[[100, 101, 300]] = np.nan
    assert _encode(tmp_path, values).notes["interpolated_rows"] == 3
