"""The concerns of a check one by one, with answers known by construction."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.checks.duplicates import look_for_duplicates
from mtpkd_cli.checks.folds import look_at_folds
from mtpkd_cli.checks.frames_sought import look_at_sought_frames
from mtpkd_cli.checks.labels import look_at_labels
from mtpkd_cli.checks.leakage import look_for_leakage, parted
from mtpkd_cli.config.study import DataSection, ExtractSection
from mtpkd_cli.media.probe import probe
from mtpkd_cli.training.splits import Fold

FOLD = Fold(train=["a", "b"], validation=["c"], test=["d", "e"])


def _samples(**columns: list[object]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    base = {"sample_id": [f"s{i}" for i in range(n)], "start_s": float("nan"), "end_s": float("nan")}
    return pd.DataFrame(base | columns)


def test_copies_are_found_by_content_and_the_empty_are_not_alike(tmp_path: Path) -> None:
    for name, content in {"a": b"123", "b": b"124", "c": b"123", "d": b"", "e": b"", "f": b"1234"}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"one")
        (tmp_path / name / "2.jpg").write_bytes(b"two" if name != "z" else b"owt")
    result, copies = look_for_duplicates(tmp_path, [*"abcdefxyz", "gone"], lambda: None)
    assert copies == [["a", "c"], ["x", "y"]]
    assert result.problems == []
    assert result.notes == ["a = c", "x = y"]


@pytest.mark.parametrize(
    ("subjects", "expected"), [("ab", False), ("de", False), ("a", False), ("ac", True), ("cd", True), ("", False)]
)
def test_people_are_parted_by_any_two_sides(subjects: str, expected: bool) -> None:
    assert parted(set(subjects), [FOLD]) is expected


def test_leakage_is_told_for_media_and_copies_of_people_who_are_parted() -> None:
    samples = _samples(subject=list("abcde"), media_v=["1", "1", "2", "3", ""], media_t=["t"] * 5, label=[0] * 5)
    result = look_for_leakage(samples, [FOLD], [["2", "3"], ["3", "4"]], ready={"t"})
    assert result.problems == ["2 = 3: copies of 'c', 'd', on different sides of a fold"]
    result = look_for_leakage(samples, [FOLD], [], ready=set())
    assert result.problems == ["t is a medium of 'a', 'b', 'c', 'd' and 1 more, who are on different sides of a fold"]


def test_subjects_that_are_spelt_alike_are_told() -> None:
    samples = _samples(subject=["p1", "P1", "p 1", "p2"], media_v=list("1234"), label=[0] * 4)
    result = look_for_leakage(samples, [], [], ready=set())
    assert result.notes == ["subjects 'P1', 'p 1', 'p1' are spelt alike: one person?"]


def test_subjects_whose_numbers_differ_in_zeros_before_them_are_told() -> None:
    samples = _samples(subject=["7", "007", "70", "s01_a", "s1_a", "0"], media_v=list("123456"), label=[0] * 6)
    result = look_for_leakage(samples, [], [], ready=set())
    assert result.notes == [
        "subjects '007', '7' are spelt alike: one person?",
        "subjects 's01_a', 's1_a' are spelt alike: one person?",
    ]


def test_labels_are_counted_and_contradictions_told() -> None:
    samples = _samples(subject=["a"] * 4, media_v=["1", "1", "2", "3"], label=[0, 1, 0, 0])
    result = look_at_labels(samples, ["x", "y", "z"], None, set())
    assert result.facts["classes"] == {"x": 3, "y": 1, "z": 0}
    assert result.notes == ["s0, s1: the same part of the same media, labelled differently"]
    samples["start_s"] = [0.0, 5.0, 0.0, 0.0]
    assert look_at_labels(samples, ["x", "y"], None, set()).notes == []
    one_table = _samples(subject=["a"] * 3, media_v=["t", "t", "t"], label=[0, 1, 0])
    assert look_at_labels(one_table, ["x", "y"], None, {"v"}).notes == []


def test_targets_that_do_not_vary_or_are_missing_are_told() -> None:
    nan = float("nan")
    samples = _samples(subject=list("ab"), media_v=list("12"), target_u=[2.0, 2.0], target_v=[nan, 1.0])
    result = look_at_labels(samples, [], pd.DataFrame({"valid": [True, False]}), set())
    assert result.problems == [
        "target 'u' is 2 in every sample: there is nothing to predict",
        "target 'v': 1 samples have no finite value",
    ]
    assert result.found.endswith("1 of 2 frames count")


def test_a_class_that_no_training_subject_has_is_a_problem_elsewhere_it_is_a_note() -> None:
    samples = _samples(subject=["a", "b", "c", "d", "d"], label=[0, 0, 0, 0, 1])
    samples["split"] = ["train", "train", "validation", "test", "test"]
    data = DataSection(adapter="table", root=".", split="official")
    result, folds = look_at_folds(samples, ["x", "y"], data)
    assert folds == [Fold(["a", "b"], ["c"], ["d"])]
    assert result.problems[0] == "fold 0: no train sample of y"
    assert result.notes == ["fold 0: no validation sample of y"]
    result, folds = look_at_folds(samples.drop(columns="split"), ["x", "y"], data)
    assert folds == []
    assert "names no training and test side" in result.problems[0]


def test_sought_frames_of_each_kind_of_video_say_who_reads_them(tmp_path: Path) -> None:
    root = Path(__file__).parents[2] / "sample_data" / "video"
    clips = sorted(path.relative_to(root) for path in root.rglob("*.mp4"))[:3]
    probes = {str(clip): probe(root / clip) for clip in clips}
    result = look_at_sought_frames(root, "video", probes, ExtractSection(workers=0))
    assert result.found == "4 sought frames are those of a decode from the start: h264 in .mp4 by decord"
    assert result.problems == result.notes == []
    result = look_at_sought_frames(tmp_path, "video", probes, ExtractSection(workers=0))
    assert result.found == "none"
    assert len(result.notes) == 1


def test_samples_without_a_label_are_counted_and_are_no_class_and_no_contradiction() -> None:
    samples = _samples_of_one_video([0, 1, -1, 1])
    result = look_at_labels(samples, ["x", "y"], None, set())
    assert result.facts["classes"] == {"x": 1, "y": 2}
    assert result.facts["unlabelled"] == {"samples": 1, "subjects": 1, "partly_labelled_subjects": 0}
    assert "3 samples of 3 people have labels, 1 have none" in result.found
    assert result.problems == []
    assert result.notes == []
    twins = samples.assign(start_s=[0.0, 1.0, 1.0, 2.0], end_s=[1.0, 2.0, 2.0, 3.0])
    notes = look_at_labels(twins, ["x", "y"], None, set()).notes
    assert notes == ["s1, s2: the same part of the same media, with a label and without"]
    rated = samples.drop(columns="label").assign(target_pain=[1.0, 2.5, np.nan, 2.0])
    result = look_at_labels(rated, [], None, set())
    assert (result.problems, result.facts["targets"]) == ([], {"pain": [1.0, 2.5]})
    assert "1 have none" in result.found
    partly = rated.assign(target_fear=[0.5, np.nan, np.nan, 1.0])
    result = look_at_labels(partly, [], None, set())
    assert (result.problems, result.notes) == ([], ["target 'fear': 1 samples have no finite value"])


def test_a_medium_of_who_is_tested_and_of_who_teaches_without_a_label_is_a_leak() -> None:
    samples = _samples_of_one_video([0, 1, 0, -1])
    apart = [Fold(["p1"], ["p2"], ["p0"], ["p3"])]
    [problem] = look_for_leakage(samples.iloc[[0, 3]], apart, [], set()).problems
    assert "v.mp4 is a medium of 'p0', 'p3'" in problem


def _samples_of_one_video(labels: list[int]) -> pd.DataFrame:
    """One sample of each of some people, one after the other in one video."""
    number = np.arange(len(labels))
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in number], "subject": [f"p{i}" for i in number]})
    return table.assign(start_s=number * 1.0, end_s=number + 1.0, label=labels, media_v="v.mp4")
