"""The skin conductance encoder on simulated signals whose responses are known."""

import warnings
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders.eda import Config, encode

RATE = 64


def _simulate(seconds: int, responses: int) -> np.ndarray:
    with warnings.catch_warnings():
        # NeuroKit2's own among its libraries.
        warnings.simplefilter("ignore")
        return nk.eda_simulate(
            duration=seconds, sampling_rate=RATE, scr_number=responses, drift=-0.01, noise=0.001, random_state=5
        )


def _encode(tmp_path: Path, values: np.ndarray, rate: float = RATE, **options: object) -> Features:
    path = tmp_path / "s.csv"
    pd.DataFrame({"gsr": values}).to_csv(path, index=False)
    return encode(Segment(path), Config(sample_rate_hz=rate, time_column="", **options))


def _column(features: Features, name: str) -> np.ndarray:
    return features.values[:, features.names.index(name)]


def test_shapes_names_and_times_are_as_agreed(tmp_path: Path) -> None:
    features = _encode(tmp_path, _simulate(7, 2))
    assert features.values.shape == (14, 12)
    assert features.values.dtype == np.float32
    assert len(features.names) == len(set(features.names)) == 12
    np.testing.assert_allclose(features.times_s, np.arange(14) * 0.5 + 0.25)
    assert np.isfinite(features.values).all()
    assert not any(features.notes.values())


@pytest.mark.parametrize("decomposition", ["highpass", "smoothmedian"])
def test_every_simulated_response_is_found(tmp_path: Path, decomposition: str) -> None:
    features = _encode(tmp_path, _simulate(60, 5), decomposition=decomposition)
    assert _column(features, "scr_peaks").sum() == 5
    assert _column(features, "scr_onsets").sum() == 5
    assert _column(features, "scr_rise").max() > 0.5


def test_responses_are_those_of_neurokit2(tmp_path: Path) -> None:
    values = _simulate(60, 6)
    phasic = nk.eda_phasic(nk.eda_clean(values, sampling_rate=RATE), sampling_rate=RATE, method="highpass")
    _, events = nk.eda_peaks(phasic["EDA_Phasic"].to_numpy(), sampling_rate=RATE)
    oracle = np.histogram(events["SCR_Peaks"] / RATE, bins=np.arange(0, 60.5, 0.5))[0]
    np.testing.assert_array_equal(_column(_encode(tmp_path, values), "scr_peaks"), oracle)


@pytest.mark.parametrize("method", ["highpass", "smoothmedian"])
def test_levels_and_rises_are_those_of_neurokit2(tmp_path: Path, method: str) -> None:
    values = _simulate(60, 6)
    cleaned = nk.eda_clean(values, sampling_rate=RATE)
    parts = nk.eda_phasic(cleaned, sampling_rate=RATE, method=method)
    features = _encode(tmp_path, values, decomposition=method)
    steps = {
        "level": cleaned,
        "tonic": parts["EDA_Tonic"].to_numpy(),
        "phasic_mean": parts["EDA_Phasic"].to_numpy(),
    }
    for name, signal in steps.items():
        oracle = signal[: 120 * (RATE // 2)].reshape(120, RATE // 2).mean(axis=1)
        np.testing.assert_allclose(_column(features, name), oracle, rtol=1e-4, atol=1e-4)
    _, events = nk.eda_peaks(parts["EDA_Phasic"].to_numpy(), sampling_rate=RATE)
    rises = _column(features, "scr_rise").sum()
    assert rises == pytest.approx(np.nansum(events["SCR_Amplitude"]), rel=0.1)


def test_more_responses_are_more_phasic_activity(tmp_path: Path) -> None:
    activity = [_column(_encode(tmp_path, _simulate(30, n)), "phasic_std").mean() for n in (1, 3, 6)]
    assert activity[0] < activity[1] < activity[2]


def test_a_ramp_changes_by_its_slope(tmp_path: Path) -> None:
    seconds = 7
    features = _encode(tmp_path, 2.0 + 0.3 * np.arange(seconds * RATE) / RATE)
    np.testing.assert_allclose(_column(features, "slope_mean")[2:-2], 0.3, atol=0.01)
    expected = 0.3 * (features.times_s - 0.5)
    np.testing.assert_allclose(_column(features, "level_change")[2:-2], expected[2:-2], atol=0.02)


def test_noise_below_the_floor_is_no_response(tmp_path: Path) -> None:
    values = 3.0 + 0.001 * np.random.default_rng(0).normal(size=7 * RATE)
    assert _column(_encode(tmp_path, values), "scr_peaks").sum() == 0


def test_a_flat_line_is_flagged_and_keeps_its_level(tmp_path: Path) -> None:
    features = _encode(tmp_path, np.full(5 * RATE, 2.5))
    assert features.notes["flat"] == 1
    np.testing.assert_allclose(_column(features, "level"), 2.5)
    np.testing.assert_allclose(_column(features, "tonic"), 2.5)
    others = [i for i, name in enumerate(features.names) if name not in {"level", "tonic"}]
    assert not features.values[:, others].any()


@pytest.mark.parametrize(("n", "rate"), [(1, 4.0), (2, 4.0), (3, 512.0), (31, 64.0), (33, 64.0), (22, 4.0)])
def test_very_short_clips_are_finite_and_flagged_below_the_filters_length(tmp_path: Path, n: int, rate: float) -> None:
    features = _encode(tmp_path, np.random.default_rng(n).normal(size=n).cumsum() + 5, rate)
    assert np.isfinite(features.values).all()
    assert features.notes["short"] == (n < 32)


@pytest.mark.parametrize("rate", [4.0, 15.0, 100.0, 512.0])
def test_any_usual_rate_gives_the_same_level_without_a_warning(tmp_path: Path, rate: float) -> None:
    t = np.arange(round(20 * rate)) / rate
    features = _encode(tmp_path, 4.0 + 0.5 * np.sin(2 * np.pi * t / 10), rate)
    expected = 4.0 + 0.5 * np.sin(2 * np.pi * features.times_s / 10)
    np.testing.assert_allclose(_column(features, "level")[2:-2], expected[2:-2], atol=0.08)


def test_interpolated_rows_are_noted(tmp_path: Path) -> None:
    values = _simulate(10, 1)
    values[[100, 101, 300]] = np.nan
    assert _encode(tmp_path, values).notes["interpolated_rows"] == 3


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="colunm"):
        Config(colunm="gsr")  # type: ignore[call-arg]
