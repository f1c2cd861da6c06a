"""Ready features in .npz files, beside a table of samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets.features import Config, feature_table, samples
from mtpkd_cli.errors import DataError

N, T, D = 5, 4, 3
ARRAYS = {"video": "video.npz", "eda": "eda.npz"}


def _save(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five samples; video of up to four steps, eda of one; neither in the table's order."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(N)], "subject": list("aabbc"), "label": [0, 1, 0, 1, 0]})
    table.to_csv(tmp_path / "samples.csv", index=False)
    video = rng.normal(size=(N, T, D)).astype(np.float32)
    video[1, 2:] = np.nan  # a shorter sample
    video[2] = np.nan  # a sample without video
    video[0, 1, 0] = np.nan  # a missing cell
    _save(tmp_path / "video.npz", ids=np.array(["s4", "s3", "s2", "s1", "s0"]), features=video)
    _save(tmp_path / "eda.npz", ids=np.array(["s1", "s0", "other"]), features=rng.normal(size=(3, 2)))
    return tmp_path


def _config(**options: Any) -> Config:
    return Config(file="samples.csv", **({"arrays": ARRAYS} | options))


def test_samples_have_the_modalities_that_hold_a_value(corpus: Path) -> None:
    table = samples(corpus, _config())
    assert list(table["media_video"]) == ["video.npz", "video.npz", "", "video.npz", "video.npz"]
    assert list(table["media_eda"]) == ["eda.npz", "eda.npz", "", "", ""]


def test_steps_keep_their_times_and_missing_cells(corpus: Path) -> None:
    table = feature_table(corpus, _config(step_s=0.5), "video")
    assert table["sample_id"].value_counts().to_dict() == {"s0": 4, "s1": 4, "s3": 2, "s4": 4}
    assert list(table["t_s"][:4]) == [0, 0.5, 1, 1.5]
    assert table.attrs["names"] == ("f0", "f1", "f2")
    stored = np.load(corpus / "video.npz")["features"]
    np.testing.assert_array_equal(np.stack(table.loc[table["sample_id"] == "s4", "features"]), stored[0])
    assert np.isnan(stored[0, 1, 0])
    eda = feature_table(corpus, _config(), "eda")
    assert list(eda["sample_id"]) == ["other", "s0", "s1"]
    assert list(eda["t_s"]) == [0, 0, 0]


@pytest.mark.parametrize("shape", [(T,), (N, T)])
def test_times_and_names_are_read_where_they_are_told(corpus: Path, shape: tuple[int, ...]) -> None:
    times = np.broadcast_to(np.array([3.0, 0.0, 1.0, 2.0]), shape)
    content = dict(np.load(corpus / "video.npz"))
    _save(corpus / "video.npz", times_s=times, names=np.array(["x", "y", "z"]), **content)
    table = feature_table(corpus, _config(), "video")
    assert list(table["t_s"][:4]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(table["features"][3], content["features"][4, 0])
    assert table.attrs["names"] == ("x", "y", "z")


def test_features_may_be_called_otherwise_and_ids_be_numbers(corpus: Path) -> None:
    pd.DataFrame({"sample_id": [1, 2], "subject": ["a", "b"], "label": [0, 1]}).to_csv(corpus / "n.csv", index=False)
    _save(corpus / "n.npz", ids=np.array([2, 1]), embeddings=np.arange(4.0).reshape(2, 2))
    config = Config(file="n.csv", arrays={"n": "n.npz"})
    assert list(samples(corpus, config)["media_n"]) == ["n.npz", "n.npz"]
    assert feature_table(corpus, config, "n")["features"][1].tolist() == [0, 1]


def test_columns_of_the_table_and_arrays_go_together(corpus: Path) -> None:
    table = pd.read_csv(corpus / "samples.csv").assign(face__x=[1.0, 2, 3, 4, 5])
    table.to_csv(corpus / "samples.csv", index=False)
    table = samples(corpus, _config())
    assert {"media_face", "media_video", "media_eda"} <= set(table)
    with pytest.raises(DataError, match=r"'face' is in columns of the table and in video.npz"):
        samples(corpus, _config(arrays={"face": "video.npz"}))
    with pytest.raises(DataError, match="no column begins with 'vido__'; did you mean 'video'"):
        feature_table(corpus, _config(), "vido")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": np.zeros((5, 2))}, "there is no array ids .* found features"),
        ({"ids": np.zeros(5), "features": np.zeros((5, 2))}, r"ids are float64 of shape \(5,\)"),
        ({"ids": np.arange(4), "features": np.zeros((5, 2))}, "4 ids and 5 rows of features"),
        ({"ids": np.array(["a", "b", "a"]), "features": np.zeros((3, 2))}, "id 'a' stands 2 times"),
        ({"ids": np.arange(3)}, "of two or three dimensions are none"),
        ({"ids": np.arange(3), "a": np.zeros((3, 1)), "b": np.zeros((3, 1))}, "dimensions are a, b"),
        ({"ids": np.arange(3), "features": np.zeros(3)}, r"features is float64 of shape \(3,\)"),
        ({"ids": np.arange(3), "features": np.array([["x"]] * 3)}, "features is <U1 of shape"),
        ({"ids": np.arange(3), "features": np.zeros((3, 0))}, r"shape \(3, 0\)"),
        ({"ids": np.arange(2), "features": np.array([[np.inf], [0]])}, "1 rows hold infinite values"),
        ({"ids": np.arange(2), "features": np.zeros((2, 1)), "times_s": np.zeros(3)}, "times_s is float64 of shape"),
        ({"ids": np.arange(2), "features": np.zeros((2, 1)), "times_s": np.array([np.nan])}, "not finite at a step"),
        ({"ids": np.arange(2), "features": np.zeros((2, 1)), "names": np.array(["a", "b"])}, "names is <U1"),
    ],
)
def test_arrays_that_do_not_fit_are_told(corpus: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    _save(corpus / "video.npz", **arrays)
    with pytest.raises(DataError, match=message):
        samples(corpus, _config())


def test_files_that_are_no_arrays_are_told_and_nothing_is_unpickled(corpus: Path) -> None:
    np.savez(corpus / "video.npz", ids=np.array(["a", None], dtype=object), features=np.zeros((2, 1)))
    with pytest.raises(DataError, match="cannot be read: Object arrays cannot be loaded when allow_pickle=False"):
        samples(corpus, _config())
    for content in (b"", b"words", (corpus / "eda.npz").read_bytes()[:200]):
        (corpus / "video.npz").write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            samples(corpus, _config())
    with pytest.raises(DataError, match=r"there is no such file; did you mean 'video.npz'"):
        samples(corpus, _config(arrays={"video": "vidoe.npz"}))


def test_a_split_column_names_the_official_sides(corpus: Path) -> None:
    table = pd.read_csv(corpus / "samples.csv").assign(part=["Train", "training", "val", "dev ", "TEST"])
    table.to_csv(corpus / "samples.csv", index=False)
    table = samples(corpus, _config(split_column="part"))
    assert list(table["split"]) == ["train", "train", "validation", "validation", "test"]
    table["part"] = ["train", "", "val", "holdout", "test"]
    table.to_csv(corpus / "samples.csv", index=False)
    with pytest.raises(DataError) as caught:
        samples(corpus, _config(split_column="part"))
    assert "row 2: 'part' is '', expected train, validation or test" in str(caught.value)
    assert "row 4: 'part' is 'holdout'" in str(caught.value)
