"""What recordings without a label cost: mt-pkdot with four of them per labelled one, against the labelled ones alone.

Processor time of as many epochs of the same batch size, in one process; both read labels and validate alike.
"""

import statistics
import time

import pandas as pd
import torch

from mtpkd_cli.methods import TeacherBank, load_method
from mtpkd_cli.models import Student
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.seeding import seeded
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.splits import Fold
from mtpkd_cli.training.students import fit_student

LABELLED, PER_LABELLED, TRIES, LIMIT = 512, 4, 4, 5.0
SIZES = {"embedding": 64, "heads": 2, "dropout": 0.2}
OPTIONS = {
    "epochs": 2, "batch_size": 128, "learning_rate": 1e-3, "weight_decay": 0.01, "warmup_share": 0.1, "patience": 2,
    "ema_decay": 0.99,
}  # fmt: skip


def prepared() -> tuple[StudyData, TeacherBank, Sides]:
    generator, n = torch.Generator().manual_seed(0), LABELLED * (2 + PER_LABELLED)
    labels = torch.arange(n) % 3
    values = torch.randn(n, 10, 32, generator=generator)
    rows = torch.arange(n).split([LABELLED, LABELLED * PER_LABELLED, LABELLED // 2, LABELLED // 2])
    labels[rows[1]] = -1
    samples = pd.DataFrame({"subject": [str(i % 40) for i in range(n)]})
    data = StudyData(samples, labels, {"face": (values, torch.ones(n, 10, dtype=torch.bool))}, ["a", "b", "c"])
    columns = [torch.randn(3, n, size, generator=generator) for size in (64, 3, 3)]
    bank = TeacherBank(["face", "heart", "joint"], *columns, torch.ones(3, n, dtype=torch.bool))
    return data, bank, Sides(Fold([], [], []), *rows)


def seconds(data: StudyData, bank: TeacherBank, sides: Sides) -> float:
    with seeded(0) as order:
        student = Student({"face": 32}, 1, 3, **SIZES)
        student.trunk.fit_normalisers(data.batch(sides.training, ["face"]))
        begun = time.process_time()
        fit_student(
            student, data, bank, load_method("mt-pkdot").terms, sides, method_options={}, options=OPTIONS, order=order,
            draws=torch.Generator().manual_seed(0),
        )  # fmt: skip
    return time.process_time() - begun


def test_four_unlabelled_recordings_per_labelled_one_cost_at_most_five_times_as_much() -> None:
    torch.set_num_threads(1)
    data, bank, sides = prepared()
    seconds(data, bank, sides)  # what torch does once is in no ratio
    ratios = []
    for _ in range(TRIES):
        alone, mixed = seconds(data, bank, sides.without_unlabelled), seconds(data, bank, sides)
        ratios.append(round(mixed / alone, 2))
    print(f"with {PER_LABELLED} unlabelled recordings per labelled one: {ratios} times the labelled ones alone")
    assert statistics.median(ratios) <= LIMIT
