"""How long media last: a table, sound, a video, and a video with sound alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.length import length_s

SAMPLE = Path(__file__).parents[2] / "sample_data"
SIGNAL = {"column": "gsr", "sample_rate_hz": None, "time_column": "time", "time_unit_s": 1e-6}


def test_a_video_and_a_table_of_the_sample_last_five_seconds() -> None:
    clip = next((SAMPLE / "video").rglob("*.mp4"))
    table = next((SAMPLE / "biosignals_filtered").rglob("*.csv"))
    assert length_s(clip, {"image_rate_hz": 25.0}) == pytest.approx(5.0, abs=0.11)
    assert length_s(clip, {}) == pytest.approx(5.0, abs=0.11)
    assert length_s(table, SIGNAL) == pytest.approx(5.0, abs=0.01)


def test_sound_without_pictures(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.zeros(12_000), 8000)
    assert length_s(tmp_path / "s.wav", {}) == pytest.approx(1.5)


def test_a_table_of_another_rate_is_told(tmp_path: Path) -> None:
    pd.DataFrame({"time": np.arange(50) * 10_000, "gsr": 1.0}).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(DataError, match="has 100 rows per second, sample_rate_hz is 128"):
        length_s(tmp_path / "s.csv", SIGNAL | {"sample_rate_hz": 128.0})
