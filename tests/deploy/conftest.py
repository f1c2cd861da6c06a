"""A small run on real media of the sample study: the face is prevalent, skin conductance privileged."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.cli import app
from mtpkd_cli.errors import MtpkdError

SAMPLE = Path(__file__).parents[2] / "sample_data"
STUDY = """\
[study]
name = "small"
seeds = [0, 1]

[data]
adapter = "biovid"
root = "../corpus"
folds = 2
validation_share = 0.5
options = { levels = ["BL1", "PA4"] }

[modalities.video]
role = "prevalent"
encoder = "face"
options = { rate_hz = 5.0 }

[modalities.eda]
role = "privileged"
encoder = "eda"
media = "biosignals"
options = { column = "gsr" }

[model]
embedding = 6

[train]
epochs = 2
crossfit_folds = 2

[align]
epochs = 2

[distill]
methods = ["student-only", "kd"]
epochs = 2
anchors_k = 2

[evaluate]
resamples = 100
"""


@pytest.fixture(scope="session")
def media_run(made_once: Callable[..., Path], make_tiny: Callable[..., Any]) -> RunFolder:
    """A finished run of six people with a clip of each level; its corpus has been taken away."""
    return RunFolder(made_once("media", lambda folder: _do(make_tiny(folder / "study"))) / "study" / "run")


def _do(tiny: Any) -> None:
    corpus = tiny.root / "corpus"
    subjects = sorted(path.name for path in (SAMPLE / "video").iterdir())[:6]
    for subject in subjects:
        for level in ("BL1", "PA4"):
            for clip in sorted((SAMPLE / "video" / subject).glob(f"*-{level}-*.mp4"))[:1]:
                signal = Path("biosignals_filtered") / subject / f"{clip.stem}_bio.csv"
                for relative in (clip.relative_to(SAMPLE), signal):
                    (corpus / relative).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(SAMPLE / relative, corpus / relative)
    tiny.run.study.write_text(STUDY)
    tiny.do(workers=0)
    corpus.rename(tiny.root / "taken-away")


@pytest.fixture(scope="session")
def clips(media_run: RunFolder) -> list[Path]:
    """The video clips of the run's corpus."""
    return sorted((media_run.root.parent / "taken-away" / "video").rglob("*.mp4"))


@pytest.fixture
def here() -> Callable[..., Any]:
    """Runs the command line in this process: returncode, stdout and stderr, as main() would give them."""

    def call(*arguments: object, listed: str = "") -> SimpleNamespace:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=listed)
        code, told = result.exit_code, result.stderr
        if isinstance(result.exception, MtpkdError):
            code, told = result.exception.exit_code, f"{told}error: {result.exception}\n"
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(returncode=code, stdout=result.stdout, stderr=told)

    return call
