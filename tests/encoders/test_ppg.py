"""The blood volume pulse encoder on simulated hearts whose rate is known."""

import warnings
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.ppg import Config, encode
from mtpkd_cli.errors import DataError

RATE = 64


def _simulate(bpm: float, seconds: int = 12, rate: int = RATE) -> np.ndarray:
    with warnings.catch_warnings():
        # NeuroKit2's own among its libraries.
        warnings.simplefilter("ignore")
        return nk.ppg_simulate(
            duration=seconds,
            sampling_rate=rate,
            heart_rate=bpm,
            frequency_modulation=0.01,
            ibi_randomness=0.0,
            drift=0,
            motion_amplitude=0,
            powerline_amplitude=0,
            burst_number=0,
            random_state=2,
        )


def _encode(tmp_path: Path, values: np.ndarray, rate: float = RATE, **segment: float) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"ppg": values}).to_csv(path, index=False)
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


@pytest.mark.parametrize("rate", [25, 64, 512])
@pytest.mark.parametrize("bpm", [60, 75, 100])
def test_the_heart_rate_is_recovered_in_a_clip_of_five_seconds(tmp_path: Path, bpm: int, rate: int) -> None:
    features = _encode(tmp_path, _simulate(bpm, rate=rate), rate, start_s=3.0, end_s=8.5)
    np.testing.assert_allclose(np.median(_column(features, "heart_rate_bpm")), bpm, atol=3.0)
    np.testing.assert_allclose(_column(features, "pp_mean_s"), 60 / bpm, rtol=0.04)
    assert not _column(features, "beats_missing").any()


def test_beats_are_those_of_neurokit2(tmp_path: Path) -> None:
    values = _simulate(83, seconds=30)
    events = nk.ppg_findpeaks(nk.ppg_clean(values, sampling_rate=RATE), sampling_rate=RATE)
    oracle = np.histogram(events["PPG_Peaks"] / RATE, bins=np.arange(0, 30.5, 0.5))[0]
    np.testing.assert_array_equal(_column(_encode(tmp_path, values), "beats"), oracle)


def test_a_heart_that_speeds_up_shows_the_change_against_the_start(tmp_path: Path) -> None:
    values = np.concatenate([_simulate(60, seconds=10), _simulate(90, seconds=10)])
    change = _column(_encode(tmp_path, values), "heart_rate_change_bpm")
    assert change[0] == 0
    np.testing.assert_allclose(change[:14], 0, atol=4)
    np.testing.assert_allclose(change[-14:], 30, atol=5)


def test_the_height_of_pulses_doubles_with_the_signal_and_falls_with_the_pulse(tmp_path: Path) -> None:
    values = _simulate(70, seconds=20)
    once, twice = (_column(_encode(tmp_path, gain * values), "pulse_height") for gain in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-3)
    fading = values * np.where(np.arange(len(values)) < 10 * RATE, 1.0, 0.4)
    change = _column(_encode(tmp_path, fading), "pulse_height_change")
    assert (change[-10:] < -0.4 * once[0]).all()


@pytest.mark.parametrize(
    "values",
    [np.full(5 * RATE, 0.7), np.zeros(3), np.array([0.4]), 1e-3 * np.arange(RATE // 2), _simulate(60)[:70]],
    ids=["flat", "three rows", "one row", "ramp", "a beat or two"],
)
def test_without_three_beats_the_clip_is_flagged_and_neutral(tmp_path: Path, values: np.ndarray) -> None:
    features = _encode(tmp_path, values)
    assert features.notes["beats_missing"] == 1
    assert _column(features, "beats_missing").min() == 1
    np.testing.assert_array_equal(_column(features, "heart_rate_bpm"), 70)
    for name in ("heart_rate_change_bpm", "pulse_height", "pp_std_s", "pp_rmssd_s", "quality"):
        assert not _column(features, name).any()
    assert np.isfinite(features.values).all()


@pytest.mark.parametrize("n", [16, 33, 64, 65, 71, 90, 131])
def test_noise_of_any_length_is_finite(tmp_path: Path, n: int) -> None:
    assert np.isfinite(_encode(tmp_path, np.random.default_rng(n).normal(size=n)).values).all()


def test_flat_lines_and_interpolated_rows_are_noted(tmp_path: Path) -> None:
    notes = _encode(tmp_path, np.full(5 * RATE, 0.7)).notes
    assert notes == {"interpolated_rows": 0, "flat": 1, "beats_missing": 1}
    values = _simulate(70)
    values[[100, 101, 300]] = np.nan
    assert _encode(tmp_path, values).notes["interpolated_rows"] == 3


def test_a_rate_that_cannot_hold_a_pulse_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 values per second are too few"):
        _encode(tmp_path, np.random.default_rng(0).normal(size=80), rate=4)
