"""Whose labels are seen: nested shares, people on one side, and hidden labels that nothing but the upper line reads."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import read_parquet, write_json
from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.errors import DataError
from mtpkd_cli.pipeline import Choice
from mtpkd_cli.training.label_budget import missing_classes, seen_labels
from mtpkd_cli.training.sides import read_sides
from mtpkd_cli.training.splits import Fold, make_folds, read_folds, to_json

PEOPLE = [f"p{number:02d}" for number in range(23)]
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


def samples_of(people: list[str], each: int = 7) -> pd.DataFrame:
    rows = [(f"{name}-{i}", name, i % 3) for name in people for i in range(each)]
    return pd.DataFrame(rows, columns=["sample_id", "subject", "label"])


def fold_of(people: list[str]) -> Fold:
    return make_folds(people, "group-kfold", 4, 0.25, 0)[1]


def seen_people(samples: pd.DataFrame, fold: Fold, share: float) -> Fold:
    return seen_labels(samples, fold, 1, LabelBudget(share=share))[0]


def test_a_share_of_one_is_the_fold_itself() -> None:
    samples, fold = samples_of(PEOPLE), fold_of(PEOPLE)
    people, seen = seen_labels(samples, fold, 1, LabelBudget())
    assert people == fold
    assert seen.all()


def test_a_smaller_share_is_part_of_a_larger_one_on_both_sides() -> None:
    samples, fold = samples_of(PEOPLE), fold_of(PEOPLE)
    folds = [seen_people(samples, fold, share) for share in SHARES]
    for smaller, larger in itertools.pairwise(folds):
        assert set(smaller.train) <= set(larger.train)
        assert set(smaller.validation) <= set(larger.validation)
        assert set(smaller.unlabelled) >= set(larger.unlabelled)


@pytest.mark.parametrize("share", SHARES)
def test_nobody_is_lost_nobody_is_on_two_sides_and_the_budget_is_kept(share: float) -> None:
    samples, fold = samples_of(PEOPLE), fold_of(PEOPLE)
    hidden = seen_people(samples, fold, share)
    sides = [hidden.train, hidden.validation, hidden.test, hidden.unlabelled]
    assert sorted(name for side in sides for name in side) == PEOPLE
    assert hidden.test == fold.test
    assert len(hidden.train) == max(2, round(share * len(fold.train)))
    assert len(hidden.validation) == max(1, round(share * len(fold.validation)))


def test_other_folds_draw_other_people() -> None:
    samples, fold = samples_of(PEOPLE), fold_of(PEOPLE)
    drawn = {tuple(seen_labels(samples, fold, number, LabelBudget(share=0.25))[0].train) for number in range(6)}
    assert len(drawn) > 1


def test_of_samples_each_person_keeps_the_first_ones_and_test_people_all() -> None:
    samples, fold = samples_of(PEOPLE), fold_of(PEOPLE)
    by_share = {share: seen_labels(samples, fold, 1, LabelBudget(share=share, unit="sample")) for share in SHARES}
    for share, (people, seen) in by_share.items():
        assert people == fold
        counts = samples.assign(seen=seen).groupby("subject")["seen"].sum()
        assert set(counts[fold.test]) == {7}
        assert set(counts[[*fold.train, *fold.validation]]) == {max(1, round(share * 7))}
    for smaller, larger in itertools.pairwise(SHARES):
        assert not (by_share[smaller][1] & ~by_share[larger][1]).any()


def test_recordings_without_a_label_go_with_their_person_or_are_used_by_nobody(tmp_path: Path) -> None:
    samples = samples_of([*PEOPLE, "x1", "x2"])
    first = samples.groupby("subject").cumcount() == 0
    samples.loc[first | samples["subject"].isin(["x1", "x2"]), "label"] = -1
    fold = fold_of(PEOPLE)
    fold = Fold(fold.train, fold.validation, fold.test, ["x1", "x2"])
    write_json(tmp_path / "splits.json", to_json([fold, fold], {}))
    sides = read_sides(samples, tmp_path / "splits.json", 1, LabelBudget())
    assert len(sides.labelled) == 6 * len(fold.train)
    assert len(sides.validation) == 6 * len(fold.validation)
    assert len(sides.test) == 6 * len(fold.test)
    without = samples.iloc[sides.unlabelled.numpy()]
    assert (without["label"] == -1).all()
    assert without["subject"].value_counts().to_dict() == {"x1": 7, "x2": 7} | dict.fromkeys(fold.train, 1)
    together = np.concatenate([rows.numpy() for rows in sides.parts.values()])
    assert len(set(together.tolist())) == len(together)


def test_splits_without_unlabelled_people_are_written_as_they_were(tmp_path: Path) -> None:
    fold = fold_of(PEOPLE)
    content = to_json([fold], {})
    assert set(content["folds"][0]) == {"train", "validation", "test"}
    write_json(tmp_path / "splits.json", to_json([Fold(fold.train, fold.validation, fold.test, ["x"])], {}))
    assert read_folds(tmp_path / "splits.json")[0].unlabelled == ["x"]


def test_classes_that_no_row_has_are_named() -> None:
    samples = samples_of(PEOPLE)
    assert missing_classes(samples, np.array([0, 2, 3]), ["a", "b", "c"]) == ["b"]
    assert missing_classes(samples.drop(columns="label"), np.array([0]), ["valence"]) == []


ROOT = 'root = "../data"'
METHODS = {'"mt-pkdot"]': '"mt-pkdot", "self", "placebo", "all-labels"]'}


def models_of(tiny: Any) -> dict[str, str]:
    """Everything that a fit has written, but manifests, which hold the digest of the table of labels."""
    return {
        name: content
        for name, content in tiny.artifacts().items()
        if name.startswith("fold-") and not name.endswith("manifest.json")
    }


@pytest.mark.parametrize("unit", ["subject", "sample"])
def test_hidden_labels_reach_nothing_but_the_upper_line(
    make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame], tmp_path: Path, unit: str
) -> None:
    stages = ("extract", "train-teachers", "align", "distill")
    study = METHODS | {ROOT: f'{ROOT}\nlabel_share = 0.5\nlabel_unit = "{unit}"'}
    honest = make_tiny(tmp_path / "honest", study=study)
    honest.do(*stages)
    samples, folds = read_parquet(honest.run.samples).to_pandas(), read_folds(honest.run.splits)
    budget, table = LabelBudget(share=0.5, unit=unit), tiny_table()
    poisoned = make_tiny(tmp_path / "poisoned", study=study)
    # What is hidden in one fold is seen in another: only fold 0 is compared, test labels of it poisoned too.
    fold = folds[0]
    hidden = ~seen_labels(samples, fold, 0, budget)[1] | samples["subject"].isin(fold.test).to_numpy()
    assert 0.3 < hidden.mean() < 0.9
    wrong = dict(zip(samples["sample_id"], np.where(hidden, 1 - samples["label"], samples["label"]), strict=True))
    table["label"] = table["sample_id"].map(wrong)
    table.to_parquet(poisoned.table)
    poisoned.do(*stages)
    one, other = models_of(honest), models_of(poisoned)
    of_fold = [name for name in one if name.startswith("fold-0/")]
    differing = {name for name in of_fold if one[name] != other[name]}
    assert differing
    assert all("/students/all-labels/" in name for name in differing), differing
    assert any(name.endswith("model.safetensors") for name in differing)


def test_a_share_in_which_a_class_has_no_label_is_refused(make_tiny: Callable[..., Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    people = [f"p{number:02d}" for number in range(16)]
    table = pd.DataFrame(
        [(f"{name}-{i}", name, int(number % 8 == 0)) for number, name in enumerate(people) for i in range(4)],
        columns=["sample_id", "subject", "label"],
    )
    for column in ("face__a", "face__b", "eda__a"):
        table[column] = rng.normal(size=len(table))
    tiny = make_tiny(tmp_path / "study", table, {ROOT: f"{ROOT}\nlabel_share = 0.1\nsplit_seed = 1"})
    tiny.do("extract")
    with pytest.raises(DataError, match="no training recording of 1 has a label that is seen"):
        tiny.do("train-teachers")


def test_the_upper_line_is_the_same_at_every_share(make_tiny: Callable[..., Any], tmp_path: Path) -> None:
    students = {}
    for share in (0.4, 0.6):
        study = {'"mt-pkdot"]': '"all-labels"]', ROOT: f"{ROOT}\nlabel_share = {share}"}
        tiny = make_tiny(tmp_path / f"share-{share}", study=study)
        tiny.do("extract")
        tiny.do("train-teachers", "align", "distill", choice=Choice(fold=0))
        students[share] = (tiny.run.student(0, 0, "all-labels") / "model.safetensors").read_bytes()
    assert students[0.4] == students[0.6]
