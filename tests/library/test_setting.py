"""Settings given with a command: none is left in study.toml by which the command fails."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtpkd_cli import library
from mtpkd_cli.errors import ArtifactError, DataError, MtpkdError, StudyError, TooManyFailures
from mtpkd_cli.stages import Extraction


@pytest.mark.parametrize(
    ("stage", "assignment", "kind"),
    [
        ("extract", "data.options.label_column=no-such", DataError),
        ("extract", "data.options.file=no-such.parquet", DataError),
        ("extract", "data.root=/no/such/folder", DataError),
        ("extract", "data.split=official", DataError),
        ("extract", "data.folds=13", DataError),
        ("extract", "data.split_seed=7", ArtifactError),
        ("extract", 'data.exclude.samples=["p99-1"]', StudyError),
        ("extract", 'modalities.face.encoder="no-such"', StudyError),
        ("distill", "distill.method.pkdot.anchors_k=500", StudyError),
        ("distill", "train.epochs=3", ArtifactError),
        ("evaluate", "distill.epochs=3", ArtifactError),
        ("train-teachers", "train.epochs=0", StudyError),
    ],
)
def test_a_setting_by_which_the_command_fails_is_not_left(
    tiny: Any, stage: str, assignment: str, kind: type[MtpkdError]
) -> None:
    before = tiny.run.study.read_bytes()
    undone = tiny.undone()
    with pytest.raises(kind):
        library.do_stages(tiny.run.root, [stage], set=[assignment])
    assert tiny.run.study.read_bytes() == before
    assert tiny.undone() == undone == set()
    assert library.do_stages(tiny.run.root, [stage]) == {stage: 0}


def test_a_setting_stays_where_something_else_fails(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "new")
    with pytest.raises(ArtifactError, match="missing"):
        library.do_stages(tiny.run.root, ["distill"], set=["distill.epochs=3"])
    assert tiny.study.distill.epochs == 3


def test_a_setting_of_an_encoder_by_which_all_samples_fail_is_taken_back(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    run.mkdir()
    rows = [(f"s{i}", f"p{i}", "ab"[k % 2], f"s{i}.csv") for k, i in enumerate(range(8))]
    table = pd.DataFrame(rows, columns=["sample_id", "subject", "label", "physio"])
    # Each person shows both classes, in samples of one file.
    table = pd.concat([table, table.assign(sample_id=table["sample_id"] + "b", label=table["label"].iloc[::-1].values)])
    table.to_csv(data / "samples.csv", index=False)
    for name in set(table["physio"]):
        pd.DataFrame({"time": [i / 16 for i in range(64)], "eda": [1 + i % 5 for i in range(64)]}).to_csv(
            data / name, index=False
        )
    options = '{ column = "eda", time_unit_s = 1.0 }'
    (run / "study.toml").write_text(
        '[study]\nname = "s"\n[data]\nadapter = "table"\nroot = "../data"\nfolds = 2\n'
        'options = { media = ["physio"] }\n'
        f'[modalities.a]\nrole = "prevalent"\nencoder = "signal"\nmedia = "physio"\noptions = {options}\n'
        f'[modalities.b]\nrole = "privileged"\nencoder = "signal"\nmedia = "physio"\noptions = {options}\n'
    )
    alone = Extraction(workers=0)
    assert library.do_stages(run, ["extract"], extraction=alone) == {"extract": 3}
    before = (run / "study.toml").read_bytes()
    with pytest.raises(TooManyFailures, match="no column 'edaa'"):
        library.do_stages(run, ["extract"], set=["modalities.b.column=edaa"], extraction=alone)
    assert (run / "study.toml").read_bytes() == before


def test_unset_takes_a_key_out_and_its_default_holds(tiny: Any) -> None:
    library.do_stages(tiny.run.root, ["evaluate"], unset=["evaluate.resamples"], set=["evaluate.permutations=99"])
    assert (tiny.study.evaluate.resamples, tiny.study.evaluate.permutations) == (2000, 99)
    assert "resamples" not in tiny.run.study.read_text()
    assert tiny.run.study.read_text().startswith('# a tiny study\n[study]\nname = "tiny"          # no more than that')


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("evaluate.resample", "no key 'evaluate.resample'; did you mean 'resamples'"),
        ("modalities.fase.role", "did you mean 'face'"),
        ("study.name", "study.name: required, and missing"),
        ("study.name.first", "'name' is a value, not a table"),
        ("distill.epochs", "to be set and to be unset"),
    ],
)
def test_what_cannot_be_unset_is_told_and_nothing_is_written(tiny: Any, key: str, message: str) -> None:
    before = tiny.run.study.read_bytes()
    with pytest.raises(StudyError, match=message):
        library.do_stages(tiny.run.root, ["distill"], unset=[key], set=["distill.epochs=9"])
    assert tiny.run.study.read_bytes() == before


def test_the_command_line_takes_unset(tiny: Any, mtpkd: Callable[..., Any]) -> None:
    done = mtpkd("extract", tiny.run.root, "--unset", "model.dropout", "--unset", "modalities.face.options")
    assert done.returncode == 0, done.stderr
    assert "model.dropout is not in the study: it has its default" in done.stderr
    done = mtpkd("extract", tiny.run.root, "--unset", "data.folds")
    assert done.returncode == 3, done.stderr
    assert "data.folds was 2, is 5" in done.stderr
    assert tiny.study.data.folds == 2
