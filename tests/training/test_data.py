"""Caches -> tensors: who has which step, which label, which modality."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.artifacts.feature_parts import PartAbout, part_table
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.training.data import StudyData, outputs_of, read_data

IDS = ["s0", "s1", "s2", "s3", "s4"]
STEPS = {"s0": 3, "s2": 1, "s3": 4}


def _values(sample: str) -> np.ndarray:
    return np.random.default_rng(int(sample[1:])).normal(size=(STEPS[sample], 2)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path) -> StudyData:
    samples = pd.DataFrame({"sample_id": IDS, "subject": list("aabbc"), "label": [1, 0, 2, 2, 0]})
    samples["label_name"] = [("low", "mid", "high")[i] for i in samples["label"]]
    write_parquet(tmp_path / "samples.parquet", samples)
    made = {s: (np.arange(n, dtype=float), _values(s)) for s, n in STEPS.items()}
    write_parquet(tmp_path / "eda" / "part-00000.parquet", part_table({"s3": made["s3"]}, PartAbout("k")))
    write_parquet(
        tmp_path / "eda" / "part-00001.parquet", part_table({s: made[s] for s in ("s0", "s2")}, PartAbout("k"))
    )
    ecg = {s: (np.zeros(1), np.full((1, 7), i, np.float32)) for i, s in enumerate(IDS) if s != "s4"}
    write_parquet(tmp_path / "ecg" / "part-00000.parquet", part_table(ecg, PartAbout("k")))
    return read_data(tmp_path / "samples.parquet", {"eda": tmp_path / "eda", "ecg": tmp_path / "ecg"}, "cpu")


def test_steps_stand_at_their_sample_and_the_rest_is_masked(data: StudyData) -> None:
    values, mask = data.sequences["eda"]
    assert values.shape == (5, 4, 2)
    assert mask.sum(1).tolist() == [3, 0, 1, 4, 0]
    for sample, count in STEPS.items():
        row = IDS.index(sample)
        np.testing.assert_array_equal(values[row, :count].numpy(), _values(sample))
        assert (values[row, count:] == 0).all()


def test_a_sample_is_present_where_any_of_the_modalities_is(data: StudyData) -> None:
    assert data.present(["eda"]).tolist() == [True, False, True, True, False]
    assert data.present(["eda", "ecg"]).tolist() == [True, True, True, True, False]


def test_rows_of_subjects_come_in_the_order_of_the_table(data: StudyData) -> None:
    assert data.rows(["c", "a"]).tolist() == [0, 1, 4]
    assert data.rows([]).tolist() == []
    assert data.rows(["nobody"]).tolist() == []


def test_a_batch_gathers_the_rows_of_the_modalities_asked_for(data: StudyData) -> None:
    batch = data.batch(torch.tensor([3, 0]), ["ecg"])
    assert list(batch) == ["ecg"]
    assert batch["ecg"][0][:, 0, 0].tolist() == [3.0, 0.0]
    assert data.sizes(["ecg", "eda"]) == {"ecg": 7, "eda": 2}


def test_labels_are_indices_and_outputs_their_names(data: StudyData) -> None:
    assert data.labels.tolist() == [1, 0, 2, 2, 0]
    assert data.labels.dtype == torch.int64
    assert outputs_of(data.samples) == ["low", "mid", "high"]


def test_targets_are_numbers_in_the_order_of_the_columns(tmp_path: Path, data: StudyData) -> None:
    samples = pd.DataFrame({"sample_id": IDS, "subject": list("aabbc"), "target_valence": np.arange(5.0)})
    samples["target_arousal"] = -samples["target_valence"]
    write_parquet(tmp_path / "targets.parquet", samples)
    read = read_data(tmp_path / "targets.parquet", {}, "cpu")
    assert read.labels.dtype == torch.float32
    assert read.labels[3].tolist() == [3.0, -3.0]
    assert outputs_of(read.samples) == ["valence", "arousal"]
    assert data.labels.dtype == torch.int64


def test_a_cache_that_is_not_there_is_told(tmp_path: Path, data: StudyData) -> None:
    assert len(data.samples) == 5
    with pytest.raises(ArtifactError):
        read_data(tmp_path / "samples.parquet", {"gsr": tmp_path / "gsr"}, "cpu")
