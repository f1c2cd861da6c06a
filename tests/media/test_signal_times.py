"""Units and spellings of time, and values placed by them: hearts, sines and events whose times are known."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.encoders import Segment, ecg, eda, emg, ppg, resp, signal
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.signals import Signal, read_signal

EPOCH_S = 1_600_000_000
UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}


def _write(path: Path, time: Any, name: str = "time", **columns: Any) -> Path:
    table = pd.DataFrame({name: time, **(columns or {"x": np.arange(len(time), dtype=float)})})
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path


def _read(path: Path, column: str = "x", **options: Any) -> Signal:
    return read_signal(path, column, time_column="time", **options)


# --- values stand where their stamps say ---


@pytest.mark.parametrize("rates", [(100, 100), (100, 80), (80, 100)])
def test_a_heart_beats_at_its_rate_whatever_the_rate_of_sampling_does(tmp_path: Path, rates: tuple[int, int]) -> None:
    import neurokit2 as nk

    t = np.concatenate([np.arange(0, 20, 1 / rates[0]), 20 + np.arange(0, 20, 1 / rates[1])])
    heart = nk.ecg_simulate(duration=41, sampling_rate=1000, heart_rate=75, random_state=1)
    path = _write(tmp_path / "s.csv", t, ecg=np.interp(t, np.arange(len(heart)) / 1000, heart))
    features = ecg.encode(Segment(path), ecg.Config(column="ecg"))
    rate = features.values[:, features.names.index("heart_rate_bpm")]
    for part in np.array_split(rate, 4):
        assert part.mean() == pytest.approx(75, rel=0.01)


@pytest.mark.parametrize("jittered", [True, False])
def test_a_pulse_beats_at_its_rate_though_stamps_scatter(tmp_path: Path, jittered: bool) -> None:
    import neurokit2 as nk

    t = np.arange(40 * 64) / 64
    stamps = np.sort(t + np.random.default_rng(0).normal(0, 0.003, len(t))) if jittered else np.floor(t * 8) / 8
    pulse = nk.ppg_simulate(duration=41, sampling_rate=1000, heart_rate=70, random_state=1)
    values = np.interp(t, np.arange(len(pulse)) / 1000, pulse)
    rates = []
    for name, time in (("even", t), ("s", stamps)):
        path = _write(tmp_path / f"{name}.csv", time, ppg=values)
        features = ppg.encode(Segment(path), ppg.Config())
        rates.append(features.values[:, features.names.index("heart_rate_bpm")])
    np.testing.assert_allclose(rates[1], rates[0], rtol=0.01)
    assert features.notes["stamps_smoothed"] == len(t)
    assert features.notes["interpolated_rows"] == 0


@pytest.mark.parametrize("dropped", [0.0, 0.2])
def test_events_of_a_webcam_come_when_they_came(tmp_path: Path, dropped: float) -> None:
    t = np.concatenate([np.arange(0, 30, 1 / 32), 30 + np.arange(0, 30, 1 / 22)])
    t = t[np.random.default_rng(0).random(len(t)) >= dropped]
    path = _write(tmp_path / "s.csv", t, x=((t % 10) < 1) * 3.0)
    config = signal.Config(column="x", rate_hz=32.0, standardise=False)
    features = signal.encode(Segment(path), config)
    values = features.values[:, 0]
    begins = features.times_s[1:][(values[1:] > 1.5) & (values[:-1] <= 1.5)]
    # The event lies between two frames, which are up to four frames apart where some are dropped.
    np.testing.assert_allclose(begins, [10, 20, 30, 40, 50], atol=(4 if dropped else 1) / 22)
    assert features.notes["rows_placed_by_stamps"] == len(t)


def test_a_sine_sampled_unevenly_is_the_sine(tmp_path: Path) -> None:
    t = np.cumsum(np.random.default_rng(0).uniform(0.008, 0.012, 3000))
    t -= t[0]
    signal = _read(_write(tmp_path / "s.csv", t, x=np.sin(2 * np.pi * 1.3 * t)))
    grid = np.arange(len(signal.values)) / signal.rate_hz
    np.testing.assert_allclose(signal.values, np.sin(2 * np.pi * 1.3 * np.minimum(grid, t[-1])), atol=2e-3)
    assert len(signal.values) / signal.rate_hz == pytest.approx(t[-1], abs=0.02)
    assert signal.n_interpolated == 0


@pytest.mark.parametrize("uneven", [True, False])
def test_a_part_is_that_part_of_the_whole(tmp_path: Path, uneven: bool) -> None:
    t = np.arange(1280) / 64 if not uneven else np.concatenate([np.arange(640) / 64, 10 + np.arange(480) / 48])
    path = _write(tmp_path / "s.csv", t, x=np.sin(t))
    for start_s, end_s in ((0.0, 5.0), (7.3, 12.1), (15.0, 20.0)):
        part = _read(path, start_s=start_s, end_s=end_s)
        assert len(part.values) == pytest.approx((end_s - start_s) * part.rate_hz, abs=1)
        grid = start_s + np.arange(len(part.values)) / part.rate_hz
        np.testing.assert_allclose(part.values, np.sin(np.minimum(grid, t[-1])), atol=1.1 / 64)
        assert part.past_end_s == 0


def test_a_part_that_begins_or_ends_in_a_gap_is_not_moved_in_time(tmp_path: Path) -> None:
    t = np.delete(np.arange(1280) / 64, np.arange(320, 640))  # nothing from 5 s to 10 s
    path = _write(tmp_path / "s.csv", t, x=t)
    for start_s, end_s in ((8.0, 13.0), (2.0, 7.0), (4.0, 11.0)):
        with pytest.raises(DataError, match="values are missing, up to"):
            _read(path, start_s=start_s, end_s=end_s)
    short = _read(path, start_s=9.9, end_s=15.0)
    assert short.n_interpolated == 6
    assert len(short.values) == pytest.approx(5.1 * 64, abs=1)
    assert short.values[64 + 6] == pytest.approx(11.0, abs=1.1 / 64)


def test_a_long_gap_among_uneven_rows_is_missing(tmp_path: Path) -> None:
    t = np.cumsum(np.random.default_rng(0).uniform(0.008, 0.012, 3000))
    t[1500:] += 0.8
    path = _write(tmp_path / "s.csv", t, x=np.sin(t))
    with pytest.raises(DataError, match=r"up to 0\.8\d s at a time"):
        _read(path)
    assert _read(path, end_s=10.0).n_interpolated == 0


def test_a_given_rate_that_would_move_rows_gives_way_to_the_stamps(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", np.arange(6000) / 98.5)
    assert _read(path, sample_rate_hz=100.0).rate_hz == pytest.approx(98.5)
    with pytest.raises(DataError, match=r"has 98\.5 rows per second, sample_rate_hz is 128"):
        _read(path, sample_rate_hz=128.0)


def test_a_recorder_that_stopped_early_is_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", np.arange(20 * 64) / 64)
    for options in ({"time_column": "time", "time_unit_s": 1.0}, {"sample_rate_hz": 64.0}):
        early = read_signal(path, "x", start_s=15.0, end_s=45.0, **options)
        assert early.notes == {"interpolated_rows": 0, "seconds_past_end": 25.0}
        assert len(early.values) == 5 * 64
        assert read_signal(path, "x", start_s=15.0, end_s=20.01, **options).past_end_s == 0


# --- units ---


@pytest.mark.parametrize("start", [0, EPOCH_S])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("config", "hz"), [(ecg.Config(), 250), (ppg.Config(), 64), (eda.Config(), 4)])
def test_the_unit_is_the_only_one_that_fits_the_sensor(
    tmp_path: Path, config: Any, hz: int, unit: str, start: int
) -> None:
    ticks = (np.arange(60 * hz) / hz + start) / UNITS[unit]
    path = _write(tmp_path / "s.csv", ticks if unit == "seconds" else np.rint(ticks).astype("int64"))
    read = _read(path, rates_hz=tuple(config.rates_hz))
    assert read.rate_hz == pytest.approx(hz, rel=1e-3)
    assert read.recording_s == pytest.approx(60, rel=1e-3)
    assert read.notes == {"interpolated_rows": 0, f"times_taken_as_{unit}": 1}


def test_two_units_that_both_fit_are_a_question(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", np.arange(5000))
    with pytest.raises(DataError, match="the unit of column 'time' is not known") as caught:
        _read(path)
    assert "1 rows per second if 1, 1000 rows per second if 0.001" in str(caught.value)
    assert _read(path, time_unit_s=1e-3).rate_hz == pytest.approx(1000)
    assert _read(path, time_unit_s=1.0).rate_hz == pytest.approx(1)
    assert _read(path, sample_rate_hz=1000.0).rate_hz == pytest.approx(1000)
    # A sample that ends after half an hour needs a recording that long.
    assert _read(path, start_s=1800.0, end_s=2000.0).rate_hz == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "hz"), [("time [ns]", 64e9), ("time_ms", 64e3), ("time (s)", 64.0), ("min", 64 * 60), ("Time_µs", 64e6)]
)
def test_a_unit_in_the_name_of_the_column_counts(tmp_path: Path, name: str, hz: float) -> None:
    ticks = np.arange(640) / 64 * (1 / 60 if name == "min" else hz / 64)
    path = _write(tmp_path / "s.csv", ticks, name)
    read = read_signal(path, "x", time_column=name)
    assert read.rate_hz == pytest.approx(64)
    assert read.notes == {"interpolated_rows": 0}


def test_a_slow_sensor_is_no_recording_of_half_a_second(tmp_path: Path) -> None:
    """A value every 5 s is below the rates of skin conductance, and in milliseconds 240 of them would last 1.2 s."""
    path = _write(tmp_path / "t.csv", 5.0 * np.arange(240))
    with pytest.raises(DataError, match=r"200 rows per second if 0\.001, 0\.2 rows per second if 1"):
        _read(path, rates_hz=(0.5, 3000.0))


def test_minutes_are_inferred_where_nothing_finer_is_possible(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", np.arange(60_000) / 1000 / 60)
    read = _read(path, rates_hz=tuple(ecg.Config().rates_hz))
    assert read.rate_hz == pytest.approx(1000)
    assert read.notes["times_taken_as_minutes"] == 1


@pytest.mark.parametrize(
    ("start", "wrong", "rate", "likely"),
    [(0, 1e-6, "4000", "0.001"), (EPOCH_S * 1000, 1e-6, "4000", "0.001"), (0, 1.0, "0.004", "0.001")],
)
def test_a_given_unit_that_cannot_be_is_an_error_that_names_the_likely_one(
    tmp_path: Path, start: int, wrong: float, rate: str, likely: str
) -> None:
    path = _write(tmp_path / "s.csv", start + np.arange(240) * 250)
    with pytest.raises(DataError, match=f"column 'time' would mean {rate} rows per second at time_unit_s") as caught:
        _read(path, time_unit_s=wrong, rates_hz=tuple(eda.Config().rates_hz))
    assert f"perhaps to {likely}" in str(caught.value)
    # Whoever states the rate as well means it.
    stated = _read(path, time_unit_s=wrong, sample_rate_hz=float(rate), rates_hz=tuple(eda.Config().rates_hz))
    assert stated.rate_hz == pytest.approx(float(rate))


def test_a_date_of_our_days_contradicts_a_unit_that_the_rates_allow(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", EPOCH_S * 1000 + np.arange(240) * 250)
    with pytest.raises(DataError, match="would mean 4000 rows per second at time_unit_s = 1e-06") as caught:
        _read(path, time_unit_s=1e-6)
    assert "perhaps to 0.001" in str(caught.value)


@pytest.mark.parametrize("encoder", [ecg, ppg, eda, emg, resp, signal])
def test_bounds_of_rates_are_an_option_of_each_kind_of_signal(encoder: Any) -> None:
    low, high = encoder.Config(column="x").rates_hz
    assert 0 < low < high
    assert encoder.Config(column="x", rates_hz=[1.0, 9.0]).rates_hz == [1.0, 9.0]
    for wrong in ([9.0, 1.0], [1.0], [0.0, 1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="rates_hz"):
            encoder.Config(column="x", rates_hz=wrong)


# --- spellings ---


def _stamps(n: int = 640) -> pd.DatetimeIndex:
    # Summer time begins at 02:00 in much of Europe; midnight is passed further below.
    return pd.date_range("2024-03-31 01:59:55", periods=n, freq="15625us")


SPELLINGS = {
    "int64 ns": EPOCH_S * 10**9 + np.arange(640) * 15_625_000,
    "datetime64": _stamps(),
    "datetime64 with zone": _stamps().tz_localize("UTC").tz_convert("Europe/Berlin"),
    "ISO text": _stamps().strftime("%Y-%m-%dT%H:%M:%S.%f"),
    "ISO text with zone": _stamps().strftime("%Y-%m-%dT%H:%M:%S.%f+02:00"),
    "time of day": (_stamps() + pd.Timedelta("22:00:00")).strftime("%H:%M:%S.%f"),
    "python times": [(_stamps()[i] + pd.Timedelta("22:00:00")).time() for i in range(640)],
    "timedelta64": _stamps() - _stamps()[0],
    "text of numbers": [f"{i / 64:.6f}" for i in range(640)],
    "categories": pd.Categorical(_stamps().strftime("%Y-%m-%dT%H:%M:%S.%f")),
}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_time_gives_the_same_times(tmp_path: Path, name: str, suffix: str) -> None:
    if (name, suffix) == ("timedelta64", ".csv"):
        pytest.skip("pandas writes it as '0 days 00:00:00'")
    path = _write(tmp_path / f"s{suffix}", SPELLINGS[name])
    read = _read(path)
    assert (len(read.values), read.rate_hz) == (640, pytest.approx(64))
    np.testing.assert_array_equal(read.values, np.arange(640))


@pytest.mark.parametrize("cells", [["now", "later", "x"], [datetime.date(2024, 1, 1)] * 3, [b"a", b"b", b"c"]])
def test_what_is_no_time_is_an_error_that_names_file_and_column(tmp_path: Path, cells: list[Any]) -> None:
    path = _write(tmp_path / "s.parquet", cells)
    with pytest.raises(DataError) as caught:
        _read(path)
    assert "column 'time'" in str(caught.value)
    assert "s.parquet" in str(caught.value)


def test_a_time_that_is_not_understood_is_shown(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.csv", [f"03/31/2024 10:00:{i:02d} PM" for i in range(20)])
    with pytest.raises(DataError, match="column 'time' holds no times, as '03/31/2024 10:00:00 PM'"):
        _read(path)


@pytest.mark.parametrize("missing", [0, 5, 639])
@pytest.mark.parametrize("name", ["int64 ns", "datetime64", "ISO text", "text of numbers"])
def test_a_missing_stamp_is_an_error(tmp_path: Path, name: str, missing: int) -> None:
    column = pd.Series(SPELLINGS[name], dtype="Int64" if name == "int64 ns" else None)
    column[missing] = None
    path = _write(tmp_path / "s.parquet", column)
    with pytest.raises(DataError, match=r"do not rise, first in row \d+: a missing one"):
        _read(path, time_unit_s=1e-9 if name == "int64 ns" else None)


def test_several_series_in_one_table_are_not_taken_for_packets(tmp_path: Path) -> None:
    t = np.arange(300).repeat(2) / 30
    path = _write(tmp_path / "s.csv", t, x=np.sin(t), face_id=np.tile([0, 1], 300))
    with pytest.raises(DataError, match="column 'face_id' tells rows of equal 'time' apart"):
        _read(path)


@pytest.mark.parametrize("row", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_row_that_names_the_delimiter_is_passed_over(tmp_path: Path, row: str) -> None:
    (tmp_path / "s.csv").write_text(f"{row}\ntime;x\n0,0;1,5\n0,25;2,5\n0,5;3,5\n")
    read = _read(tmp_path / "s.csv")
    assert (read.values.tolist(), read.rate_hz) == ([1.5, 2.5, 3.5], pytest.approx(4))


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_encoding_gives_the_same_values(tmp_path: Path, encoding: str, delimiter: str) -> None:
    table = pd.DataFrame({"time (s)": np.arange(640) / 64, "EDA [µS]": np.arange(640) / 10, "Größe": 1.0})
    text = table.to_csv(index=False, sep=delimiter, decimal="." if delimiter == "," else ",")
    (tmp_path / "s.csv").write_bytes(text.encode(encoding))
    for column in ("EDA [µS]", "EDA [μS]", "EDA"):  # the micro sign, the Greek letter, and without the unit
        read = read_signal(tmp_path / "s.csv", column, time_column="time")
        np.testing.assert_allclose(read.values, np.arange(640) / 10)
        assert read.rate_hz == pytest.approx(64)


def test_a_name_without_its_unit_must_be_the_only_one(tmp_path: Path) -> None:
    _write(tmp_path / "s.csv", np.arange(9) / 64, **{"EDA [µS]": 1.0, "EDA [kOhm]": 2.0})
    with pytest.raises(DataError, match="there are several columns 'EDA'"):
        _read(tmp_path / "s.csv", "EDA")
    assert _read(tmp_path / "s.csv", "EDA [kOhm]").values[0] == 2.0


@pytest.mark.parametrize(
    "kind", ["int64", "uint64", "float32", "bool", "decimal", "dictionary", "list", "struct", "binary", "date"]
)
def test_no_type_of_column_is_a_raw_error(tmp_path: Path, kind: str) -> None:
    import decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "int64": pa.array([2**62, 2**62 + 1, 5]),
        "uint64": pa.array([2**64 - 1, 1, 5], pa.uint64()),
        "float32": pa.array([1.0, 2.0, 3.0], pa.float32()),
        "bool": pa.array([True, False, True]),
        "decimal": pa.array([decimal.Decimal("1.10")] * 3),
        "dictionary": pa.array(["1.5", "2", "3"]).dictionary_encode(),
        "list": pa.array([[1.0]] * 3),
        "struct": pa.array([{"a": 1}] * 3),
        "binary": pa.array([b"\xff\xfe"] * 3),
        "date": pa.array([datetime.date(2024, 1, 1)] * 3),
    }
    pq.write_table(pa.table({"t": [0.0, 0.1, 0.2], "x": columns[kind]}), tmp_path / "s.parquet")
    if kind in ("list", "struct", "binary", "date"):
        with pytest.raises(DataError, match="row 1, column 'x'"):
            read_signal(tmp_path / "s.parquet", "x", 10.0)
        with pytest.raises(DataError, match="column 'x'"):
            read_signal(tmp_path / "s.parquet", "t", time_column="x")
    else:
        assert np.isfinite(read_signal(tmp_path / "s.parquet", "x", 10.0).values).all()


def test_decimal_commas_in_quotes_are_read_and_thousands_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('time,x\n"0,00","1,5"\n"0,25","2,25"\n"0,50","-3,125"\n"0,75","4"\n')
    read = _read(tmp_path / "s.csv")
    assert (read.values.tolist(), read.rate_hz) == ([1.5, 2.25, -3.125, 4.0], pytest.approx(4))
    (tmp_path / "t.csv").write_text('time,x\n0,"1,500"\n1,"2,250"\n2,"3,125"\n')
    with pytest.raises(DataError, match="'1,500' is not a number"):
        read_signal(tmp_path / "t.csv", "x", 4.0)


# --- Empatica E4 ---

E4 = 2 + np.cumsum(np.random.default_rng(0).normal(0, 0.01, 240))


def _e4(path: Path, header: str = "", axes: int = 1, rate: float = 4.0) -> Path:
    rows = [[float(EPOCH_S)] * axes, [rate] * axes, *([v] * axes for v in E4)]
    path.write_text(header + "\n".join(",".join(f"{cell:.6f}" for cell in row) for row in rows) + "\n")
    return path


@pytest.mark.parametrize("header", ["", "EDA\n"])
@pytest.mark.parametrize("time_column", ["time", None])
def test_a_file_of_the_e4_is_known_by_its_first_rows(tmp_path: Path, header: str, time_column: str | None) -> None:
    path = _e4(tmp_path / "EDA.csv", header)
    read = read_signal(path, "EDA", 4.0 if time_column is None else None, time_column=time_column)
    assert read.rate_hz == 4
    np.testing.assert_allclose(read.values, E4, atol=1e-6)
    assert read.notes == {"interpolated_rows": 0, "read_as_empatica_e4": 1}
    part = read_signal(path, "EDA", start_s=10.0, end_s=20.0)
    np.testing.assert_allclose(part.values, E4[40:80], atol=1e-6)
    if header:
        with pytest.raises(DataError, match="no column 'gsr'"):
            read_signal(path, "gsr")
    else:
        np.testing.assert_allclose(read_signal(path, "gsr").values, E4, atol=1e-6)


def test_axes_of_the_e4_have_names_and_a_rate_that_differs_is_told(tmp_path: Path) -> None:
    path = _e4(tmp_path / "ACC.csv", axes=3, rate=32.0)
    assert read_signal(path, "ACC_y").rate_hz == 32
    with pytest.raises(DataError, match="no column 'y'"):
        read_signal(path, "y")
    with pytest.raises(DataError, match="the Empatica E4 file states 32 rows per second, sample_rate_hz is 64"):
        read_signal(path, "ACC_x", 64.0)


@pytest.mark.parametrize(
    "text", ["1600000000\n1600000001\n1600000002\n", "0.1\n4.0\n1.0\n", "1600000000,4\n4,4\n1,2\n", "1600000000\n"]
)
def test_other_files_without_a_header_stay_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DataError, match="the first row is not a header"):
        read_signal(tmp_path / "s.csv", "s", 4.0)
