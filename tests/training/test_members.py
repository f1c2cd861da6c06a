"""Members of cross-fitting: nobody is predicted by a member that learned from them, and who says when one stops."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli.training import teachers
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.splits import Fold
from mtpkd_cli.training.teachers import crossfit, fit_teacher

PEOPLE, EACH = 9, 8
OPTIONS: dict[str, Any] = {
    "epochs": 2, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 0.0, "warmup_share": 0.1, "patience": 2,
}  # fmt: skip
SETTINGS: dict[str, Any] = {"outputs": 2, "sizes": {"embedding": 4, "heads": 2, "dropout": 0.0}, "options": OPTIONS}


def made() -> tuple[StudyData, Sides]:
    """People 0 to 3 train, 4 and 5 validate, 6 and 7 have no label that is seen, 8 is tested."""
    generator, n = torch.Generator().manual_seed(0), PEOPLE * EACH
    people = np.repeat([str(i) for i in range(PEOPLE)], EACH)
    labels = torch.arange(n) % 2
    values = torch.randn(n, 3, 4, generator=generator) + labels[:, None, None]
    rows = [
        torch.from_numpy(np.flatnonzero(np.isin(people, side)))
        for side in (list("0123"), list("67"), list("45"), ["8"])
    ]
    labels[rows[1]] = -1
    data = StudyData(
        pd.DataFrame({"subject": people}), labels, {"a": (values, torch.ones(n, 3, dtype=torch.bool))}, ["x", "y"]
    )
    return data, Sides(Fold(list("0123"), list("45"), ["8"], list("67")), *rows)


def fitted_to(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[tuple[set[str], set[str]]]]:
    """What cross-fitting gives, and who trained and who was asked in each of its fits."""
    data, sides = made()
    people = data.samples["subject"].to_numpy()
    seen = []

    def counted(data_: StudyData, names: list[str], train: torch.Tensor, stop: torch.Tensor, **rest: Any) -> Any:
        seen.append((set(people[train.numpy()]), set(people[stop.numpy()])))
        return fit_teacher(data_, names, train, stop, **rest)

    monkeypatch.setattr(teachers, "fit_teacher", counted)
    parts = [["0", "4"], ["1", "2"], ["3", "5"]]
    given = crossfit(data, ["a"], sides, parts, [1, 2, 3], resuming=Resuming(), advance=lambda: None, **SETTINGS)
    return given, seen


def test_each_member_learns_from_all_other_labelled_people_and_is_asked_about_those_held_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, seen = fitted_to(monkeypatch)
    parts = [{"0", "4"}, {"1", "2"}, {"3", "5"}]
    assert seen == [(set("012345") - part, part) for part in parts]
    there = given.held_out.isfinite().all(1).reshape(PEOPLE, EACH).all(1)
    assert there.tolist() == [True] * 6 + [False] * 3
    assert given.of_unlabelled.shape == (3, 2 * EACH, 2)
    assert given.of_unlabelled.isfinite().all()


def test_a_member_that_is_told_when_to_stop_asks_nobody_who_is_held_out() -> None:
    """With the labels of the held-out people turned around it predicts the same."""
    data, sides = made()
    told = SETTINGS | {"options": OPTIONS | {"stop_after": 2}}
    predicted = []
    for turned in (False, True):
        labels = data.labels.clone()
        held = torch.from_numpy(np.flatnonzero(data.samples["subject"].isin(["0", "4"])))
        labels[held] = 1 - labels[held] if turned else labels[held]
        one = StudyData(data.samples, labels, data.sequences, data.outputs)
        given = crossfit(one, ["a"], sides, [["0", "4"]], [1], resuming=Resuming(), advance=lambda: None, **told)
        predicted.append(given.held_out[held])
    assert torch.equal(*predicted)


def test_a_part_in_which_nobody_has_the_modality_has_no_member() -> None:
    data, sides = made()
    values, mask = data.sequences["a"]
    mask = mask.clone()
    mask[torch.from_numpy(np.flatnonzero(data.samples["subject"].isin(["1", "2"])))] = False
    lacking = StudyData(data.samples, data.labels, {"a": (values, mask)}, data.outputs)
    parts = [["0", "4"], ["1", "2"], ["3", "5"]]
    given = crossfit(lacking, ["a"], sides, parts, [1, 2, 3], resuming=Resuming(), advance=lambda: None, **SETTINGS)
    assert len(given.of_unlabelled) == 2
    there = given.held_out.isfinite().all(1).reshape(PEOPLE, EACH).all(1)
    assert there.tolist() == [True, False, False, True, True, True, False, False, False]
