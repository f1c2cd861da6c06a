"""Ready features in .npz files, beside a table of samples."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets._arrays import read_arrays
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


def _padded(rng: np.random.Generator, lengths: list[int]) -> np.ndarray:
    """(N, T, D) of values that are not zero, zeros from each length on."""
    values = rng.normal(5, 1, (len(lengths), max(lengths) + 2, D)).astype(np.float32)
    for i, length in enumerate(lengths):
        values[i, length:] = 0
    return values


@pytest.mark.parametrize("beside", ["lengths", "video_lengths", "seq_len", "mask", "mask of three"])
def test_steps_that_fill_up_are_no_steps(corpus: Path, beside: str) -> None:
    lengths = [3, 1, 4, 0, 2]
    values = _padded(np.random.default_rng(0), lengths)
    mask = np.arange(values.shape[1]) < np.array(lengths)[:, None]
    more = {"mask": mask, "mask of three": mask[..., None].astype(int)}.get(beside)
    extra = {beside: np.array(lengths)} if more is None else {"mask": more}
    _save(corpus / "video.npz", ids=np.array([f"s{i}" for i in range(N)]), features=values, **extra)
    listed = samples(corpus, _config())
    assert list(listed["media_video"] != "") == [True, True, True, False, True]
    assert listed.attrs["notes"]["steps in video.npz left out by lengths or mask"] == values.shape[1] * N - sum(lengths)
    table = feature_table(corpus, _config(), "video")
    assert table["sample_id"].value_counts().to_dict() == {"s0": 3, "s1": 1, "s2": 4, "s4": 2}
    assert (np.stack(table["features"]) != 0).all()


def test_filling_without_lengths_and_arrays_that_are_not_read_are_named(corpus: Path) -> None:
    values, ids = _padded(np.random.default_rng(0), [3, 1, 4, 5, 2]), np.array([f"s{i}" for i in range(N)])
    _save(corpus / "video.npz", ids=ids, features=values, seconds=np.arange(5), objects=np.array([{}], dtype=object))
    notes = samples(corpus, _config()).attrs["notes"]
    assert notes["arrays in video.npz that are not read (objects, seconds)"] == 2
    assert (
        notes["samples in video.npz that end in steps of zeros, which are read: give lengths where they fill up"] == 5
    )
    assert notes["ids in eda.npz that are no samples"] == 1


def test_zeros_inside_a_sample_are_values(corpus: Path) -> None:
    values = _padded(np.random.default_rng(0), [4] * N)[:, :4]
    values[:, 1] = 0
    _save(corpus / "video.npz", ids=np.array([f"s{i}" for i in range(N)]), features=values)
    assert set(samples(corpus, _config()).attrs["notes"]) == {"ids in eda.npz that are no samples"}
    assert len(feature_table(corpus, _config(), "video")) == 4 * N


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"lengths": np.array([3, 1, 4, 9, 2])}, "lengths goes from 1 to 9, expected 0 to 7 steps"),
        ({"lengths": np.array([3, 1, 4, -1, 2])}, "lengths goes from -1 to 4"),
        ({"lengths": np.array([3.5, 1, 4, 1, 2])}, "lengths is float64"),
        ({"lengths": np.array([3, 1])}, r"lengths is int64 of shape \(2,\)"),
        ({"mask": np.zeros((5, 3))}, r"mask is float64 of shape \(5, 3\)"),
        ({"mask": np.full((5, 7), 2)}, "mask is int64"),
        ({"mask": np.arange(7) >= np.array([3, 1, 4, 5, 2])[:, None]}, "is the mask reversed"),
        ({"times_s": np.arange(7).astype("datetime64[s]")}, r"times_s is datetime64\[s\] of shape \(7,\) \(dates"),
        ({"times_s": np.arange(7) * 500_000_000}, r"times_s reaches 3e\+09 s, more than 30 days: nanoseconds"),
    ],
)
def test_lengths_masks_and_times_that_cannot_be_are_told(
    corpus: Path, beside: dict[str, np.ndarray], message: str
) -> None:
    values = _padded(np.random.default_rng(0), [3, 1, 4, 5, 2])
    _save(corpus / "video.npz", ids=np.array([f"s{i}" for i in range(N)]), features=values, **beside)
    with pytest.raises(DataError, match=message):
        samples(corpus, _config())


def test_times_may_be_spans_of_time(corpus: Path) -> None:
    times = np.arange(T) * np.timedelta64(250, "ms")
    content = dict(np.load(corpus / "video.npz"))
    _save(corpus / "video.npz", times_s=times, **content)
    assert list(feature_table(corpus, _config(), "video")["t_s"][:4]) == [0, 0.25, 0.5, 0.75]


def test_ids_none_of_which_is_a_sample_are_told(corpus: Path) -> None:
    _save(corpus / "eda.npz", ids=np.arange(3), features=np.ones((3, 2)))
    with pytest.raises(DataError, match="not one of 3 ids is the name of a sample: ids like '0', samples like 's0'"):
        samples(corpus, _config())


def test_entries_that_are_no_arrays_and_lengths_of_objects_are_told(corpus: Path) -> None:
    ids = np.array(["a", "b"])
    with zipfile.ZipFile(corpus / "video.npz", "w") as file:
        file.writestr("ids.npy", "no array")
    with pytest.raises(DataError, match="ids cannot be read: it is no array of NumPy"):
        read_arrays(corpus / "video.npz")
    np.savez(corpus / "video.npz", ids=ids, features=np.ones((2, 3, 1)), lengths=np.array([1, 2], dtype=object))
    with pytest.raises(DataError, match="lengths cannot be read: Object arrays"):
        read_arrays(corpus / "video.npz")
