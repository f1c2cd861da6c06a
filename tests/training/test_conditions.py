"""What a study demands of its corpus, with corpora whose sizes are counted by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.config.study import Study, TrainSection
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.pipeline.candidates import method_settings
from mtpkd_cli.pipeline.start import facts_of, findings_of
from mtpkd_cli.training.batches import smallest_batch
from mtpkd_cli.training.conditions import fitted_anchors, fitted_inner_folds, fitted_options, order_of_classes
from mtpkd_cli.training.loop import equal_batches
from mtpkd_cli.training.splits import Fold, folds_of

FOLD = Fold(train=["a", "b", "c"], validation=["d"], test=["e"])


def _study(**sections: dict[str, Any]) -> Study:
    content: dict[str, Any] = {
        "study": {"name": "x"},
        "data": {"adapter": "features", "root": ".", "options": {"file": "t.csv"}},
        "modalities": {"face": {"role": "prevalent"}, "eda": {"role": "privileged"}},
        "distill": {"methods": ["student-only", "pkdot"]},
    }
    for name, section in sections.items():
        content[name] = content.get(name, {}) | section
    return Study.model_validate(content)


def _samples(people: str = "abcde", each: int = 4, lacking: dict[str, str] | None = None) -> pd.DataFrame:
    rows = [(f"{p}{i}", p, p, np.nan, np.nan, i % 2) for p in people for i in range(each)]
    table = pd.DataFrame(rows, columns=["sample_id", "subject", "recording", "start_s", "end_s", "label"])
    for modality in ("face", "eda"):
        lack = table["subject"].isin(list((lacking or {}).get(modality, "")))
        table[f"media_{modality}"] = np.where(lack, "", "t.csv")
    return table


def _found(study: Study, samples: pd.DataFrame, folds: list[Fold]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, finding in findings_of(facts_of(study, samples, ["0", "1"], folds)):
        found.setdefault(name, []).append(finding)
    return found


@pytest.mark.parametrize(("samples", "size"), [(1, 32), (12, 32), (31, 32), (32, 32), (63, 32), (64, 32), (101, 10)])
def test_the_smallest_batch_is_the_smallest_that_training_cuts(samples: int, size: int) -> None:
    import torch

    n_batches = max(1, samples // size)
    assert smallest_batch(samples, size) == min(map(len, equal_batches(torch.arange(samples), n_batches)))


def test_a_default_of_anchors_gives_way_and_says_so() -> None:
    """12 training samples are one batch, of which 11 are others."""
    settings = method_settings(_study(), "pkdot")
    assert fitted_anchors(settings, 17, 32) == (16, None)
    used, finding = fitted_anchors(settings, 12, 32)
    assert (used, finding is not None and finding.kind) == (11, "note")
    options, adjusted = fitted_options(settings, 12, 32)
    assert options == dict(settings.options) | {"anchors_k": 11}
    assert [(one.option, one.asked, one.used) for one in adjusted] == [("anchors_k", 16, 11)]
    assert "12 samples" in adjusted[0].reason


@pytest.mark.parametrize(
    ("distill", "key"),
    [
        ({"anchors_k": 30}, "distill.anchors_k"),
        ({"method": {"pkdot": {"anchors_k": 30}}}, "distill.method.pkdot.anchors_k"),
    ],
)
def test_a_stated_number_of_anchors_is_refused_with_one_that_works(distill: dict[str, Any], key: str) -> None:
    study = _study(distill={"methods": ["student-only", "pkdot"]} | distill)
    with pytest.raises(StudyError, match=f"{key} = 30, but the smallest batch has 24") as caught:
        fitted_options(method_settings(study, "pkdot"), 24, 32)
    assert f"--set {key}=23" in str(caught.value)
    assert "batch_size" not in str(caught.value.todo)  # a larger batch has no more samples
    assert fitted_options(method_settings(study, "pkdot"), 31, 32)[0]["anchors_k"] == 30


def test_the_size_of_batches_is_advice_where_there_are_samples_enough() -> None:
    study = _study(distill={"methods": ["student-only", "pkdot"], "anchors_k": 30})
    _, finding = fitted_anchors(method_settings(study, "pkdot"), 100, 20)
    assert finding is not None
    assert "--set distill.batch_size=31" in finding.todo
    assert fitted_anchors(method_settings(study, "pkdot"), 100, 31) == (30, None)


def test_what_is_released_is_not_changed_but_refused() -> None:
    study = _study(distill={"methods": ["student-only", "mt-pkdot-released"], "anchors_k": 4})
    settings = method_settings(study, "mt-pkdot-released")
    used, finding = fitted_anchors(settings, 24, 32)
    assert used == 30
    assert finding is not None
    assert finding.kind == "study"
    assert "leave mt-pkdot-released out" in finding.todo
    assert "distill.batch_size=31" in getattr(fitted_anchors(settings, 60, 20)[1], "todo", "")
    assert fitted_anchors(settings, 31, 32) == (30, None)


def test_methods_without_anchors_have_none() -> None:
    study = _study(distill={"methods": ["student-only", "pkdot", "kd"], "structure": "fgw"})
    for name in ("pkdot", "kd", "student-only"):
        assert fitted_anchors(method_settings(study, name), 3, 32) == (None, None)


def test_inner_folds_fit_the_people_or_are_refused() -> None:
    assert fitted_inner_folds(TrainSection(), 3) == (3, None)
    used, finding = fitted_inner_folds(TrainSection(), 2)
    assert (used, finding is not None and finding.kind) == (2, "note")
    _, finding = fitted_inner_folds(TrainSection(crossfit_folds=5), 4)
    assert finding is not None
    assert (finding.kind, finding.todo) == ("study", "--set train.crossfit_folds=4")


@pytest.mark.parametrize(
    ("classes", "fits"),
    [
        (["mild", "moderate", "none", "severe"], False),
        (["0", "1", "2", "10"], True),
        (["-1.5", "0", "2"], True),
        (["0.5", "10.5", "2.5"], False),  # as texts are sorted
        (["pain1", "pain10", "pain2"], False),
    ],
)
def test_ordinal_classes_need_an_order_that_somebody_has_stated(classes: list[str], fits: bool) -> None:
    finding = order_of_classes(True, classes, stated=False)
    assert (finding is None) is fits
    if finding is not None:
        assert " < ".join(classes) in finding.text
        assert "data.options.classes=[" in finding.todo
    assert order_of_classes(True, classes, stated=True) is None
    assert order_of_classes(False, classes, stated=False) is None


def test_people_of_a_side_who_lack_a_modality_are_told_with_folds_that_work() -> None:
    study, samples = _study(), _samples(lacking={"eda": "d"})
    lines = [str(finding) for finding in _found(study, samples, [FOLD])["modalities"]]
    assert lines[0] == "fold 0: no sample of its 1 validation people has eda (teacher eda)"
    # Whatever is advised does what it promises.
    key, value = lines[-1].split("--set data.")[1].split(" ")[0].split("=")
    folds = folds_of(samples, study.data.model_copy(update={key: float(value) if "." in value else int(value)}))
    assert "modalities" not in _found(study, samples, folds)


def test_the_only_people_with_a_modality_cannot_be_held_out_together() -> None:
    """With seed 2 c, who trains, and d, who validates, are one inner fold."""
    samples = _samples(lacking={"eda": "ab"})
    assert "modalities" not in _found(_study(), samples, [FOLD])
    lines = [str(finding) for finding in _found(_study(study={"seeds": [2]}), samples, [FOLD])["modalities"]]
    assert lines[0] == "fold 0, seed 2: without c, d nobody who trains has eda"


def test_test_people_without_the_students_modality_are_noted() -> None:
    found = _found(_study(), _samples(lacking={"face": "e"}), [FOLD])["modalities"]
    assert [(finding.kind, str(finding)) for finding in found] == [
        ("note", "fold 0: no test sample has face: nobody is tested in it")
    ]


def test_batches_that_are_too_small_for_a_method_and_larger_than_the_corpus_are_told() -> None:
    study = _study(distill={"methods": ["student-only", "rkd", "crd"], "batch_size": 2})
    lines = [finding for finding in _found(study, _samples(), [FOLD])["batches"] if finding.kind == "study"]
    assert [line.todo for line in lines] == ["--set distill.batch_size=3"]
    assert lines[0].text.startswith("rkd compares three samples at a time, and the smallest batch has 2")
    notes = _found(_study(), _samples(), [FOLD])["batches"]
    assert "train.batch_size = 32, align.batch_size = 32, distill.batch_size = 32: a fold trains with 12" in str(
        notes[0]
    )


def test_the_weights_of_an_encoder_are_looked_for_before_anything_is_read(tmp_path: Path) -> None:
    weights, folder = tmp_path / "w.pth", tmp_path / "model"
    face = {"role": "prevalent", "encoder": "resnet18", "options": {"weights": str(weights)}}
    sound = {"role": "privileged", "encoder": "hf-audio", "options": {"model": str(folder)}}
    study = _study(modalities={"face": face, "eda": sound})
    lines = [str(finding) for finding in _found(study, _samples(), [FOLD])["encoders"]]
    assert [str(weights) in lines[0], str(folder) in lines[1], len(lines)] == [True, True, 2]
    weights.touch()
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert "encoders" not in _found(study, _samples(), [FOLD])


def test_folds_that_nobody_has_asked_for_fit_the_people() -> None:
    """Four people are four folds at most: each leaves two that train and one that validates."""
    data = _study().data
    assert len(folds_of(_samples("abcd"), data)) == 4
    assert len(folds_of(_samples("abcdefg"), data)) == 5
    stated = _study(data={"adapter": "features", "root": ".", "folds": 5}).data
    with pytest.raises(DataError, match="4 subjects cannot be split into 5 folds") as caught:
        folds_of(_samples("abcd"), stated)
    assert caught.value.todo == "--set data.folds=4, or add subjects"
