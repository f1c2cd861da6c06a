"""Exported students say what the torch student says: every kind, odd lengths, and the example beside the model."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.deploy import exporting
from mtpkd_cli.deploy.exporting import FlatStudent, check, export_student
from mtpkd_cli.deploy.predict_onnx import standardised
from mtpkd_cli.errors import NumericalError
from mtpkd_cli.models import Student
from mtpkd_cli.training.data import standardised as of_person

KINDS: list[tuple[str, dict[str, int], dict[str, Any]]] = [
    ("fusion", {"video": 5}, {"head": "ordinal"}),
    ("fusion", {"video": 5, "audio": 3}, {}),
    ("mlp", {"video": 5, "audio": 3}, {}),
    ("linear", {"video": 5}, {}),
    ("imputed", {"video": 5}, {"imputed": {"eda": (3, 4), "video": (5, 7)}}),
]


def _student(kind: str, sizes: dict[str, int], more: dict[str, Any]) -> Student:
    torch.manual_seed(0)
    return Student(sizes, 0 if kind == "imputed" else 2, 3, 6, 2, 0.1, kind=kind, **more).eval()


@pytest.mark.parametrize(("kind", "sizes", "more"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_kind_of_student_is_the_same_as_torchscript(
    kind: str, sizes: dict[str, int], more: dict[str, Any], tmp_path: Path
) -> None:
    student = _student(kind, sizes, more)
    assert export_student(tmp_path / "m.pt", student, sizes, kind == "fusion", "torchscript") <= 1e-6


@pytest.mark.slow
def test_a_small_student_is_the_same_in_onnxruntime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    sizes = {"video": 5, "audio": 3}
    assert export_student(tmp_path / "m.onnx", _student("mlp", sizes, {}), sizes, True, "onnx") <= 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_a_model_that_says_something_else_is_not_handed_over() -> None:
    model = FlatStudent(_student("mlp", {"video": 5}, {}), True).eval()

    def nearly(inputs: list[np.ndarray]) -> list[np.ndarray]:
        with torch.no_grad():
            return [part.numpy() + 2e-4 for part in model(*(torch.from_numpy(x) for x in inputs))]

    with pytest.raises(NumericalError, match=r"differs from the student by 0\.0002"):
        check(model, nearly, {"video": 5})


def test_targets_are_exported_in_their_units_whatever_their_size(tmp_path: Path) -> None:
    """A target of a million, give or take a thousand: rounding alone is far above 1e-4 of its unit."""
    sizes, targets = {"video": 5}, {"mean": [1e6, 0.5, 0.0], "scale": [1e3, 0.1, 1.0]}
    student = _student("mlp", sizes, {"targets": targets})
    assert export_student(tmp_path / "m.pt", student, sizes, False, "torchscript") <= 1e-4
    values, mask = torch.randn(3, 7, 5), torch.ones(3, 7, dtype=torch.bool)
    scores, _ = torch.jit.load(tmp_path / "m.pt")(values, mask)
    assert torch.equal(scores, student({"video": (values, mask)}).logits)
    assert (scores[:, 0] - 1e6).abs().max() < 1e4
    with student.standard_units():
        inside = student({"video": (values, mask)}).logits
    torch.testing.assert_close(scores[:, 1], inside[:, 1] * 0.1 + 0.5)


def test_lengths_are_odd_and_masks_ragged() -> None:
    rng = np.random.default_rng(3)
    values, mask, other, _ = exporting._sample(rng, {"a": 5, "b": 2}, batch=3, steps=7)
    assert (values.shape, other.shape) == ((3, 7, 5), (3, 9, 2))
    assert mask.any(1).all()


@pytest.mark.slow
def test_the_example_predicts_a_clip_as_the_test_prediction_was_stored(
    media_run: RunFolder, clips: list[Path], here: Callable[..., Any], tmp_path: Path
) -> None:
    """The fusion student of a real run: exported, moved away from everything, applied without torch."""
    pytest.importorskip("onnxruntime")
    place = tmp_path / "handed" / "over"
    done = here("export", media_run.root, "--method", "kd", "--fold", 0, "--seed", 1, "-o", place)
    assert done.returncode == 0, done.stderr
    assert "on 100 samples of odd lengths" in done.stdout
    assert sorted(path.name for path in place.iterdir()) == [
        "MODEL_CARD.md", "features.json", "model.onnx", "predict_onnx.py",
    ]  # fmt: skip
    stored = pd.read_parquet(media_run.student(0, 1, "kd") / "predictions.parquet")
    stored = stored[stored["part"] == "test"].set_index("sample_id")
    clip = next(clip for clip in clips if clip.stem in stored.index)
    assert json.loads((place / "features.json").read_text())["modalities"]["video"]["names"][-1] == "face_found"
    block = "import sys, runpy; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], "
    command = [sys.executable, "-c", f"{block}run_name='__main__')", "predict_onnx.py", ".", str(clip)]
    root = str(Path(exporting.__file__).parents[2])
    ran = subprocess.run(
        command,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert ran.returncode == 0, ran.stderr
    prediction = json.loads(ran.stdout)
    assert list(prediction["scores"].values()) == pytest.approx(stored.loc[clip.stem, "scores"], abs=1e-4)
    assert prediction["confidence"] == max(prediction["scores"].values())
    threshold = json.loads((media_run.evaluation / "metrics.json").read_text())["methods"]["kd"]["thresholds"]
    assert json.loads((place / "features.json").read_text())["threshold"] == threshold["fold-0/seed-1"]
    assert prediction["predicted_tuned"] == (
        "PA4" if prediction["scores"]["PA4"] > threshold["fold-0/seed-1"] else "BL1"
    )
    card = (place / "MODEL_CARD.md").read_text()
    for text in ("## Intended use", "12 samples of 6 people: 6 BL1, 6 PA4", "| video | prevalent | face |", "p = "):
        assert text in card


def test_a_student_of_ready_features_is_exported_without_an_encoder(tiny: Any, here: Callable[..., Any]) -> None:
    shutil.rmtree(tiny.run.evaluation)
    done = here("export", tiny.run.root, "--format", "torchscript", "--method", "kd")
    assert done.returncode == 0, done.stderr
    place = tiny.run.root / "export" / "kd-torchscript"
    assert (place / "model.pt").is_file()
    assert not (place / "predict_onnx.py").exists()
    assert json.loads((place / "features.json").read_text())["modalities"]["face"]["encoder"] is None
    assert "Not evaluated" in (place / "MODEL_CARD.md").read_text()
    again = here("export", tiny.run.root, "--format", "torchscript", "--method", "kd")
    assert again.returncode == 0
    other = here("export", tiny.run.root, "--format", "torchscript", "-o", tiny.run.root)
    assert other.returncode == 2
    assert "something else" in other.stderr
    assert tiny.run.study.is_file()


def test_the_example_standardises_a_person_as_training_does() -> None:
    values = np.random.default_rng(0).normal(3, 2, (11, 4)).astype(np.float32)
    values[:, 1] = 7.0
    values[2, 0] = np.nan
    expected = of_person(torch.from_numpy(values)[None], torch.ones(1, 11, dtype=torch.bool), np.array(["p"]))[
        0
    ].numpy()
    np.testing.assert_allclose(standardised(values), expected, atol=1e-4)
