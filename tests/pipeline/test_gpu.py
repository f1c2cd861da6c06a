"""A whole study on a GPU: what a CPU gives up to rounding, the same bits every time, readable where there is no GPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.models import Student
from mtpkd_cli.pipeline import STAGES
from mtpkd_cli.training.checkpoints import load_model, read_weights

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
# Nothing is drawn on the device, where the numbers would be others; label-structure orders ties by the device.
STUDY = {
    "embedding = 6": "embedding = 6\ndropout = 0.0\nstochastic_depth = 0.0",
    '["student-only", "kd", "pkdot", "mt-pkdot"]': str(sorted({*METHODS.names()} - {"label-structure"})),
}


@pytest.fixture(scope="module")
def on_both(tmp_path_factory: pytest.TempPathFactory, make_tiny: Callable[..., Any]) -> tuple[Any, Any]:
    """The same study done on the CPU and on the GPU."""
    made = []
    for device in ("cpu", "cuda"):
        tiny = make_tiny(tmp_path_factory.mktemp(device) / "study", study=STUDY)
        tiny.do("extract")
        tiny.do(*STAGES[1:4], device=device)
        tiny.do("evaluate")
        made.append(tiny)
    return made[0], made[1]


def models(tiny: Any) -> dict[str, Path]:
    return {tiny.run.relative(path): path for path in sorted(tiny.run.root.rglob("*.safetensors"))}


def test_every_model_is_the_one_of_the_cpu(on_both: tuple[Any, Any]) -> None:
    here, there = map(models, on_both)
    assert here.keys() == there.keys()
    assert len(here) == 2 * (3 + 2 + len(METHODS.names()) - 1)
    for name, path in here.items():
        on_gpu = read_weights(there[name])
        for key, tensor in read_weights(path).items():
            torch.testing.assert_close(
                on_gpu[key], tensor, rtol=5e-3, atol=5e-3, msg=lambda m, n=name, k=key: f"{n} {k}: {m}"
            )


def test_predictions_and_scores_are_those_of_the_cpu(on_both: tuple[Any, Any]) -> None:
    here, there = (read_parquet(tiny.run.evaluation / "predictions.parquet").to_pandas() for tiny in on_both)
    keys = ["method", "fold", "sample_id"]
    here, there = (table.sort_values(keys, ignore_index=True) for table in (here, there))
    assert here[keys].equals(there[keys])
    np.testing.assert_allclose(np.stack(there["scores"]), np.stack(here["scores"]), atol=5e-3)


def test_the_gpu_gives_the_same_bits_again(on_both: tuple[Any, Any], tmp_path: Path) -> None:
    again = on_both[1].copy(tmp_path / "again")
    again.do(*STAGES[1:4], device="cuda", overwrite=True)
    for name, path in models(on_both[1]).items():
        assert models(again)[name].read_bytes() == path.read_bytes(), name


def test_students_are_read_on_the_cpu(on_both: tuple[Any, Any]) -> None:
    folder = models(on_both[1])["fold-0/seed-0/students/mt-pkdot/model.safetensors"].parent
    network, about = load_model(folder, Student)
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
    assert about.method == "mt-pkdot"


@pytest.mark.parametrize(
    "study",
    [
        {},
        {
            'name = "tiny"': 'name = "tiny"\ntask = "regression"',
            'file = "table.parquet"': 'file = "table.parquet", targets = ["valence"]',
        },
        {"[distill]\n": '[student]\nkind = "mlp"\n\n[distill]\n'},
    ],
    ids=["default", "regression", "mlp"],
)
def test_studies_of_other_kinds_end_on_a_gpu(
    tmp_path: Path, make_tiny: Callable[..., Any], study: dict[str, str]
) -> None:
    tiny = make_tiny(tmp_path / "study", study=study)
    tiny.do("extract")
    tiny.do(*STAGES[1:4], device="cuda")
    tiny.do("evaluate")
    assert not tiny.undone()
