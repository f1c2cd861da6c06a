"""Which students are tried for each method and its placebo, option by option: it decides what results stay valid."""

import re
from pathlib import Path

import pytest

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.errors import StudyError
from mtpkd_cli.pipeline import units_of
from mtpkd_cli.pipeline.candidates import candidates_of, passed_by

STUDY = """
[study]
name = "a"
[data]
adapter = "features"
root = "/somewhere"
options = { file = "table.parquet" }
[modalities.face]
role = "prevalent"
[modalities.heart]
role = "privileged"
[distill]
methods = ["student-only"]
candidates = 4
anchors_k = 8
[distill.method.mt-pkdot]
task_weight = 0.75
selection = "batch"
soft_label_weight = 0.9
[distill.method.kd]
temperature = 3.5
[distill.method.self]
task_weight = 0.8
[distill.method.placebo]
outputs = "train"
[distill.method.label-structure]
epsilon = 0.4
[distill.method.random-teacher]
centroid_weight = 0.6
"""
# The options of the study's own try, then what each of the three drawn tries has in place of them; - is nothing.
TRIED = {
    "cosine": "task_weight=1.0 cosine_weight=1.0 | cosine_weight=0.1 | cosine_weight=10.0 | cosine_weight=0.1",
    "crd": (
        "contrast_temperature=0.07 task_weight=1.0 contrast_weight=0.8 | - | contrast_temperature=0.2 "
        "contrast_weight=0.1 | contrast_temperature=0.2 contrast_weight=0.1"
    ),
    "dkd": (
        "temperature=4.0 outputs=crossfit task_weight=1.0 target_weight=1.0 others_weight=8.0 | temperature=2.0 "
        "others_weight=1.0 | - | others_weight=2.0"
    ),
    "fitnet": "task_weight=1.0 hint_weight=1.0 | hint_weight=0.1 | - | hint_weight=10.0",
    "generalised-distillation": (
        "temperature=2.0 imitation_weight=0.5 outputs=crossfit | - | temperature=5.0 imitation_weight=0.25 | "
        "temperature=5.0"
    ),
    "kd": (
        "temperature=3.5 soft_label_weight=0.5 outputs=crossfit | temperature=2.0 | temperature=4.0 "
        "soft_label_weight=0.25 | temperature=4.0 soft_label_weight=0.25"
    ),
    "label-structure": (
        "structure=rows anchors=shared anchors_k=8 epsilon=0.4 task_weight=0.75 transport_weight=0.2 "
        "centroid_weight=0.0 | transport_weight=0.0 | transport_weight=0.0 | transport_weight=1.0"
    ),
    "mt-kd": (
        "temperature=2.0 soft_label_weight=0.5 outputs=crossfit | - | temperature=4.0 soft_label_weight=0.25 | "
        "temperature=4.0 soft_label_weight=0.25"
    ),
    "mt-pkdot": (
        "selection=batch outputs=crossfit structure=rows anchors=shared anchors_k=8 epsilon=0.1 task_weight=0.75 "
        "transport_weight=0.2 centroid_weight=0.0 soft_label_weight=0.9 temperature=1.0 | selection=mean "
        "transport_weight=0.0 soft_label_weight=0.5 | selection=mean transport_weight=0.0 soft_label_weight=0.25 | "
        "selection=skill transport_weight=1.0 soft_label_weight=0.25"
    ),
    "mt-pkdot-released": "anchors_k=30 task_weight=0.8 transport_weight=0.2 centroid_weight=0.2 | - | - | -",
    "pkdot": (
        "structure=rows anchors=shared anchors_k=8 epsilon=0.1 task_weight=1.0 transport_weight=0.6 | "
        "transport_weight=0.2 | transport_weight=0.2 | transport_weight=2.0"
    ),
    "pkt": (
        "task_weight=1.0 neighbour_weight=100.0 | neighbour_weight=10.0 | neighbour_weight=10.0 | "
        "neighbour_weight=1000.0"
    ),
    "placebo": (
        "selection=batch outputs=train structure=rows anchors=shared anchors_k=8 epsilon=0.1 task_weight=0.75 "
        "transport_weight=0.2 centroid_weight=0.0 soft_label_weight=0.9 temperature=1.0 | selection=mean "
        "transport_weight=0.0 soft_label_weight=0.5 | selection=mean transport_weight=0.0 soft_label_weight=0.25 | "
        "selection=skill transport_weight=1.0 soft_label_weight=0.25"
    ),
    "random-teacher": (
        "structure=rows anchors=shared anchors_k=8 epsilon=0.1 task_weight=0.75 transport_weight=0.2 "
        "centroid_weight=0.6 | transport_weight=0.0 | transport_weight=0.0 | transport_weight=1.0"
    ),
    "rkd": (
        "task_weight=1.0 distance_weight=25.0 angle_weight=50.0 | distance_weight=2.5 | distance_weight=2.5 | "
        "angle_weight=5.0"
    ),
    "self": (
        "selection=batch outputs=crossfit structure=rows anchors=shared anchors_k=8 epsilon=0.1 task_weight=0.8 "
        "transport_weight=0.2 centroid_weight=0.0 soft_label_weight=0.9 temperature=1.0 | selection=mean "
        "transport_weight=0.0 soft_label_weight=0.5 | selection=mean transport_weight=0.0 soft_label_weight=0.25 | "
        "selection=skill transport_weight=1.0 soft_label_weight=0.25"
    ),
    "sm": (
        "task_weight=1.0 similarity_weight=1.0 | similarity_weight=0.1 | similarity_weight=0.1 | similarity_weight=10.0"
    ),
    "sp": "task_weight=1.0 similarity_weight=3000.0 | similarity_weight=300.0 | similarity_weight=300.0 | -",
    "student-only": "- | - | - | -",
    "tnet-only": "- | - | - | -",
}
GUARDED = {"label-structure", "mt-pkdot", "placebo", "random-teacher", "self"}
WITH_PLACEBO = (
    "cosine", "crd", "dkd", "fitnet", "generalised-distillation", "kd", "mt-kd", "mt-pkdot-released", "pkdot", "pkt",
    "rkd", "sm", "sp",
)  # fmt: skip


def _words(options: dict[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in options.items()) or "-"


def test_each_method_is_tried_with_these_options() -> None:
    study, tried = parse_study(STUDY, where="study.toml"), {}
    alone = candidates_of(study, "student-only")
    for name in TRIED:
        candidates = candidates_of(study, name)
        if name in GUARDED:
            assert candidates[:4] == alone
            candidates = candidates[4:]
        assert [candidate.method for candidate in candidates] == [name] * 4
        for key in ("fit", "sizes"):
            assert [getattr(one, key) for one in candidates] == [getattr(one, key) for one in alone]
        first, *drawn = [candidate.options for candidate in candidates]
        changes = [{key: value for key, value in one.items() if value != first[key]} for one in drawn]
        assert all(list(one) == list(first) for one in drawn)
        tried[name] = " | ".join(map(_words, [first, *changes]))
    assert tried == TRIED


def test_a_placebo_is_tried_with_the_options_of_its_method() -> None:
    study = parse_study(STUDY, where="study.toml")
    assert set(WITH_PLACEBO) <= set(METHODS.with_placebo())
    for name in WITH_PLACEBO:
        placebo = f"{name}-placebo"
        expected = [candidate.model_copy(update={"method": placebo}) for candidate in candidates_of(study, name)]
        assert candidates_of(study, placebo) == expected


RELEASED = STUDY.replace('["student-only"]', '["student-only", "mt-pkdot", "mt-pkdot-released"]')


def test_what_is_released_is_reached_by_no_key_for_all_methods_and_that_is_told() -> None:
    text = RELEASED.replace("anchors_k = 8", "anchors_k = 16\ntransport_weight = 0.7\ncentroid_weight = 0.5")
    study = parse_study(text, where="study.toml")
    kept = {"anchors_k": 30, "task_weight": 0.8, "transport_weight": 0.2, "centroid_weight": 0.2}
    for name in ("mt-pkdot-released", "mt-pkdot-released-placebo"):
        assert [candidate.options for candidate in candidates_of(study, name)] == [kept] * 4
    assert candidates_of(study, "mt-pkdot")[-4].options["anchors_k"] == 16
    assert passed_by(study) == [
        "mt-pkdot-released keeps anchors_k = 30, as released: distill.anchors_k = 16 does not reach it",
        "mt-pkdot-released keeps transport_weight = 0.2, as released: distill.transport_weight = 0.7 does not reach it",
        "mt-pkdot-released keeps centroid_weight = 0.2, as released: distill.centroid_weight = 0.5 does not reach it",
    ]
    assert passed_by(parse_study(STUDY, where="study.toml")) == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("anchors_k", "16", "30"), ("task_weight", "1", "0.8"), ("centroid_weight", "0.5", "0.2 or 0.0")],
)
def test_the_table_of_a_released_method_takes_released_values_alone(key: str, value: str, expected: str) -> None:
    text = RELEASED + f"[distill.method.mt-pkdot-released]\n{key} = {value}\n"
    where = f"distill.method.mt-pkdot-released.{key}: received {value}; expected {expected}, as released"
    with pytest.raises(StudyError, match=re.escape(where)):
        parse_study(text, where="study.toml")


def test_the_centroid_term_can_be_commented_out_as_in_the_released_code() -> None:
    text = RELEASED + "[distill.method.mt-pkdot-released]\ncentroid_weight = 0\n"
    study = parse_study(text, where="study.toml")
    assert {candidate.options["centroid_weight"] for candidate in candidates_of(study, "mt-pkdot-released")} == {0}
    assert passed_by(study)[1:] == []


def test_students_of_a_loss_that_became_another_one_are_stale_and_no_others(tmp_path: Path) -> None:
    """Only the structure of clouds has changed, so students of rows, and of methods without structure, stay."""
    text = RELEASED.replace('"mt-pkdot"', '"kd", "pkdot", "mt-pkdot", "placebo"')
    text += '[distill.method.pkdot]\nstructure = "clouds"\n'
    study = parse_study(text, where="study.toml")
    students = {unit.name: unit for unit in units_of(RunFolder(tmp_path), study) if unit.stage == "distill"}
    versions = {
        name: {tried["version"] for tried in unit.reads["distill"][name] if "version" in tried}
        for name, unit in students.items()
    }
    changed = {"pkdot": {2}, "mt-pkdot-released": {2}}
    assert versions == {name: changed.get(name, set()) for name in students}
