"""`mtpkd check` of signals: wrong units, recorders that stop early, lengths that differ, stamps that jitter."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts.feature_ledgers import sum_of_notes
from mtpkd_cli.checks import CheckResult
from mtpkd_cli.checks.lengths import look_at_lengths
from mtpkd_cli.checks.media import Modality, look_at_media
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.encoders import eda, signal
from mtpkd_cli.media.probe import Probe

NAN = float("nan")


def _modality(options: Any, parts: list[tuple[float, float]], name: str = "eda") -> Modality:
    table = pd.DataFrame(parts, columns=["start_s", "end_s"]).assign(media="s.csv")
    table["sample_id"] = [f"s{i}" for i in range(len(parts))]
    return Modality(name, "physio", table, name, options.model_dump(mode="json"))


def _look(root: Path, time: Any, options: Any, *parts: tuple[float, float]) -> tuple[CheckResult, dict[str, Probe]]:
    pd.DataFrame({"time": time, "eda": np.sin(np.arange(len(time)))}).to_csv(root / "s.csv", index=False)
    modality = _modality(options, list(parts) or [(NAN, NAN)])
    return look_at_media(root, modality, ExtractSection(workers=0), lambda: None)


def test_a_unit_that_is_inferred_is_told(tmp_path: Path) -> None:
    result, probes = _look(tmp_path, np.arange(240) * 250, eda.Config(column="eda"))
    assert result.problems == []
    assert result.notes == ["times taken as milliseconds: 1 of 1 files"]
    assert probes["s.csv"].length_s == pytest.approx(60)


def test_a_minute_that_turns_into_a_moment_is_a_problem(tmp_path: Path) -> None:
    result, _ = _look(tmp_path, np.arange(240) * 250, eda.Config(column="eda", time_unit_s=1e-6))
    assert "column 'time' would mean 4000 rows per second at time_unit_s = 1e-06" in result.problems[0]
    # Nothing is known of the sensor, and the options insist.
    result, _ = _look(tmp_path, np.arange(240) * 250, signal.Config(column="eda", time_unit_s=1e-6))
    assert result.problems == ["s.csv: it lasts 0.06 s at 4000 Hz: are time_unit_s and sample_rate_hz right?"]


def test_samples_past_the_end_are_told(tmp_path: Path) -> None:
    options = eda.Config(column="eda", time_unit_s=1.0)
    result, _ = _look(tmp_path, np.arange(20 * 64) / 64, options, (0.0, 15.0), (15.0, 45.0))
    assert result.problems == []
    assert result.notes == ["s.csv: samples end up to 25.00 s after its 20.00 s"]


def test_smoothed_stamps_and_rates_out_of_the_ordinary_are_told(tmp_path: Path) -> None:
    time = np.arange(1280).repeat(1) // 8 * 0.125
    result, _ = _look(tmp_path, time, eda.Config(column="eda", time_unit_s=1.0))
    assert result.notes == ["stamps smoothed: 1 of 1 files", "largest shift ms: 1 of 1 files, up to 109.375"]
    options = eda.Config(column="eda", time_column="", sample_rate_hz=6400.0)
    result, _ = _look(tmp_path, np.arange(64_000), options)
    assert result.notes == ["s.csv: 6400 signal values per second"]


@pytest.mark.parametrize(
    ("video_s", "parts", "problems", "notes"),
    [
        (60.0, [(NAN, NAN)], 0, 0),
        (50.0, [(NAN, NAN)], 0, 0),
        (30.0, [(NAN, NAN)], 0, 1),
        (0.06, [(NAN, NAN)], 1, 0),
        (30.0, [(0.0, 30.0), (28.0, 58.0)], 0, 1),
        (100.0, [(0.0, 30.0), (30.0, 60.0)], 0, 0),
    ],
)
def test_media_of_one_sample_are_compared(
    video_s: float, parts: list[tuple[float, float]], problems: int, notes: int
) -> None:
    options = eda.Config(column="eda")
    both = [
        (_modality(options, parts, name), {"s.csv": Probe(length)}) for name, length in (("v", video_s), ("e", 60.0))
    ]
    result = look_at_lengths(both)
    assert result is not None
    assert (len(result.problems), len(result.notes)) == (problems, notes)
    if problems:
        assert "s0: v 0.06 s, e 60 s: is a unit of time or a rate wrong?" in result.problems[0]
    assert look_at_lengths(both[:1]) is None


def test_the_largest_shift_of_all_samples_is_kept_and_counts_are_summed() -> None:
    notes = [{"largest_shift_ms": 3.0, "stamps_smoothed": 5.0}, {"largest_shift_ms": 12.0, "stamps_smoothed": 7.0}]
    assert sum_of_notes([*notes, {"flat": 1.0}]) == {"largest_shift_ms": 12.0, "stamps_smoothed": 12.0, "flat": 1.0}
