"""What lies on disk: atomic writing, whole folders replaced, manifests that say what differs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import (
    MANIFEST,
    Manifest,
    RunFolder,
    digest_of,
    read_manifest,
    read_parquet,
    replaced_folder,
    write_bytes,
    write_json,
    write_manifest,
    write_parquet,
    write_text,
)
from mtpkd_cli.artifacts.feature_parts import PartAbout, part_about, part_table, read_parts
from mtpkd_cli.errors import ArtifactError, DataError, Interrupted, StorageError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_with_its_folder_and_nothing_beside(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "grün")
    write_bytes(tmp_path / "a" / "b.txt", b"newer")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"newer"
    assert _names(tmp_path / "a") == ["b.txt"]


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1.5})
    for content in ({"x": float("nan")}, {"x": float("inf")}, {"x": object()}):
        with pytest.raises((ValueError, TypeError)):
            write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1.5}
    assert _names(tmp_path) == ["a.json"]


def test_a_place_that_cannot_be_written_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    with pytest.raises(StorageError, match="taken"):
        write_text(tmp_path / "taken", "a file in place of a folder")
    assert _names(tmp_path) == ["taken"]


def test_a_table_reads_as_written_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    write_parquet(tmp_path / "t.parquet", table)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t.parquet").to_pandas(), table)
    whole = (tmp_path / "t.parquet").read_bytes()
    for content in (b"", b"xx", whole[: len(whole) // 2]):
        (tmp_path / "t.parquet").write_bytes(content)
        with pytest.raises(ArtifactError, match="cannot be read"):
            read_parquet(tmp_path / "t.parquet")
    with pytest.raises(ArtifactError):
        read_parquet(tmp_path / "absent.parquet")


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "result"
    with replaced_folder(folder) as out:
        (out / "old").touch()
        assert not folder.exists()
    with replaced_folder(folder) as out:
        assert _names(out) == []
        (out / "new").touch()
    assert (_names(folder), _names(folder.parent)) == (["new"], ["result"])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_keeps_the_old_folder(tmp_path: Path, error: type[BaseException]) -> None:
    folder = tmp_path / "result"
    with replaced_folder(folder) as out:
        (out / "old").touch()
    with pytest.raises(error), replaced_folder(folder) as out:  # noqa: PT012
        (out / "half").touch()
        raise error
    assert (_names(folder), _names(tmp_path)) == (["old"], ["result"])


def test_an_interrupt_between_the_two_renames_keeps_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "result"
    with replaced_folder(folder) as out:
        (out / "old").touch()
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        done = rename(self, target)
        if target.name.endswith(".old"):
            raise Interrupted("stopped by SIGTERM")
        return done

    with monkeypatch.context() as patch, pytest.raises(Interrupted), replaced_folder(folder):
        patch.setattr(Path, "rename", interrupted)
    assert (_names(folder), _names(tmp_path)) == (["old"], ["result"])


STUDY = {
    "model": {"embedding": 64, "heads": 2},
    "distill": {"kd": {"temperature": 2.0}},
    "seed": 0,
    "tried": [{"k": 3}, {"k": 5}],
}
INPUTS = {"samples": "aa", "features/eda": "bb"}


def _changed(**changes: object) -> dict[str, object]:
    return STUDY | changes


@pytest.mark.parametrize(
    ("study", "inputs", "words"),
    [
        (STUDY, INPUTS, None),
        (_changed(model={"embedding": 32, "heads": 2}), INPUTS, "model.embedding was 64, is 32"),
        (_changed(distill={"kd": {"temperature": 3.0}}), INPUTS, "distill.kd.temperature was 2.0, is 3.0"),
        (_changed(model={"embedding": 64}), INPUTS, "model.heads was 2, is null"),
        (_changed(new="x"), INPUTS, 'new was null, is "x"'),
        (STUDY, INPUTS | {"features/eda": "cc"}, "features/eda has changed"),
        (STUDY, INPUTS | {"features/ecg": "dd"}, "features/ecg has changed"),
        (STUDY, {"samples": "aa"}, "features/eda has changed"),
        (_changed(seed=1), INPUTS | {"samples": "x"}, "seed was 0, is 1; samples has changed"),
        (_changed(tried=[{"k": 3}, {"k": 4}]), INPUTS, "tried[1].k was 5, is 4"),
        ({}, {}, "; and 5 more"),
    ],
)
def test_a_manifest_tells_what_differs(study: dict[str, object], inputs: dict[str, str], words: str | None) -> None:
    difference = Manifest(STUDY, INPUTS, {}).difference(study, inputs)
    assert difference == words if words is None or not words.startswith("; and") else words in str(difference)


def test_a_manifest_of_another_schema_is_no_result_of_this_program() -> None:
    assert "schema" in str(Manifest(STUDY, INPUTS, {}, schema=0).difference(STUDY, INPUTS))


def test_a_manifest_reads_as_written_and_names_every_output(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, content in (("b", "1"), ("a", "2"), ("sub/c", "3")):
        (tmp_path / name).write_text(content)
    files = [tmp_path / "b", tmp_path / "a", tmp_path / "sub" / "c"]
    written = write_manifest(tmp_path, files, Manifest(STUDY, INPUTS, {}, {"samples": 7}, 1.23456, "cpu"))
    assert read_manifest(tmp_path) == written
    assert list(written.outputs) == ["a", "b", "sub/c"]
    assert written.difference(STUDY, INPUTS) is None
    assert (written.counts, written.seconds) == ({"samples": 7}, 1.235)
    assert {"python", "torch", "numpy"} <= set(written.libraries)
    assert written.digest != write_manifest(tmp_path, files[:2], Manifest(STUDY, INPUTS, {})).digest


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1}) != digest_of({"a": 1, "b": [2, 1]})


def test_a_folder_without_a_manifest_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "absent") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b"{}", b"\xff", b'{"study": {}}', b'{"study": 3, "inputs": {}, "outputs": {}}'],
)
def test_a_damaged_manifest_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match="not a manifest") as caught:
        read_manifest(tmp_path)
    assert caught.value.exit_code == 3
    assert str(tmp_path / MANIFEST) in str(caught.value)


def test_every_path_of_a_run_is_its_own_and_lies_within(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    paths = [run.study, run.samples, run.splits, run.features("eda"), run.align(0, 1), run.bank(0, 1), run.evaluation]
    paths += [run.teacher(0, 1, "joint"), run.student(0, 1, "kd"), run.student(1, 0, "kd")]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)
    assert run.relative(run.bank(2, 5)) == "fold-2/seed-5/bank"
    assert run.data_root("../c") == tmp_path / "../c"
    assert run.data_root("/c") == Path("/c")


def _part(path: Path, sequences: dict[str, tuple[np.ndarray, np.ndarray]], **about: object) -> None:
    write_parquet(path, part_table(sequences, PartAbout(**({"key": "k"} | about))))  # type: ignore[arg-type]


def test_features_read_as_written_in_the_order_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {f"s{i}": (np.arange(n) * 0.5, rng.normal(size=(n, 5)).astype(np.float32)) for i, n in enumerate((3, 1, 4))}
    made["s1"][1][0, 2] = np.nan
    _part(tmp_path / "part-00000.parquet", {"s2": made["s2"], "s0": made["s0"]}, names=tuple("abcde"))
    _part(tmp_path / "part-00001.parquet", {"s1": made["s1"], "other": made["s0"]})
    _part(tmp_path / "part-00002.parquet", {}, failures=(("s9", "s9.mp4", "raised", "damaged", 0.1),))
    ids = ["s0", "s9", "s1", "s2"]
    rows, steps, values = read_parts(tmp_path, ids)
    for sample in ("s0", "s1", "s2"):
        of_sample = rows == ids.index(sample)
        np.testing.assert_array_equal(steps[of_sample], np.arange(len(made[sample][0])))
        np.testing.assert_array_equal(values[of_sample], made[sample][1])
    assert not (rows == 1).any()
    assert len(rows) == 8


def test_a_part_tells_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.parquet"
    failures = (("s9", "s9.mp4", "read", "raised", "damaged", 0.1),)
    _part(path, {}, names=("a",), failures=failures, notes={"flat": 2.0})
    assert part_about(path) == PartAbout("k", ("a",), failures, {"flat": 2.0})
    write_parquet(path, pd.DataFrame({"a": [1]}))
    assert part_about(path) is None
    path.write_bytes(b"xx")
    assert part_about(path) is None
    assert part_about(tmp_path / "absent.parquet") is None


def test_a_modality_without_any_features_is_told(tmp_path: Path) -> None:
    _part(tmp_path / "part-00000.parquet", {})
    with pytest.raises(DataError, match="not one sample"):
        read_parts(tmp_path, ["s0"])
    with pytest.raises(ArtifactError, match="no part files"):
        read_parts(tmp_path / "absent", ["s0"])
