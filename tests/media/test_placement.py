"""Rows placed by their stamps: the true times are known, stamps are made wrong in the ways of the field."""

from collections.abc import Callable

import numpy as np
import pytest

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._placement import Placement, place_rows

N, RATE = 3840, 64.0
TRUE = np.arange(N) / RATE


def _none_repeated(n: int) -> Callable[[], np.ndarray]:
    return lambda: np.zeros(n, bool)


def _place(stamps: np.ndarray) -> Placement:
    return place_rows(stamps - stamps[0], _none_repeated(len(stamps)), "time", "t.csv")


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _worst_s(placed: Placement, true: np.ndarray) -> float:
    """Largest error of placed rows, but for the one constant that no stamp can tell (when a packet was on its way)."""
    error = placed.times_s - true[placed.rows]
    return float(np.abs(error - np.median(error)).max())


@pytest.mark.parametrize(
    "stamps",
    [TRUE, np.round(TRUE, 2), np.round(TRUE, 6), TRUE + _rng().uniform(-0.2, 0.2, N) / RATE],
    ids=["exact", "whole hundredths", "whole microseconds", "a fifth of an interval"],
)
def test_stamps_within_half_an_interval_of_a_grid_are_that_grid(stamps: np.ndarray) -> None:
    placed = _place(stamps)
    assert placed.even
    assert placed.notes == {}
    assert placed.rate_hz == pytest.approx(RATE, rel=2e-4)
    np.testing.assert_array_equal(placed.rows, np.arange(N))


NOISY = {
    "operating system": np.sort(TRUE + _rng().normal(0, 0.2 / RATE, N)),
    "out of order": TRUE + _rng().normal(0, 0.7 / RATE, N),
    "bursts of 8": TRUE[::8].repeat(8) + np.tile(np.arange(8), N // 8) * 0.001,
    "one stamp per packet": TRUE[::8].repeat(8),
    "packets late by chance": (TRUE[7::8] + np.abs(_rng().normal(0, 0.03, N // 8))).repeat(8),
    "whole seconds": np.floor(TRUE + 0.3),
}


@pytest.mark.parametrize("name", NOISY)
def test_scattered_stamps_of_a_stable_rate_are_smoothed_to_even_rows_and_counted(name: str) -> None:
    stamps = NOISY[name]
    placed = _place(stamps)
    assert placed.even
    assert placed.rate_hz == pytest.approx(RATE, rel=5e-4)
    assert _worst_s(placed, TRUE) < 0.5 / RATE
    assert placed.notes["stamps_smoothed"] == N
    # The least shift that any even grid needs is half of the range of what stamps are off.
    off = stamps - TRUE
    assert 500 * np.ptp(off) * 0.9 < placed.notes["largest_shift_ms"] < 1000 * np.ptp(off) * 1.1


@pytest.mark.parametrize("name", ["operating system", "packets late by chance"])
def test_lost_packets_leave_gaps_where_they_were(name: str) -> None:
    kept = np.ones(N, bool)
    kept[1000:1008] = kept[3000:3016] = False
    placed = _place(NOISY[name][kept])
    assert placed.even
    assert _worst_s(placed, TRUE[kept]) < 1.6 / RATE
    steps = np.rint(np.diff(placed.times_s) * placed.rate_hz)
    # A packet that comes late by chance hides up to three rows of what was lost.
    assert steps[999] == pytest.approx(9, abs=3)
    assert steps[2991] == pytest.approx(17, abs=3)
    assert (np.delete(steps, [999, 2991]) == 1).all()


UNEVEN = {
    "100 then 80 Hz": np.concatenate([np.arange(3000) / 100, 30 + np.arange(2400) / 80]),
    "webcam 30 then 22 Hz": np.concatenate([np.arange(1800) / 30, 60 + np.arange(1320) / 22]),
    "phone": np.cumsum(_rng(1).uniform(0.008, 0.012, 6000)),
    "webcam, frames dropped, times of the camera": (
        (np.arange(1800) / 30 + _rng(2).normal(0, 0.004, 1800))[_rng(3).random(1800) > 0.1]
    ),
    "slow drift of a clock": TRUE + np.cumsum(1e-3 * np.sin(2 * np.pi * TRUE / 60)) / 64,
}


@pytest.mark.parametrize("name", UNEVEN)
def test_real_intervals_are_believed_to_the_microsecond(name: str) -> None:
    stamps = UNEVEN[name]
    placed = _place(stamps)
    assert not placed.even
    assert placed.notes == {"rows_placed_by_stamps": len(stamps)}
    np.testing.assert_allclose(placed.times_s, stamps - stamps[0], atol=1e-6)
    # The grid is no coarser than rows come for a second.
    assert placed.rate_hz >= 0.99 * np.median(1 / np.diff(stamps))


def test_jitter_about_a_rate_that_changes_is_smoothed_and_the_change_is_followed() -> None:
    true = np.cumsum(np.concatenate([np.full(N // 2, 1 / 64), np.full(N // 2, 1.02 / 64)]))
    placed = _place(true + _rng().normal(0, 0.012, N))
    assert not placed.even
    assert set(placed.notes) == {"stamps_smoothed", "largest_shift_ms", "rows_placed_by_stamps"}
    # A single line of stamp on row would be wrong by .15 s in the middle.
    assert _worst_s(placed, true) < 0.02
    # Less scatter is not worth the smoothing, which blurs the change.
    believed = _place(true + _rng().normal(0, 0.0015, N))
    assert set(believed.notes) == {"rows_placed_by_stamps"}


@pytest.mark.parametrize("pauses", [1, 5])
def test_pauses_of_a_recorder_whose_stamps_scatter_stay_pauses(pauses: int) -> None:
    true = TRUE + 20 * (np.arange(N) * (pauses + 1) // N)
    placed = _place(true + _rng().normal(0, 0.003, N))
    assert placed.even
    assert _worst_s(placed, true) < 1.0 / RATE
    steps = np.diff(placed.times_s)
    assert (steps > 1).sum() == pauses
    assert steps.max() == pytest.approx(20 + 1 / RATE, abs=1.0 / RATE)


def test_a_change_of_rate_is_found_in_stamps_of_whole_milliseconds() -> None:
    true = UNEVEN["100 then 80 Hz"]
    placed = _place(np.round(true, 3))
    assert not placed.even
    assert _worst_s(placed, true) < 0.001


@pytest.mark.parametrize("jitter_s", [0.0, 0.001])
def test_dropped_frames_of_a_steady_camera_are_gaps_of_its_grid(jitter_s: float) -> None:
    frames = np.flatnonzero(_rng().random(1800) > 0.25)
    placed = _place(frames / 30 + _rng(1).normal(0, jitter_s, len(frames)))
    assert placed.even
    assert placed.rate_hz == pytest.approx(30, rel=1e-4)
    np.testing.assert_allclose(placed.times_s * placed.rate_hz, frames - frames[0], atol=0.2)


@pytest.mark.parametrize("order", [np.arange(N)[::-1], _rng().permutation(N), np.roll(np.arange(N), 1500)])
def test_an_even_series_in_a_wrong_order_is_sorted_and_counted(order: np.ndarray) -> None:
    placed = place_rows(TRUE[order], _none_repeated(N), "time", "t.csv")
    assert placed.even
    np.testing.assert_array_equal(order[placed.rows], np.arange(N))
    assert placed.notes["rows_sorted"] >= N - 5


def test_copies_of_rows_are_left_out_and_counted() -> None:
    stamps = np.concatenate([TRUE[:2000], TRUE[1500:]])  # a stretch stands twice
    copies = np.zeros(len(stamps), bool)
    copies[2000:2500] = True
    placed = place_rows(stamps, lambda: copies, "time", "t.csv")
    assert placed.notes == {"rows_repeated": 500}
    np.testing.assert_allclose(placed.times_s, TRUE)
    with pytest.raises(DataError, match=r"1 times do not rise, first in row 2001: a step back of 7\.79688 s"):
        place_rows(stamps, _none_repeated(len(stamps)), "time", "t.csv")


@pytest.mark.parametrize(
    "stamps",
    [np.round(TRUE / 0.016) * 0.016, np.where(np.arange(N) == 500, TRUE[499], TRUE)],
    ids=["clock of 16 ms", "one stamp twice"],
)
def test_rows_whose_stamps_stay_for_a_row_are_even(stamps: np.ndarray) -> None:
    placed = _place(stamps)
    np.testing.assert_allclose(placed.times_s, TRUE, atol=0.002)
    assert placed.notes == {"stamps_smoothed": N}


@pytest.mark.parametrize("back_s", [0.5, 3.0, 3600.0])
def test_a_clock_that_was_set_back_is_refused(back_s: float) -> None:
    stamps = TRUE.copy()
    stamps[2000:] -= back_s
    with pytest.raises(DataError, match="do not rise, first in row 2001: a step back of") as caught:
        _place(stamps)
    assert "clock" in str(caught.value)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (np.zeros(10), "all 10 times are equal"),
        (np.array([0.0, 1.0, np.nan, 3.0]), "first in row 3: a missing one"),
        (np.array([0.0, 1.0, 1.0, 2.0]), "first in row 3: equal ones"),
        (np.floor(np.arange(14_400) / 4 / 60) * 60, "shifted by up to"),
    ],
    ids=["constant", "missing", "equal", "whole minutes"],
)
def test_what_cannot_be_placed_is_refused_saying_why(stamps: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        place_rows(stamps, _none_repeated(len(stamps)), "time", "t.csv")
    assert "column 'time'" in str(caught.value)
    assert "t.csv" in str(caught.value)


def test_smoothing_is_the_regression_of_stamp_on_row() -> None:
    """What pyxdf does within a segment, restated."""
    stamps = NOISY["operating system"]
    slope, intercept = np.polyfit(np.arange(N), stamps - stamps[0], 1)
    placed = _place(stamps)
    np.testing.assert_allclose(placed.times_s, slope * np.arange(N), atol=1e-4)
    expected = 1000 * np.abs(stamps - stamps[0] - slope * np.arange(N) - intercept).max()
    assert placed.notes["largest_shift_ms"] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("n", [2, 3, 5, 11, 40])
@pytest.mark.parametrize("seed", range(5))
def test_few_rows_with_any_stamps_rise_or_are_refused(n: int, seed: int) -> None:
    stamps = np.sort(_rng(seed).uniform(0, n / 10, n))
    try:
        placed = _place(stamps)
    except DataError:
        return
    assert (np.diff(placed.times_s) > 0).all()
    assert placed.times_s[0] == 0
    assert np.isfinite([placed.rate_hz, placed.slowest_hz]).all()
