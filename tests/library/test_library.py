"""The library's face: the verbs of the command line as functions, loaded when they are asked for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtpkd_cli
from mtpkd_cli.errors import ArtifactError, StudyError

LIGHT = """\
import sys
import mtpkd_cli
assert [name for name in sys.modules if name.startswith('mtpkd_cli')] == ['mtpkd_cli']
mtpkd_cli.read_study, mtpkd_cli.status, mtpkd_cli.run
print(*sorted({'torch', 'librosa', 'decord', 'av', 'cv2', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def _no_figures(only: Callable[..., None]) -> None:
    only()


def test_importing_it_loads_nothing_and_naming_a_verb_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_every_verb_is_a_function_with_a_docstring_and_other_names_are_refused() -> None:
    verbs = set(mtpkd_cli.__all__) - {"__version__"}
    assert verbs == {
        "ablate", "check", "compare", "curve", "evaluate", "export", "extract", "fit_final", "predict",
        "read_predictions", "read_scores", "read_study", "run", "status", "transfer",
    }  # fmt: skip
    assert verbs <= set(dir(mtpkd_cli))
    assert all(callable(getattr(mtpkd_cli, verb)) and getattr(mtpkd_cli, verb).__doc__ for verb in verbs)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mtpkd_cli.nothing


def test_a_notebook_gets_a_table_of_scores(tiny: Any) -> None:
    summary = mtpkd_cli.run(tiny.run.root, device="cpu")
    scores = mtpkd_cli.read_scores(tiny.run.root)
    assert len(scores) == len(summary.methods) * len(summary.metrics)
    row = scores.set_index(["method", "metric"]).loc[("kd", "auroc")]
    kd = summary.methods["kd"]
    assert (row["value"], row["low"], row["difference"]) == (
        kd.scores["auroc"].value, kd.scores["auroc"].low, kd.differences["auroc"].value,
    )  # fmt: skip
    assert row["reference"] == summary.reference
    assert np.isnan(row["over_placebo"])
    predictions = mtpkd_cli.read_predictions(str(tiny.run.root))
    kd_rows = predictions[predictions["method"] == "kd"]
    accuracy = kd_rows.groupby("fold").apply(lambda fold: (fold["predicted"] == fold["label"]).mean()).mean()
    assert accuracy == pytest.approx(kd.scores["accuracy"].value)
    assert {entry.state for entry in mtpkd_cli.status(tiny.run.root)} == {"done"}
    assert mtpkd_cli.read_study(tiny.run.root).study.name == "tiny"


def test_verbs_return_what_the_commands_print(tiny: Any, tmp_path: Path) -> None:
    summary = mtpkd_cli.compare([tiny.run.root], ["kd", "student-only"], output=tmp_path / "compared")
    assert list(summary.methods) == ["student-only", "kd"]
    assert len(pd.read_csv(tmp_path / "compared" / "scores.csv")) == 2 * len(summary.metrics)
    with pytest.raises(StudyError, match="something else already"):
        mtpkd_cli.compare([tiny.run.root], output=tmp_path)
    exported = mtpkd_cli.export(tiny.run.root, "torchscript", method="kd", output=tmp_path / "kd")
    assert exported.student.method == "kd"
    assert exported.largest_difference < 1e-4
    assert (exported.folder / "MODEL_CARD.md").is_file()
    with pytest.raises(StudyError, match="there is no format 'onxx'"):
        mtpkd_cli.export(tiny.run.root, "onxx")
    looked = mtpkd_cli.check(tiny.run.root, trial=0)
    assert {entry.concern for entry in looked} >= {"labels", "folds"}
    assert not any(entry.problems for entry in looked)


def test_errors_are_the_programs_own(tiny: Any) -> None:
    (tiny.run.evaluation / "metrics.json").write_text('{"task": "classification"}')
    with pytest.raises(ArtifactError, match="of an earlier version, or damaged: outputs") as caught:
        mtpkd_cli.read_scores(tiny.run.root)
    assert f"mtpkd evaluate {tiny.run.root} --overwrite" in str(caught.value)
    with pytest.raises(StudyError, match=r"study\.toml"):
        mtpkd_cli.status(tiny.run.root / "nothing")


def test_an_evaluation_and_its_ablation_lead_with_the_same_metric(
    make_tiny: Any, tiny_table: Any, tmp_path: Path
) -> None:
    """Before, metrics = ["rmse", "ccc"] led `evaluate` with CCC and `ablate` with RMSE."""
    table = tiny_table().rename(columns={"valence": "target_valence"}).drop(columns="label")
    tiny = make_tiny(
        tmp_path / "study", table, {
            'name = "tiny"': 'name = "tiny"\ntask = "regression"',
            'file = "table.parquet" }': 'file = "table.parquet", targets = ["target_valence"] }',
            "resamples = 100": 'resamples = 100\nmetrics = ["rmse", "ccc"]',
        },
    )  # fmt: skip
    summary = mtpkd_cli.run(tiny.run.root, device="cpu", jobs=1)
    ablation = mtpkd_cli.ablate(tiny.run.root, ["distill.anchors_k=4,5"], device="cpu", jobs=1)
    assert ablation is not None
    assert summary.metric_names == ablation.metric_names == ["ccc", "rmse"]
    assert [row.stage for row in mtpkd_cli.status(tiny.run.root) if row.stage == "ablate"].count("ablate") == 7
    assert {row.state for row in mtpkd_cli.status(tiny.run.root)} == {"done"}
