"""The sentence that a hurried reader takes away must be true in every case."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtpkd_cli.evaluation.summary import Summary
from mtpkd_cli.report.curves import per_epoch
from mtpkd_cli.report.results import Results, read_results
from mtpkd_cli.report.scores import Scale, scale_of, summary_sentences

PERCENT = Scale(100, 1, "%", "points")


@pytest.fixture(scope="module")
def results(finished: Any) -> Results:
    return read_results(finished.run)


def _with_difference(results: Results, value: float, low: float | None, high: float | None) -> Results:
    summary = results.summary.plain()
    summary["methods"]["mt-pkdot"]["differences"]["balanced-accuracy"] = {"value": value, "low": low, "high": high}
    return replace(results, summary=Summary.model_validate(summary))


def _first(results: Results) -> str:
    return summary_sentences(results)[0].replace("\u00a0", " ")


def test_a_difference_whose_interval_holds_zero_may_be_chance(results: Results) -> None:
    sentence = _first(_with_difference(results, 0.024, -0.016, 0.061))
    assert "the difference of +2.4 points [\u22121.6, +6.1] may be chance: its 95 % interval includes 0." in sentence


@pytest.mark.parametrize(("sign", "word"), [(1, "gain"), (-1, "loss")])
def test_a_difference_beyond_zero_is_named_for_its_direction(results: Results, sign: int, word: str) -> None:
    low, high = sorted((sign * 0.01, sign * 0.09))
    assert f"is a {word}: its 95 % interval excludes 0." in _first(_with_difference(results, sign * 0.05, low, high))


def test_where_lower_is_better_a_negative_difference_is_a_gain(results: Results) -> None:
    changed = _with_difference(results, -0.05, -0.09, -0.01)
    summary = changed.summary.plain()
    summary["metrics"]["balanced-accuracy"]["greater_is_better"] = False
    changed = replace(changed, summary=Summary.model_validate(summary))
    assert "is a gain" in _first(changed)
    assert scale_of(changed, "balanced-accuracy").unit == ""


def test_a_difference_without_interval_is_not_sold_as_one(results: Results) -> None:
    assert "+2.4 points has no interval, so it may be chance." in _first(_with_difference(results, 0.024, None, None))


def test_a_study_of_the_reference_alone_speaks_of_no_difference(results: Results) -> None:
    alone = {"student-only": results.summary.methods["student-only"]}
    summary = results.summary.model_copy(update={"methods": alone})
    sentence = _first(replace(results, summary=summary))
    assert sentence.startswith("student-only reaches")
    assert "difference" not in sentence


def test_a_student_that_beats_the_proposed_one_is_named(results: Results) -> None:
    summary = results.summary.plain()
    for name, row in summary["methods"].items():
        row["scores"]["balanced-accuracy"]["value"] = 0.9 if name == "kd" else 0.6
    changed = replace(results, summary=Summary.model_validate(summary))
    assert "Of the 4 students, kd scores best: 90.0\u00a0%." in summary_sentences(changed)


def test_after_another_student_was_named_sentences_on_the_proposed_one_name_it(results: Results) -> None:
    summary = results.summary.plain()
    for name, row in summary["methods"].items():
        row["scores"]["balanced-accuracy"]["value"] = 0.9 if name == "kd" else 0.6
    versus = {"value": 0.032, "low": 0.01, "high": 0.05}
    ours = summary["methods"]["mt-pkdot"]
    ours["over_control"]["balanced-accuracy"] = versus | {"from": "self"}
    ours["over_placebo"]["balanced-accuracy"] = versus | {"from": "mt-pkdot-placebo"}
    sentences = summary_sentences(replace(results, summary=Summary.model_validate(summary)))
    after = sentences[sentences.index("Of the 4 students, kd scores best: 90.0\u00a0%.") + 1 :]
    assert [one.count("mt-pkdot ") for one in after] == [1, 1, 1]
    assert "Over self, the best control, the difference of mt-pkdot is +3.2 points" in after[0].replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0242, "+2.4"), (-0.0158, "\u22121.6"), (-0.00001, "0.0"), (0.00001, "0.0"), (None, "n/a")]
)
def test_signed_numbers_have_a_sign_unless_they_round_to_zero(value: float | None, text: str) -> None:
    assert PERCENT.number(value, signed=True) == text


def test_means_stop_where_fewer_than_half_of_the_repetitions_run() -> None:
    lines = [[1.0, 2.0, 3.0], [3.0, 4.0], [5.0]]
    table, mean = per_epoch([[{}] * 3, [{}] * 2, [{}]], lines)
    assert table.shape == (3, 3)
    assert np.isnan(table).sum() == 3
    np.testing.assert_allclose(mean, [3, 3])
