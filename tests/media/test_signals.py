"""Signals from tables in the spellings that are met in practice."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.signals import Signal, read_signal, with_rows

N, RATE = 1101, 512


def _table(n: int = N) -> pd.DataFrame:
    t = np.arange(n) / RATE
    return pd.DataFrame({"time": np.rint(t * 1e6).astype(int), "gsr": np.sin(t) + 2.0, "ecg": np.cos(9 * t)})


def _write(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize(("delimiter", "decimal"), [("\t", "."), (",", "."), (";", "."), (";", ","), ("\t", ",")])
def test_every_spelling_of_csv_gives_the_same_values(tmp_path: Path, delimiter: str, decimal: str) -> None:
    path = tmp_path / "s.csv"
    _table().to_csv(path, sep=delimiter, decimal=decimal, index=False)
    signal = read_signal(path, "ecg", time_column="time", time_unit_s=1e-6)
    np.testing.assert_allclose(signal.values, _table()["ecg"], rtol=1e-12)
    assert signal.values.dtype == np.float64
    assert signal.n_interpolated == 0


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    _table().to_parquet(tmp_path / "s.parquet")
    signal = read_signal(tmp_path / "s.parquet", "gsr", time_column="time", time_unit_s=1e-6)
    np.testing.assert_array_equal(signal.values, _table()["gsr"])


def test_the_rate_comes_from_whole_microseconds_undistorted(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table())
    assert read_signal(path, "ecg", time_column="time", time_unit_s=1e-6).rate_hz == pytest.approx(RATE, rel=1e-6)


def test_a_given_rate_serves_without_a_time_column_and_is_checked_with_one(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table())
    assert read_signal(path, "ecg", 100).rate_hz == 100
    assert read_signal(path, "ecg", 512, time_column="time", time_unit_s=1e-6).rate_hz == 512
    with pytest.raises(DataError, match="512 rows per second, sample_rate_hz is 100"):
        read_signal(path, "ecg", 100, time_column="time", time_unit_s=1e-6)
    with pytest.raises(DataError, match="rate is not known"):
        read_signal(path, "ecg")


def test_a_wrong_unit_of_time_is_an_error_that_proposes_one(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table())
    with pytest.raises(DataError, match="rows per second at time_unit_s = 1e-09") as caught:
        read_signal(path, "ecg", time_column="time", time_unit_s=1e-9)
    assert "perhaps to 1e-06" in str(caught.value)


def test_a_segment_is_the_slice_of_the_whole(tmp_path: Path) -> None:
    table = _table()
    table["time"] += 77_000_000
    path = _write(tmp_path / "s.csv", table)
    for options in ({"time_column": "time", "time_unit_s": 1e-6}, {"sample_rate_hz": RATE}):
        part = read_signal(path, "ecg", **options, start_s=0.5, end_s=1.5)
        assert abs(len(part.values) - 512) <= 1
        np.testing.assert_allclose(part.values[:500], table["ecg"][256:756], atol=0.02)


def test_a_segment_beyond_the_rows_is_an_error(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table())
    with pytest.raises(DataError, match=r"no rows from 50 s to 51 s"):
        read_signal(path, "ecg", 512, start_s=50, end_s=51)


def test_a_misspelt_column_is_an_error_that_names_the_nearest_and_all(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table())
    with pytest.raises(DataError, match=r"no column 'grs'; did you mean 'gsr'") as caught:
        read_signal(path, "grs", 512)
    assert "time, gsr, ecg" in str(caught.value)


@pytest.mark.parametrize("cell", [np.nan, np.inf])
def test_short_gaps_are_interpolated_and_counted(tmp_path: Path, cell: float) -> None:
    table = _table()
    table.loc[[0, 500, 501, 502, N - 1], "gsr"] = cell
    signal = read_signal(_write(tmp_path / "s.csv", table), "gsr", 512)
    assert signal.n_interpolated == 5
    np.testing.assert_allclose(signal.values, _table()["gsr"], atol=0.01)


def test_lost_rows_are_interpolated_and_counted(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table().drop(index=range(300, 310)))
    signal = read_signal(path, "gsr", time_column="time", time_unit_s=1e-6)
    assert (len(signal.values), signal.n_interpolated) == (N, 10)
    np.testing.assert_allclose(signal.values, _table()["gsr"], atol=0.01)


def test_long_gaps_are_an_error_where_they_are_and_nowhere_else(tmp_path: Path) -> None:
    table = _table()
    table.loc[300:450, "gsr"] = np.nan
    path = _write(tmp_path / "s.csv", table)
    with pytest.raises(DataError, match=rf"151 of {N} values are missing, up to 0.29 s at a time"):
        read_signal(path, "gsr", 512)
    assert read_signal(path, "gsr", 512, start_s=1.0, end_s=2.0).n_interpolated == 0
    with pytest.raises(DataError, match="values are missing"):
        read_signal(path, "gsr", 512, start_s=0.6, end_s=0.8)


def test_many_short_gaps_are_an_error(tmp_path: Path) -> None:
    table = _table()
    table.loc[::10, "gsr"] = np.nan
    with pytest.raises(DataError, match="111 of 1101 values are missing"):
        read_signal(_write(tmp_path / "s.csv", table), "gsr", 512)


def test_text_is_an_error_that_names_its_rows(tmp_path: Path) -> None:
    table = _table().astype({"ecg": object})
    table.loc[[7, 20], "ecg"] = "lead off"
    with pytest.raises(DataError, match=r"row 8, column 'ecg': 'lead off'") as caught:
        read_signal(_write(tmp_path / "s.csv", table), "ecg", 512)
    assert "row 21" in str(caught.value)


@pytest.mark.parametrize("time", [5_000, None])
def test_times_that_do_not_increase_are_an_error(tmp_path: Path, time: int | None) -> None:
    table = _table().astype({"time": object})
    table.loc[40, "time"] = time
    with pytest.raises(DataError, match=r"do not rise, first in row 41|do not rise, first in row 40"):
        read_signal(_write(tmp_path / "s.csv", table), "ecg", time_column="time", time_unit_s=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is empty"),
        (b"time\tecg\n", "no rows"),
        (b"0.1\t0.2\n0.3\t0.4\n", "first row is not a header"),
        (b"time\tecg\n1\t2\n3\n", "cannot be read"),
        (b"ecg,ecg\n1,2\n", "several columns 'ecg'"),
    ],
)
def test_broken_tables_are_errors(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_signal(tmp_path / "s.csv", "ecg", 512)


def test_a_missing_file_and_a_false_parquet_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_signal(tmp_path / "none.csv", "ecg", 512)
    (tmp_path / "s.parquet").write_text("time,ecg\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_signal(tmp_path / "s.parquet", "ecg", 512)


def test_a_changed_file_is_read_again_and_results_are_the_callers_own(tmp_path: Path) -> None:
    path = _write(tmp_path / "s.csv", _table())
    first = read_signal(path, "ecg", 512)
    first.values[:] = 0
    np.testing.assert_allclose(read_signal(path, "ecg", 512).values, _table()["ecg"])
    _write(path, _table(700))
    assert len(read_signal(path, "ecg", 512).values) == 700


@pytest.mark.parametrize(("n", "trimmed", "padded"), [(9, 0, 0), (11, 2, 0), (7, 0, 2), (10, 1, 0)])
def test_a_few_rows_too_many_or_too_few_are_trimmed_or_padded_and_counted(n: int, trimmed: int, padded: int) -> None:
    signal = with_rows(Signal(np.arange(n, dtype=float), 4.0, 1), 9, 2, "here")
    assert (signal.n_trimmed, signal.n_padded, signal.n_interpolated) == (trimmed, padded, 1)
    assert signal.values.tolist() == [min(i, n - 1) for i in range(9)]
    expected = {"interpolated_rows": 1.0, "rows_trimmed": float(trimmed), "rows_padded": float(padded)}
    assert signal.notes == {key: value for key, value in expected.items() if value}


@pytest.mark.parametrize("n", [6, 12])
def test_a_clip_of_quite_another_number_of_rows_is_told(n: int) -> None:
    with pytest.raises(DataError, match=f"the clip has {n} rows") as caught:
        with_rows(Signal(np.zeros(n), 4.0), 9, 2, "a.csv, column 'x'")
    assert "9, give or take 2" in str(caught.value)
