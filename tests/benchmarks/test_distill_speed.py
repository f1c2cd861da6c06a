"""How long one distillation takes: mt-pkdot, 8,000 samples of ten steps, embedding 128, 30 epochs, two cores.

As a test: a fifth of the samples in a fifth of the time (under the mark stress all of them), 3 epochs and 9, and by
them what 30 would take. In full, with the time of student-only beside it:

    python tests/benchmarks/test_distill_speed.py [--epochs 30] [--samples 8000]

Teachers, alignment and bank are made before, in one epoch each: what they know changes no cost of the student.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import read_study
from mtpkd_cli.pipeline import Choice, do_stage
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Extraction, Job

SAMPLES, EPOCHS, LIMIT_S = 8000, 30, 120.0
STUDY = """
[study]
name = "speed"

[data]
adapter = "features"
root = "data"
folds = 5
validation_share = 0.2
options = {{ file = "table.csv", arrays = {{ video = "video.npz", eda = "eda.npz", ecg = "ecg.npz" }} }}

[modalities.video]
role = "prevalent"

[modalities.eda]
role = "privileged"

[modalities.ecg]
role = "privileged"

[model]
embedding = 128

[train]
epochs = 1
batch_size = 128
crossfit_folds = 2

[align]
epochs = 1
batch_size = 128

[distill]
methods = ["student-only", "mt-pkdot"]
epochs = {epochs}
patience = {epochs}
batch_size = 128
guard = false
"""


def prepared(root: Path, samples: int, epochs: int) -> RunFolder:
    """A study with everything before the students done."""
    rng, people = np.random.default_rng(0), 40
    data = root / "data"
    data.mkdir(parents=True)
    rows = ["sample_id,subject,label"] + [f"s{i},p{i % people},{i // people % 2}" for i in range(samples)]
    (data / "table.csv").write_text("\n".join(rows) + "\n")
    ids = np.array([f"s{i}" for i in range(samples)])
    labels = (np.arange(samples) // people % 2)[:, None, None]
    for name, size in (("video", 64), ("eda", 8), ("ecg", 8)):
        values = rng.normal(size=(samples, 10, size)) + 0.3 * labels
        np.savez(data / f"{name}.npz", ids=ids, features=values.astype(np.float32))
    run = RunFolder(root)
    run.study.write_text(STUDY.format(epochs=epochs))
    for stage in ("extract", "train-teachers", "align"):
        do_stage(run, read_study(run.study), stage, Choice(0, 0), Job(Collected(), extraction=Extraction(root=data)))
    return run


def seconds_of(run: RunFolder, method: str) -> float:
    """Wall time of one student, reading and writing included."""
    job = Job(Collected(), threads=2, overwrite=True, extraction=Extraction(root=run.root / "data"))
    begun = time.perf_counter()
    do_stage(run, read_study(run.study), "distill", Choice(0, 0, method), job)
    return time.perf_counter() - begun


@pytest.mark.slow
def test_one_distillation_of_8000_samples_takes_less_than_two_minutes(
    tmp_path: Path, thinned: Callable[[Iterable[int]], list[int]]
) -> None:
    samples = len(thinned(range(SAMPLES)))
    limit_s = LIMIT_S * samples / SAMPLES
    # As in a study of five folds: of 8,000 samples 5,120 are learned from, the others validate and are tested.
    run = prepared(tmp_path / "run", samples, epochs=3)
    least = {3: np.inf, 9: np.inf}
    for _ in range(3):  # whoever else uses the machine makes it slower, never faster: the least counts
        for epochs in (3, 9):
            run.study.write_text(STUDY.format(epochs=epochs))
            least[epochs] = min(least[epochs], seconds_of(run, "mt-pkdot"))
        whole = least[3] + (EPOCHS - 3) * (least[9] - least[3]) / 6
        if least[3] < whole < limit_s:
            break
    print(f"{least[3]:.1f} s for 3 epochs, {least[9]:.1f} s for 9, so {whole:.0f} s for {EPOCHS}")
    assert least[3] < whole < limit_s


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = prepared(Path(folder) / "run", arguments.samples, arguments.epochs)
        took = {method: round(seconds_of(run, method), 1) for method in ("student-only", "mt-pkdot")}
    took["ratio"] = round(took["mt-pkdot"] / took["student-only"], 2)
    print(json.dumps(took))
