"""What one fold costs, stage by stage: four modalities of eleven steps, student-only and mt-pkdot, the default study.

A small set of that shape is fitted for three epochs; the time is processor time, in units of a thousand plain matrix
products of the size of a teacher's own, timed in the same process. In full, one leave-one-subject-out fold of 87 people
and 3,480 samples, fitted to its end, in seconds too:

    python tests/benchmarks/test_fold_speed.py [--people 87] [--batch-size 32]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import read_study
from mtpkd_cli.pipeline import Choice, do_stage
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Extraction, Job

FEATURES = {"video": 130, "eda": 12, "ecg": 12, "emg": 10}
STEPS, PER_PERSON, LIMIT = 11, 40, 110.0
STAGES = {
    "teachers": ("train-teachers", None),
    "alignment": ("align", "align"),
    "bank": ("align", "bank"),
    "distillation": ("distill", None),
}
STUDY = """
[study]
name = "fold"

[data]
adapter = "features"
root = "data"
split = "loso"

[data.options]
file = "table.csv"
arrays = {{ video = "video.npz", eda = "eda.npz", ecg = "ecg.npz", emg = "emg.npz" }}

[modalities]
video = {{ role = "prevalent", encoder = "table" }}
eda = {{ role = "privileged", encoder = "table" }}
ecg = {{ role = "privileged", encoder = "table" }}
emg = {{ role = "privileged", encoder = "table" }}

[train]
{fit}

[align]
{fit}

[distill]
methods = ["student-only", "mt-pkdot"]
{fit}
"""


def prepared(root: Path, people: int, fit: str) -> RunFolder:
    """A study of ready features with a planted signal, listed and read."""
    rng, n = np.random.default_rng(0), people * PER_PERSON
    data = root / "data"
    data.mkdir(parents=True)
    rows = ["sample_id,subject,label"] + [f"s{i},p{i // PER_PERSON},{i % 2}" for i in range(n)]
    (data / "table.csv").write_text("\n".join(rows) + "\n")
    labels = (np.arange(n) % 2 * 2 - 1)[:, None, None]
    for name, size in FEATURES.items():
        person = np.repeat(rng.normal(size=(people, 1, size)), PER_PERSON, axis=0)
        noise = rng.normal(size=(n, STEPS, size)) + rng.normal(size=(n, 1, size))
        signal = labels * rng.normal(size=size) * np.linspace(0, 0.6, STEPS)[:, None]
        np.savez(data / f"{name}.npz", ids=[f"s{i}" for i in range(n)], features=(noise + person + signal).astype("f"))
    run = RunFolder(root)
    run.study.write_text(STUDY.format(fit=fit))
    do_stage(run, read_study(run.study), "extract", Choice(), Job(Collected(), extraction=Extraction(root=data)))
    return run


def seconds_by_stage(run: RunFolder) -> dict[str, float]:
    """Processor time of fold 0, reading and writing included."""
    took = {}
    for name, (stage, unit) in STAGES.items():
        begun = time.process_time()
        do_stage(run, read_study(run.study), stage, Choice(0, 0, unit), Job(Collected()))
        took[name] = time.process_time() - begun
    return took


def reference_s() -> float:
    """Processor time of a thousand products (1408, 64) x (64, 128), the least of some."""
    left, right = torch.ones(1408, 64), torch.ones(64, 128)
    least = float("inf")
    for _ in range(5):
        begun = time.process_time()
        for _ in range(200):
            left @ right
        least = min(least, 5 * (time.process_time() - begun))
    return least


def test_a_fold_costs_no_more_than_so_many_matrix_products(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run = prepared(tmp_path / "run", 30, "epochs = 3\nbatch_size = 128")
    before = reference_s()
    took = seconds_by_stage(run)
    reference = max(before, reference_s())  # whoever else uses the machine slows both down
    ratios = {name: round(seconds / reference, 1) for name, seconds in took.items()}
    print(json.dumps(ratios | {"whole": round(sum(ratios.values()), 1)}))
    assert sum(ratios.values()) < LIMIT


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=87)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        whole = prepared(Path(folder) / "run", arguments.people, f"batch_size = {arguments.batch_size}")
        seconds = {name: round(took, 1) for name, took in seconds_by_stage(whole).items()}
    products = reference_s()
    print(json.dumps({"seconds": seconds, "ratios": {name: round(took / products) for name, took in seconds.items()}}))
