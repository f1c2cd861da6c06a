"""Windows -> recordings -> files, of classes and of targets, with a recording that could not be read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.deploy.apply import _predictions, per_recording
from mtpkd_cli.deploy.tables import write_table


def _windows(predictions: dict[str, object]) -> pd.DataFrame:
    base = {"recording": ["a", "a", "b"], "window": [0, 1, 0], "start_s": [0.0, 2.0, None], "end_s": [2.0, 4.0, None]}
    table = pd.DataFrame(base).join(pd.DataFrame(predictions, index=[0, 1]))
    return table.assign(
        quality_video=[0.25, 1.0, 0.0],
        doubt=["half asleep", "", ""],
        missing=["", "", "video"],
        error=["", "", "no face, really"],
    )


def test_targets_are_averaged_over_windows_and_spread_over_students() -> None:
    scores = np.array([[[1.0, -1.0], [3.0, 0.0]], [[2.0, -1.0], [3.0, 1.0]]])
    predictions = _predictions(scores, "regression", ["arousal", "valence"])
    np.testing.assert_allclose(predictions["arousal"], [1.5, 3.0])
    np.testing.assert_allclose(predictions["spread_valence"], [0.0, 0.5])
    recordings = per_recording(_windows(predictions), "regression", ["arousal", "valence"])
    assert recordings["arousal"].tolist()[0] == pytest.approx(2.25)
    assert np.isnan(recordings["arousal"][1])
    assert recordings[["windows", "of"]].to_numpy().tolist() == [[2, 2], [0, 1]]
    assert recordings["error"].tolist() == ["", "no face, really"]


def test_a_recording_is_the_class_of_the_mean_probability() -> None:
    scores = np.array([[[0.9, 0.1], [0.3, 0.7]]])
    predictions = _predictions(scores, "classification", ["calm", "pain"])
    assert predictions["predicted"] == ["calm", "pain"]
    assert "spread" not in predictions
    recordings = per_recording(_windows(predictions), "classification", ["calm", "pain"])
    assert recordings["predicted"][0] == "calm"
    assert recordings["confidence"][0] == pytest.approx(0.6)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_every_format_holds_the_same_rows(suffix: str, tmp_path: Path) -> None:
    windows = _windows(_predictions(np.array([[[0.9, 0.1], [0.3, 0.7]]]), "classification", ["calm", "pain"]))
    path = tmp_path / f"out.{suffix}"
    write_table(path, windows, per_recording(windows, "classification", ["calm", "pain"]))
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    if suffix == "jsonl":
        table = pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
        assert "predicted" not in json.loads(path.read_text().splitlines()[2])
    else:
        table = readers[suffix](path)
    assert table["level"].tolist() == ["window"] * 3 + ["recording"] * 2
    assert table["p_pain"].tolist()[:2] == pytest.approx([0.1, 0.7])
    assert table["predicted"].isna().tolist() == [False, False, True, False, True]
    assert table["error"].fillna("").tolist()[2] == "no face, really"
