"""Splits by subject: nobody is ever on two sides, whatever the numbers."""

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.errors import ArtifactError, DataError
from mtpkd_cli.training.splits import (
    Fold,
    check_folds,
    count_folds,
    inner_folds,
    make_folds,
    official_folds,
    read_folds,
    to_json,
)


def _subjects(count: int) -> list[str]:
    return [f"p{i:03d}" for i in range(count)]


def _validated(fold: Fold, share: float) -> int:
    rest = len(fold.train) + len(fold.validation)
    return min(max(1, round(share * rest)), rest - 2)


def _wrong_folds(subjects: int, folds: int, share: float, seed: int) -> list[str]:
    everybody = _subjects(subjects)
    made = make_folds(everybody, "group-kfold", folds, share, seed)
    sizes = [len(fold.test) for fold in made]
    sides = [side for fold in made for side in asdict(fold).values()]
    rules = {
        "as many folds as asked for": len(made) == folds,
        "everybody is tested once": sorted(s for fold in made for s in fold.test) == everybody,
        "test sides are of equal size": max(sizes) - min(sizes) <= 1,
        "everybody is on one side": all(sorted(f.train + f.validation + f.test) == everybody for f in made),
        "two or more train": all(len(fold.train) >= 2 for fold in made),
        "somebody validates": all(len(fold.validation) >= 1 for fold in made),
        "validation has its share": all(len(fold.validation) == _validated(fold, share) for fold in made),
        "sides are sorted": all(side == sorted(side) for side in sides),
        "subjects are strings": all(type(subject) is str for side in sides for subject in side),
    }
    case = f"{subjects} subjects, {folds} folds, share {share}, seed {seed}"
    return [f"{case}: not {rule}" for rule, kept in rules.items() if not kept]


def test_group_kfold_keeps_everybody_on_one_side() -> None:
    cases = [*product((6, 7, 12, 17, 87), (2, 3, 5), (0.01, 0.25, 0.9), (0, 1)), (10, 10, 0.3, 5), (6, 2, 0.99, 0)]
    wrong = [line for case in cases for line in _wrong_folds(*case)]
    assert not wrong, "\n".join(wrong)


def test_folds_do_not_depend_on_the_order_or_number_of_the_samples() -> None:
    everybody = _subjects(11)
    shuffled = [str(s) for s in np.random.default_rng(0).permutation(everybody * 3)]
    made = make_folds(everybody, "group-kfold", 3, 0.3, 4)
    assert (
        made == make_folds(shuffled, "group-kfold", 3, 0.3, 4) == make_folds(everybody[::-1], "group-kfold", 3, 0.3, 4)
    )
    assert made != make_folds(everybody, "group-kfold", 3, 0.3, 5)


@pytest.mark.parametrize("subjects", [4, 5, 13])
def test_loso_tests_every_subject_alone(subjects: int) -> None:
    everybody = _subjects(subjects)
    made = make_folds(everybody, "loso", 5, 0.25, 0)
    assert sorted(tuple(fold.test) for fold in made) == [(s,) for s in everybody]
    for fold in made:
        assert sorted(fold.train + fold.validation + fold.test) == everybody
        assert len(fold.train) >= 2


@pytest.mark.parametrize(
    ("subjects", "split", "folds", "least"),
    [
        (0, "group-kfold", 5, 5),
        (1, "loso", 5, 4),
        (3, "loso", 5, 4),
        (3, "group-kfold", 3, 5),
        (4, "group-kfold", 5, 5),
        (5, "group-kfold", 2, 6),
        (4, "group-kfold", 3, 5),
    ],
)
def test_too_few_subjects_are_told_with_the_number_needed(subjects: int, split: str, folds: int, least: int) -> None:
    with pytest.raises(DataError, match=f"{subjects} subjects cannot be split") as caught:
        make_folds(_subjects(subjects), split, folds, 0.25, 0)
    assert caught.value.exit_code == 4
    assert f"at least {least} subjects" in str(caught.value)
    assert make_folds(_subjects(least), split, folds, 0.25, 0)


@pytest.mark.parametrize(("subjects", "folds", "seed"), product((2, 3, 7, 20), (2, 3, 5), (0, 99)))
def test_inner_folds_partition_the_training_subjects(subjects: int, folds: int, seed: int) -> None:
    everybody = _subjects(subjects)
    parts = inner_folds(everybody, folds, seed)
    assert len(parts) == min(folds, subjects)
    assert sorted(s for part in parts for s in part) == everybody
    assert all(part for part in parts)
    assert parts == inner_folds(everybody[::-1], folds, seed)


def _samples(labels: dict[str, list[int]]) -> pd.DataFrame:
    rows = [(subject, label) for subject, of_subject in labels.items() for label in of_subject]
    return pd.DataFrame(rows, columns=["subject", "label"])


def test_a_class_that_no_training_subject_shows_is_told_with_its_fold() -> None:
    samples = _samples({"a": [0, 0], "b": [0], "c": [0, 1], "d": [0, 1]})
    folds = [Fold(["a", "c"], ["d"], ["b"]), Fold(["a", "b"], ["d"], ["c"])]
    with pytest.raises(DataError, match="fold 1: no train sample of pain") as caught:
        check_folds(folds, samples, ["calm", "pain"])
    assert caught.value.exit_code == 4
    check_folds(folds[:1], samples, ["calm", "pain"])
    check_folds(folds, samples, [])


def test_a_class_may_be_absent_from_validation_and_test() -> None:
    samples = _samples({"a": [0, 1], "b": [0], "c": [1], "d": [0, 1]})
    check_folds([Fold(["a", "d"], ["b"], ["c"])], samples, ["calm", "pain"])


def test_splits_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    assert count_folds(path, 5) == 5
    folds = make_folds(_subjects(9), "group-kfold", 3, 0.25, 0)
    path.write_text(json.dumps(to_json(folds, {"seed": 0})))
    assert read_folds(path) == folds
    assert count_folds(path, 5) == 3


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"folds": [{"train": []}]}', '{"folds": 3}'])
def test_damaged_splits_are_told(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "splits.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError, match="splits cannot be read"):
        read_folds(path)


def _sides(**sides: int) -> pd.DataFrame:
    rows = [(f"{side}{i}", side) for side, count in sides.items() for i in range(count) for _ in range(2)]
    return pd.DataFrame(rows, columns=["subject", "split"])


def test_the_official_split_is_taken_as_it_is() -> None:
    [fold] = official_folds(_sides(train=2, validation=1, test=3), 0.5, seed=0)
    assert fold == Fold(["train0", "train1"], ["validation0"], ["test0", "test1", "test2"])


def test_without_an_official_validation_side_it_is_cut_from_the_training_side() -> None:
    [fold] = official_folds(_sides(train=9, test=4), 0.3, seed=1)
    assert fold.test == ["test0", "test1", "test2", "test3"]
    assert len(fold.validation) == 3
    assert sorted(fold.train + fold.validation) == [f"train{i}" for i in range(9)]
    assert [fold] == official_folds(_sides(train=9, test=4), 0.3, seed=1)
    assert [fold] != official_folds(_sides(train=9, test=4), 0.3, seed=2)
    assert len(official_folds(_sides(train=3, test=1), 0.9, seed=0)[0].train) == 2


def test_an_official_split_that_cannot_serve_is_told() -> None:
    with pytest.raises(DataError, match="names no training and test side"):
        official_folds(_sides(train=9, test=4).drop(columns="split"), 0.3, seed=0)
    with pytest.raises(DataError, match="train: 2, expected 3 or more\n  - test: 0, expected 1 or more"):
        official_folds(_sides(train=2), 0.3, seed=0)
    both = _sides(train=4, test=2)
    both.loc[0, "subject"] = "test1"
    with pytest.raises(DataError, match="subject test1 is in train and in test"):
        official_folds(both, 0.3, seed=0)
