"""Files that vanish, are cut off or come from the future: the next run heals what is damaged and nothing else."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.artifacts import replaced_folder, write_json
from mtpkd_cli.errors import ArtifactError, StorageError
from mtpkd_cli.pipeline import Choice

FUTURE_S = 3 * 365 * 86_400


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _fill_while_it_is_swept(folder: Path) -> None:
    with replaced_folder(folder) as out:
        write_json(out / "first.json", 1)
        shutil.rmtree(out)
        write_json(out / "second.json", 2)  # makes the folder anew


def test_a_cache_that_has_vanished_is_named_and_made_again_and_nothing_else(tiny: Any, finished: Any) -> None:
    wanted = finished.artifacts()
    shutil.rmtree(tiny.run.features("eda"))
    with pytest.raises(ArtifactError, match="needs extract eda, which is missing") as caught:
        tiny.do("train-teachers", overwrite=True, choice=Choice(0, 0, "eda"))
    assert caught.value.exit_code == 3
    assert "mtpkd extract" in str(caught.value)
    made, _ = tiny.do()
    assert made == 1
    assert tiny.artifacts() == wanted


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("features/face/part-00000.parquet", 1),
        ("fold-0/seed-0/teachers/eda/model.safetensors", 1),
        ("fold-1/seed-0/bank/joint.parquet", 1),
        ("fold-1/seed-0/students/kd/predictions.parquet", 1),
        ("evaluation/metrics.json", 1),
        ("fold-0/seed-0/align/manifest.json", 1),
    ],
)
@pytest.mark.parametrize(
    "damage", [Path.unlink, _cut, lambda path: path.write_bytes(b"")], ids=["gone", "cut", "empty"]
)
def test_a_file_that_is_gone_or_cut_off_is_made_again_and_nothing_else(
    tiny: Any, finished: Any, file: str, made: int, damage: Any
) -> None:
    damage(tiny.run.root / file)
    states = {label: state for label, state in tiny.states().items() if state.kind != "done"}
    assert states
    remade, _ = tiny.do()
    assert remade == made
    assert tiny.artifacts() == finished.artifacts()


def test_a_folder_that_vanishes_while_it_is_filled_is_not_taken_for_whole(tmp_path: Path) -> None:
    folder = tmp_path / "unit"
    with replaced_folder(folder) as out:
        write_json(out / "before.json", 0)
    with pytest.raises(StorageError, match="cannot write unit: No such file") as caught:
        _fill_while_it_is_swept(folder)
    assert "a folder has vanished" in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["before.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["unit"]


def test_files_from_the_future_make_nothing_stale_and_block_nothing(tiny: Any, finished: Any) -> None:
    """A node whose clock is years ahead has written all of it, and was killed while it wrote."""
    wanted, future = finished.artifacts(), time.time() + FUTURE_S
    left = tiny.run.student(0, 0, "kd").with_name(".kd.elsewhere_1@77-88")
    left.mkdir()
    for path in tiny.run.root.rglob("*"):
        os.utime(path, (future, future))
    assert tiny.do()[0] == 0
    shutil.rmtree(tiny.run.student(0, 0, "kd"))
    assert tiny.do("distill")[0] == 1
    left.rmdir()
    assert tiny.artifacts() == wanted
