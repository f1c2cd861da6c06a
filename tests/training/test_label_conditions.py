"""What a study says of labels that are hidden or not there, on corpora whose labels are counted by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.config.study import Study
from mtpkd_cli.pipeline.start import facts_of, findings_of
from mtpkd_cli.training.facts import Facts
from mtpkd_cli.training.label_budget import seen_labels
from mtpkd_cli.training.missing_labels import LabelFacts
from mtpkd_cli.training.splits import Fold, folds_of

PEOPLE = [f"p{i:02d}" for i in range(20)]
FOLD = Fold(PEOPLE[:12], PEOPLE[12:16], PEOPLE[16:])


def _study(data: dict[str, Any], methods: tuple[str, ...] = ("student-only", "kd")) -> Study:
    content: dict[str, Any] = {
        "study": {"name": "x"},
        "data": {"adapter": "features", "root": ".", "options": {"file": "t.csv"}} | data,
        "modalities": {"face": {"role": "prevalent"}, "eda": {"role": "privileged"}, "ecg": {"role": "privileged"}},
        "distill": {"methods": list(methods), "batch_size": 8},
    }
    return Study.model_validate(content)


def _samples(people: list[str], unlabelled: set[str] = frozenset(), rare: str = "") -> pd.DataFrame:  # type: ignore[assignment]
    """Four samples of each: classes 0 and 1 in turn, class 2 in one sample of `rare` alone."""
    rows = [
        (f"{p}-{i}", p, p, np.nan, np.nan, -1 if {p, f"{p}-{i}"} & unlabelled else i % 2)
        for p in people
        for i in range(4)
    ]
    table = pd.DataFrame(rows, columns=["sample_id", "subject", "recording", "start_s", "end_s", "label"])
    table.loc[table["sample_id"] == f"{rare}-3", "label"] = 2
    table["label_name"] = table["label"].astype(str).replace("-1", "")
    return table.assign(media_face="t.csv", media_eda="t.csv", media_ecg="t.csv")


def _facts(study: Study, samples: pd.DataFrame, folds: list[Fold]) -> Facts:
    classes = [str(c) for c in range(samples["label"].max() + 1)]
    return facts_of(study, samples, classes, folds)


def _found(facts: Facts) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, finding in findings_of(facts):
        found.setdefault(name, []).append(finding)
    return found


def test_keys_that_change_nothing_are_noted() -> None:
    facts = _facts(_study({"unlabelled": "teach"}, ("student-only", "all-labels")), _samples(PEOPLE), [FOLD])
    found = _found(facts)["recordings"]
    assert [finding.kind for finding in found] == ["note", "note"]
    assert "every sample has a label" in found[0].text
    assert "all-labels: no label is hidden" in found[1].text
    facts = _facts(_study({"label_share": 0.5}, ("student-only", "all-labels")), _samples(PEOPLE), [FOLD])
    assert "recordings" not in _found(facts)
    facts = _facts(_study({"label_share": 0.99}), _samples(PEOPLE), [FOLD])
    assert "data.label_share = 0.99 hides no label" in str(_found(facts)["recordings"][0])


def _keeps(share: float, who: str) -> bool:
    fold = seen_labels(_samples(PEOPLE), FOLD, 0, LabelBudget(share=share))[0]
    return who in fold.train


@pytest.mark.parametrize("rare", PEOPLE[:12:3])
def test_a_class_that_a_share_hides_is_told_with_the_least_share_that_works(rare: str) -> None:
    """One training person alone shows it: the least share is the one with which the person keeps the labels."""
    facts = _facts(_study({"label_share": 0.1}), _samples(PEOPLE, rare=rare), [FOLD])
    least = next(step / 1000 for step in range(100, 1001) if _keeps(step / 1000, rare))
    assert "classes" not in _found(facts)  # of all labels: the listing of samples does not depend on the share
    if least == 0.1:
        assert "classes that are seen" not in _found(facts)
        return
    lines = _found(facts)["classes that are seen"]
    assert str(lines[0]) == "fold 0: no train sample of 2, as data.label_share = 0.1 hides labels"
    assert lines[-1].kind == "corpus"
    assert lines[-1].todo == f"--set data.label_share={least:g} is the least share that works"
    works = _facts(_study({"label_share": least}), _samples(PEOPLE, rare=rare), [FOLD])
    assert "classes that are seen" not in _found(works)


def test_a_class_that_nobody_shows_on_the_training_side_is_not_the_budgets_fault() -> None:
    found = _found(_facts(_study({"label_share": 0.5}), _samples(PEOPLE, rare=PEOPLE[17]), [FOLD]))
    assert str(found["classes"][0]) == "fold 0: no train sample of 2"
    assert "classes that are seen" not in found


def test_samples_of_people_keep_a_share_of_their_labels_each() -> None:
    study = _study({"label_share": 0.5, "label_unit": "sample"})
    facts = _facts(study, _samples(PEOPLE), [FOLD])
    assert facts.trained() == [24]
    [side] = facts.sides
    assert (side.hidden.sum(), side.unlabelled.sum(), side.test.sum()) == (2 * 16, 24, 16)


def test_recordings_that_teach_nothing_are_counted() -> None:
    """p18 and p19 have no label; a recording of a test person has none either, and counts nowhere."""
    samples = _samples(PEOPLE, {"p18", "p19", "p00-1", "p16-2"})
    lack_face = ["p18-0", "p18-1", "p00-1", "p16-2", "p02-0"]
    samples.loc[samples["sample_id"].isin(lack_face), "media_face"] = ""
    samples.loc[samples["sample_id"].isin(["p19-0", "p18-0", "p13-1", "p13-2"]), ["media_eda", "media_ecg"]] = ""
    samples.loc[samples["sample_id"] == "p19-1", "media_eda"] = ""
    fold = Fold(PEOPLE[:12], PEOPLE[12:16], PEOPLE[16:18], ["p18", "p19"])
    found = _found(_facts(_study({"unlabelled": "teach"}), samples, [fold]))["recordings"]
    assert {finding.kind for finding in found} == {"note"}
    assert list(map(str, found)) == [
        "1 samples of 1 people have a label and lack face: no student learns from them, or is scored by them",
        "2 samples of 1 people have a label and lack eda or ecg: no privileged teacher sees them",
        "3 samples of 2 people would teach without a label and lack face: the student learns nothing from them",
        "1 samples of 1 people would teach without a label and lack eda or ecg: no privileged teacher can say anything "
        "of them",
    ]


def test_what_teaches_without_a_label_counts_in_an_epoch_of_what_listens_to_teachers() -> None:
    samples = _samples(PEOPLE, {"p18", "p19", "p00-1"})
    fold = Fold(PEOPLE[:12], PEOPLE[12:16], PEOPLE[16:18], ["p18", "p19"])
    facts = _facts(_study({"unlabelled": "teach"}), samples, [fold])
    assert facts.trained() == facts.in_epoch("student-only") == [47]
    share = facts.study.distill.unlabelled_share
    assert facts.in_epoch("kd") == [47 + (9 if share is None else round(47 * share / (1 - share)))]


def test_a_teacher_needs_labels_of_what_it_sees() -> None:
    """ecg was measured in the people without labels alone: nobody can be taught by it."""
    samples = _samples(PEOPLE, {"p18", "p19"})
    samples.loc[~samples["subject"].isin(["p18", "p19"]), "media_ecg"] = ""
    fold = Fold(PEOPLE[:12], PEOPLE[12:16], PEOPLE[16:18], ["p18", "p19"])
    lines = [str(one) for one in _found(_facts(_study({"unlabelled": "teach"}), samples, [fold]))["modalities"]]
    assert lines[0] == "fold 0: no sample of its 12 training people has ecg (teacher ecg)"


def test_labels_are_counted_in_sentences_and_numbers() -> None:
    samples = _samples(PEOPLE, {"p18", "p19", "p00-1"})
    data = _study({"unlabelled": "teach", "folds": 3, "label_share": 0.5}).data
    folds = folds_of(samples, data)
    facts = LabelFacts.of(samples, folds, data.labels)
    assert facts.sentences[0] == (
        "71 samples of 18 people have labels, 9 have none: of 2 people without any label and of 1 who have labels too"
    )
    for fold in facts.folds:
        assert fold["test"].subjects == 6
        assert fold["train"].subjects + fold["validation"].subjects + fold["hidden"].subjects == 12
    plain = facts.plain()
    assert plain["label_share"] == 0.5
    assert plain["folds"][0]["test"]["subjects"] == 6
    assert LabelFacts.of(_samples(PEOPLE), [FOLD], LabelBudget()).sentences == []
    assert LabelFacts.of(_samples(PEOPLE), [FOLD], LabelBudget()).plain() == {}
