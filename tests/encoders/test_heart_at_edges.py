"""The rate of a simulated heart is right in clips cut anywhere, and no false beat at an edge makes another."""

import warnings

import neurokit2 as nk
import numpy as np
import pytest

from mtpkd_cli.encoders._heartbeats import heart_columns
from mtpkd_cli.encoders._neurokit import clean_and_find
from mtpkd_cli.encoders._windows import split_steps


def _rates(kind: str, clip: np.ndarray, rate_hz: int) -> np.ndarray | None:
    """Heart rate at every step; None where beats are missing."""
    cleaned, (beats,) = clean_and_find(
        clip,
        rate_hz,
        kind=kind,
        events=("ECG_R_Peaks" if kind == "ecg" else "PPG_Peaks",),
        min_s=1.0,
        min_values=64,
        min_rate_hz=17.0,
    )
    steps = split_steps(len(clip), rate_hz, 0.5)
    columns = heart_columns(beats, cleaned[beats], rate_hz, steps, interval="rr", height="height")
    return None if columns["beats_missing"][0] else columns["heart_rate_bpm"]


@pytest.mark.parametrize("bpm", [50, 60, 75, 100])
@pytest.mark.parametrize(("kind", "rate_hz"), [("ecg", 128), ("ecg", 500), ("ppg", 64)])
def test_the_rate_is_right_wherever_a_clip_is_cut(kind: str, rate_hz: int, bpm: int) -> None:
    steady = {"heart_rate_std": 0} if kind == "ecg" else {"ibi_randomness": 0.0, "frequency_modulation": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        heart = getattr(nk, f"{kind}_simulate")(
            duration=40, sampling_rate=rate_hz, heart_rate=bpm, random_state=3, **steady
        )
    for length_s in (2.0, 3.0, 5.0, 10.0):
        rates = [
            _rates(kind, heart[round(start * rate_hz) : round((start + length_s) * rate_hz)], rate_hz)
            for start in np.arange(3.0, 28.0, 1.37)
        ]
        known = [rate for rate in rates if rate is not None]
        np.testing.assert_allclose(np.concatenate([*known, [float(bpm)]]), bpm, rtol=0.06)
        assert length_s < 5 or len(known) == len(rates)


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("split_s", [0.2, 0.39, 0.5])
def test_a_false_beat_at_an_edge_makes_no_rate(at_end: bool, split_s: float) -> None:
    """Beats every second; the last or first interval is split by a false one: 0.39 s and 0.61 s say 124 a minute."""
    beats = np.arange(0.5, 7.0, 1.0)
    false = beats[-2] + split_s if at_end else beats[1] - split_s
    positions = np.round(np.sort(np.append(beats, false)) * 1000).astype(int)
    columns = heart_columns(
        positions, np.ones(len(positions)), 1000.0, split_steps(7000, 1000.0, 0.5), interval="rr", height="height"
    )
    np.testing.assert_allclose(columns["heart_rate_bpm"], 60.0, atol=0.5)
    assert columns["quality"][0] == pytest.approx(5 / 7)
    assert columns["rr_std_s"][0] == pytest.approx(0.0, abs=1e-3)


def test_a_rise_of_the_heart_is_no_false_beat() -> None:
    """From 60 to 120 a minute over fifteen seconds, and a breath's sway of a tenth: all beats are kept."""
    times = [0.5]
    while times[-1] < 15:
        times.append(times[-1] + (1.0 - 0.5 * times[-1] / 15) * (1 + 0.1 * np.sin(2 * np.pi * times[-1] / 4)))
    positions = np.round(np.array(times) * 1000).astype(int)
    steps = split_steps(positions[-1] + 400, 1000.0, 0.5)
    columns = heart_columns(positions, np.ones(len(positions)), 1000.0, steps, interval="rr", height="height")
    assert columns["quality"][0] == 1.0
