"""Fitting a student with every method: what it reads, what it leaves alone, and that seeds decide everything."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.models import Student
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.seeding import seeded
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.splits import Fold
from mtpkd_cli.training.students import fit_student

N, C = 31, 2
TRAIN, VALIDATION = torch.arange(21), torch.arange(21, 27)  # the others are for testing
OPTIONS: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 7,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "warmup_share": 0.1,
    "patience": 2,
}
SIDES = Sides(Fold([], [], []), TRAIN, TRAIN[:0], VALIDATION, TRAIN[:0])
FITTED = [name for name in METHODS.names() if not METHODS.constant(name, "IMPUTE")]
every_method = pytest.mark.parametrize("name", FITTED)


def make_data(task: str) -> StudyData:
    generator = torch.Generator().manual_seed(0)
    sequences = {
        name: (torch.randn(N, steps, size, generator=generator), torch.ones(N, steps, dtype=torch.bool))
        for name, steps, size in (("face", 4, 5), ("heart", 3, 2))
    }
    labels = torch.arange(N) % C if task == "classification" else torch.randn(N, C, generator=generator)
    return StudyData(pd.DataFrame({"subject": [str(i) for i in range(N)]}), labels, sequences)


def make_bank() -> TeacherBank:
    generator = torch.Generator().manual_seed(1)
    present = torch.ones(3, N, dtype=torch.bool)
    present[1, ::4] = False
    columns = [torch.randn(3, N, size, generator=generator) * present[..., None] for size in (6, C, C)]
    return TeacherBank(["face", "heart", "joint"], *columns, present, ("prevalent", "privileged", "both"))


@functools.cache
def taught(name: str, task: str = "classification") -> dict[str, torch.Tensor]:
    """Weights of a student that a method has taught by undisturbed data and bank."""
    return teach(name, make_data(task), make_bank())


def teach(name: str, data: StudyData, bank: TeacherBank, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of a student after two epochs of a method."""
    options = {"anchors_k": 4} if "anchors_k" in METHODS.options(name) else {}
    return teach_by(load_method(name).terms, data, bank, seed, options)


def teach_by(
    terms: Callable[..., dict[str, Term]], data: StudyData, bank: TeacherBank, seed: int, options: dict[str, Any]
) -> dict[str, torch.Tensor]:
    with seeded(seed) as generator:
        student = Student({"face": 5}, 1, C, embedding=6, heads=2, dropout=0.1)
        student.trunk.fit_normalisers(data.batch(TRAIN, ["face"]))
        fit_student(
            student,
            data,
            bank,
            terms,
            SIDES,
            method_options=options,
            options=OPTIONS,
            order=generator,
            draws=torch.Generator().manual_seed(seed),
        )
    return student.state_dict()


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_lesson_holds_the_same_samples_in_labels_student_and_bank() -> None:
    numbers = torch.arange(N, dtype=torch.float32)
    data, bank = make_data("regression"), make_bank()
    data = replace(data, labels=numbers[:, None].expand(N, C))
    bank = replace(bank, logits=numbers[None, :, None].expand(3, N, C).clone(), crossfit_logits=bank.logits)
    seen = []

    def terms(lesson: Lesson) -> dict[str, Term]:
        assert torch.equal(lesson.bank.logits[2], lesson.labels)
        assert len(lesson.student.logits) == len(lesson.labels)
        seen.extend(lesson.labels[:, 0].tolist())
        return {"task": Term(task_loss(lesson.student.logits, lesson.labels), 1.0)}

    teach_by(terms, data, bank, 0, {})
    assert sorted(seen) == sorted([*TRAIN.tolist()] * OPTIONS["epochs"])


@every_method
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_only_training_rows_of_the_bank_are_read_and_held_out_words_on_validation_rows(name: str, task: str) -> None:
    bank = make_bank()
    others = (~torch.isin(torch.arange(N), TRAIN))[None, :, None]
    columns = {key: torch.where(others, torch.nan, getattr(bank, key)) for key in ("embeddings", "logits")}
    others = (~torch.isin(torch.arange(N), torch.cat([TRAIN, VALIDATION])))[None, :, None]
    columns["crossfit_logits"] = torch.where(others, torch.nan, bank.crossfit_logits)
    spoilt = replace(bank, **columns)
    assert_equal(teach(name, make_data(task), spoilt), taught(name, task))


@every_method
def test_privileged_features_and_test_samples_are_not_read(name: str) -> None:
    data = make_data("classification")
    face, mask = data.sequences["face"]
    tested = ~torch.isin(torch.arange(N), torch.cat([TRAIN, VALIDATION]))
    spoilt = torch.where(tested[:, None, None], torch.nan, face)
    labels = torch.where(tested, 99, data.labels)
    spoilt_data = replace(data, sequences={"face": (spoilt, mask)}, labels=labels)
    assert_equal(teach(name, spoilt_data, make_bank()), taught(name))


@every_method
def test_the_seed_decides_everything(name: str) -> None:
    again, other = (teach(name, make_data("classification"), make_bank(), seed) for seed in (0, 1))
    assert_equal(again, taught(name))
    assert not torch.equal(again["head.1.weight"], other["head.1.weight"])


def test_methods_teach_differently() -> None:
    # tnet-only differs from student-only by its start, which is not made here.
    # Nor are labels hidden here, that all-labels would see.
    names = [name for name in FITTED if name not in ("tnet-only", "all-labels")]
    weights = [taught(name)["head.1.weight"] for name in names]
    for i, one in enumerate(weights):
        assert not any(torch.equal(one, other) for other in weights[:i])
