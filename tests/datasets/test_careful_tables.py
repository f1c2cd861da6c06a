"""Tables as programs and countries write them give the samples that the plain table gives, or are refused by name."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtpkd_cli.datasets import features
from mtpkd_cli.datasets.features import Config
from mtpkd_cli.errors import DataError

N = 6


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(N)], "subject": list("aabbcc")})
    table["label"] = ["Ruhe", "Müdigkeit"] * 3
    for j in range(3):
        table[f"eda__f{j}"] = rng.normal(size=N).round(4) + 2
    return table


def _csv(table: pd.DataFrame, encoding: str = "utf-8", **options: Any) -> bytes:
    return table.to_csv(index=False, **options).encode(encoding)


def _outcome(root: Path, file: str) -> tuple[list[str], list[str], list[str], np.ndarray, dict[str, int]]:
    config = Config(file=file)
    listed = features.samples(root, config)
    names = features.classes(root, config)
    table = features.feature_table(root, config, "eda")
    assert list(table["sample_id"]) == list(listed["sample_id"])
    labels = [names[i] for i in listed["label"]]
    values = np.stack(table["features"])
    return list(listed["sample_id"]), list(listed["subject"]), labels, values, listed.attrs["notes"]


@pytest.fixture
def plain(tmp_path: Path) -> Any:
    (tmp_path / "plain.csv").write_bytes(_csv(_table()))
    outcome = _outcome(tmp_path, "plain.csv")
    assert outcome[4] == {}
    return outcome


def _decimal_comma(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, sep=";", decimal=",").encode()


SPELLINGS: dict[str, tuple[Callable[[pd.DataFrame], bytes], str]] = {
    "bom": (lambda t: _csv(t, "utf-8-sig"), ""),
    "cp1252": (lambda t: _csv(t, "cp1252"), "cp1252 tables"),
    "utf-16": (lambda t: _csv(t, "utf-16"), "utf-16 tables"),
    "utf-16 without mark": (lambda t: _csv(t, "utf-16-le"), "utf-16-le tables"),
    "semicolons and commas": (_decimal_comma, "decimal commas in column 'eda__f0'"),
    "excel": (lambda t: b"sep=;\r\n" + _decimal_comma(t).replace(b"\n", b"\r\n"), "decimal commas in column 'eda__f1'"),
    "tabs": (lambda t: _csv(t, sep="\t"), ""),
    "old mac": (lambda t: _csv(t).replace(b"\n", b"\r"), ""),
    "ends with separators": (lambda t: _csv(t).replace(b"\n", b",\n"), ""),
    "R row names": (lambda t: t.to_csv(index=True).encode().replace(b",sample_id", b"sample_id", 1), ""),
    "blank header": (lambda t: _csv(t.rename(columns={"label": " label "})), ""),
    "blanks": (lambda t: _csv(t.assign(label=t["label"] + " ")), "cells of 'label' with blanks at their ends"),
    "nfd": (
        lambda t: _csv(t.assign(label=t["label"].str.normalize("NFD"))),
        "labels in another form of Unicode, or with several blanks",
    ),
    "all quoted": (lambda t: _csv(t, quoting=1), ""),
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_spellings_of_csv_give_the_same(tmp_path: Path, plain: Any, kind: str) -> None:
    write, note = SPELLINGS[kind]
    (tmp_path / "t.csv").write_bytes(write(_table()))
    outcome = _outcome(tmp_path, "t.csv")
    assert outcome[:3] == plain[:3]
    np.testing.assert_allclose(outcome[3], plain[3], rtol=1e-6)
    assert set(outcome[4]) >= ({note} if note else set())
    assert not note or all(count > 0 for count in outcome[4].values())
    assert note or outcome[4] == {}


def _arrow(table: pd.DataFrame, **columns: pa.Array) -> pa.Table:
    plain = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    for name, column in columns.items():
        plain = plain.set_column(plain.column_names.index(name), name, column)
    return plain


PARQUETS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "plain": lambda t, p: t.to_parquet(p),
    "named index": lambda t, p: t.set_index("sample_id").to_parquet(p),
    "index of another name": lambda t, p: t.set_index("sample_id").rename_axis("clip").to_parquet(p),
    "unnamed index": lambda t, p: t.set_index("sample_id").rename_axis(None).to_parquet(p),
    "two levels": lambda t, p: t.set_index(["subject", "sample_id"]).to_parquet(p),
    "filtered": lambda t, p: pd.concat([t.iloc[:0], t])[::-1].to_parquet(p),
    "categories": lambda t, p: t.astype({"label": "category", "subject": "category"}).to_parquet(p),
    "dictionaries": lambda t, p: pq.write_table(
        _arrow(
            t, label=pa.array(t["label"]).dictionary_encode(), sample_id=pa.array(t["sample_id"]).cast("large_string")
        ),
        p,
    ),
    "bytes": lambda t, p: pq.write_table(_arrow(t, label=pa.array([x.encode() for x in t["label"]])), p),
    "decimals": lambda t, p: pq.write_table(
        _arrow(t, eda__f0=pa.array([Decimal(str(round(x, 4))) for x in t["eda__f0"]])), p
    ),
    "blanks": lambda t, p: t.assign(
        label=[f" {x}" if i % 2 else f"{x}\u00a0" for i, x in enumerate(t["label"])]
    ).to_parquet(p),
    "text numbers": lambda t, p: t.astype({"eda__f1": str}).to_parquet(p),
}


@pytest.mark.parametrize("kind", PARQUETS)
def test_types_of_parquet_give_the_same(tmp_path: Path, plain: Any, kind: str) -> None:
    PARQUETS[kind](_table(), tmp_path / "t.parquet")
    outcome = _outcome(tmp_path, "t.parquet")
    assert outcome[:3] == plain[:3]
    np.testing.assert_allclose(outcome[3], plain[3], rtol=1e-6)
    notes = {
        "blanks": {"cells of 'label' with blanks at their ends": N},
        "index of another name": {"tables whose index is taken as 'sample_id'": 1},
        "unnamed index": {"tables whose index is taken as 'sample_id'": 1},
    }
    assert outcome[4] == notes.get(kind, {})


@pytest.mark.parametrize(
    "ids", [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3, 4, 5, 6], ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]]
)
def test_numbers_are_names_without_a_point(tmp_path: Path, ids: list[Any]) -> None:
    table = _table().assign(sample_id=ids)
    table.to_parquet(tmp_path / "t.parquet")
    _csv_file = tmp_path / "t.csv"
    table.to_csv(_csv_file, index=False)
    np.savez(tmp_path / "v.npz", ids=np.arange(1, N + 1), features=np.ones((N, 2)))
    for file in ("t.parquet", "t.csv"):
        listed = features.samples(tmp_path, Config(file=file, arrays={"video": "v.npz"}))
        assert list(listed["sample_id"]) == ["1", "2", "3", "4", "5", "6"]
        assert (listed["media_video"] == "v.npz").all()


def test_whole_numbers_beyond_the_floats_stay_what_they_are(tmp_path: Path) -> None:
    ids = [2**60 + i for i in range(N)]
    pq.write_table(_arrow(_table(), sample_id=pa.array([*ids[:-1], ids[-1]], pa.int64())), tmp_path / "t.parquet")
    assert _outcome(tmp_path, "t.parquet")[0] == [str(i) for i in ids]


@pytest.mark.parametrize("classes", [["rest", "pain"], []])
@pytest.mark.parametrize("file", ["t.parquet", "t.csv"])
def test_booleans_are_labels(tmp_path: Path, classes: list[str], file: str) -> None:
    table = _table().assign(label=[False, True] * 3)
    table.to_parquet(tmp_path / "t.parquet")
    table.to_csv(tmp_path / "t.csv", index=False)
    config = Config(file=file, classes=classes)
    assert list(features.samples(tmp_path, config)["label"]) == [0, 1] * 3
    assert features.classes(tmp_path, config) == tuple(classes or ("False", "True"))


def test_nullable_whole_numbers_are_labels_and_a_missing_one_is_no_label(tmp_path: Path) -> None:
    table = _table().assign(label=pd.array([0, 1, 10, 2, 1, None], dtype="Int64"))
    table.to_parquet(tmp_path / "t.parquet")
    assert features.classes(tmp_path, Config(file="t.parquet")) == ("0", "1", "2", "10")
    assert list(features.samples(tmp_path, Config(file="t.parquet"))["label"]) == [0, 1, 3, 2, 1, -1]


def test_labels_that_differ_in_capital_letters_are_refused_or_one_of_the_listed_classes(tmp_path: Path) -> None:
    table = _table().assign(label=["pain", "calm", "Pain", "pain ", "calm", "pain"])
    for file in ("t.csv", "t.parquet"):
        (table.to_csv if file == "t.csv" else table.to_parquet)(tmp_path / file, index=False)
        with pytest.raises(DataError, match=r"labels are spelt alike\n.*'Pain' \(1 rows\), 'pain' \(3 rows\)"):
            features.samples(tmp_path, Config(file=file))
        listed = features.samples(tmp_path, Config(file=file, classes=["calm", "pain"]))
        assert list(listed["label"]) == [1, 0, 1, 1, 0, 1]
        assert listed.attrs["notes"]["labels that differ from a listed class in capital letters"] == 1
        both = features.samples(tmp_path, Config(file=file, classes=["calm", "pain", "Pain"]))
        assert list(both["label"]) == [1, 0, 2, 1, 0, 1]


def test_words_for_nothing_are_counted(tmp_path: Path) -> None:
    _table().assign(label=["nan", "calm", "calm", "nan", "calm", "nan"], subject=list("aabbNN")).to_csv(
        tmp_path / "t.csv", index=False
    )
    notes = features.samples(tmp_path, Config(file="t.csv")).attrs["notes"]
    assert notes == {"labels that read like an empty cell (NaN, NA, None), taken as a class": 3}


@pytest.mark.parametrize(
    ("labels", "listed", "told"),
    [
        ([-1, 0, 1, 1, 0, -1], [], 2),
        ([-1.0, 0, 1, 1, 0, 2], [], 1),
        ([-1, 0, 1, 1, 0, -1], ["-1", "0", "1"], 0),
        ([-1, 1, 1, 1, -1, -1], [], 0),
        ([-1, -2, 0, 1, 2, 0], [], 0),
        ([0, 0, 1, 1, 2, 0], [], 0),
    ],
)
def test_minus_one_beside_indices_is_told_as_a_class(
    tmp_path: Path, labels: list[float], listed: list[str], told: int
) -> None:
    table = _table().assign(label=labels)
    for file in ("t.csv", "t.parquet"):
        (table.to_csv if file == "t.csv" else table.to_parquet)(tmp_path / file, index=False)
        notes = features.samples(tmp_path, Config(file=file, classes=listed)).attrs["notes"]
        assert sum(count for note, count in notes.items() if "labels of -1" in note) == told


REFUSED: dict[str, tuple[Callable[[pd.DataFrame, Path], object], str]] = {
    "lists.parquet": (
        lambda t, p: t.assign(label=[[1, 2]] * N).to_parquet(p),
        r"column 'label' holds list<.*",
    ),
    "features of lists.parquet": (
        lambda t, p: t.assign(eda__f0=[[1.0, 2.0]] * N).to_parquet(p),
        "column 'eda__f0': .* is not a number",
    ),
    "dates.parquet": (
        lambda t, p: t.assign(eda__f0=pd.date_range("2024-03-01", periods=N)).to_parquet(p),
        "column 'eda__f0': 2024-03-01 00:00:00 is a date, no number",
    ),
    "spans.parquet": (
        lambda t, p: t.assign(eda__f0=pd.to_timedelta(range(N), "s")).to_parquet(p),
        "is a span of time, no number",
    ),
    "twice.parquet": (
        lambda t, p: pq.write_table(_arrow(t).append_column("label", pa.array(t["label"])), p),
        "columns of one name\n.*column 'label' stands 2 times",
    ),
    "twice.csv": (lambda t, p: p.write_bytes(_csv(t).replace(b"eda__f1", b"eda__f0")), "'eda__f0' stands 2 times"),
    "two spellings of one number.csv": (
        lambda t, p: t.assign(sample_id=["1", "1.0", "2", "3", "4", "5"]).to_csv(p, index=False),
        "writes one number in two ways\n.*'1' and '1.0'",
    ),
    "spelt otherwise.parquet": (
        lambda t, p: t.rename(columns={"sample_id": "Sample_ID"})[1:].to_parquet(p),
        "'sample_id'; did you mean 'Sample_ID'",
    ),
    "unquoted decimal commas.csv": (
        lambda t, p: p.write_bytes(_csv(t).replace(b".", b",")),
        "rows have more cells than the header",
    ),
    "cut.csv": (lambda t, p: p.write_bytes(_csv(t)[:-12]), "the last row is cut"),
    "mixed.csv": (lambda t, p: p.write_bytes(_csv(t) + "s9,d,Mü".encode("cp1252")), "it is no UTF-8 text"),
    "parquet.csv": (lambda t, p: t.to_parquet(p), "this is a Parquet table"),
    "csv.parquet": (lambda t, p: t.to_csv(p), "the table cannot be read"),
    "excel.csv": (lambda _t, p: p.write_bytes(b"PK\x03\x04 workbook"), "an Excel workbook"),
    "empty.csv": (lambda _t, p: p.write_bytes(b""), "it is empty"),
    "header.csv": (lambda t, p: p.write_bytes(_csv(t[:0])), "the table has no rows"),
    "thousands.csv": (
        lambda t, p: t.assign(eda__f0="1,234,567").to_csv(p, index=False, sep=";"),
        "'1,234,567' is not a number",
    ),
}


@pytest.mark.parametrize("file", REFUSED)
def test_what_is_doubtful_is_refused_by_name(tmp_path: Path, file: str) -> None:
    write, message = REFUSED[file]
    write(_table(), tmp_path / file)
    with pytest.raises(DataError, match=message) as caught:
        features.samples(tmp_path, Config(file=file))
    assert file in str(caught.value.where)


def test_missing_cells_are_missing_in_both_kinds(tmp_path: Path) -> None:
    table = _table()
    table.loc[2, ["eda__f0", "eda__f1", "eda__f2"]] = np.nan
    table.to_parquet(tmp_path / "t.parquet")
    for i, word in enumerate(["", "NaN", "NA", "null", "None"]):
        table.to_csv(tmp_path / f"{i}.csv", index=False, na_rep=word)
        listed = features.samples(tmp_path, Config(file=f"{i}.csv"))
        assert list(listed["media_eda"] == "") == [False, False, True, False, False, False]
    assert features.samples(tmp_path, Config(file="t.parquet")).loc[2, "media_eda"] == ""
