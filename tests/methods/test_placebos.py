"""The placebo of every method: the same loss, with what teachers say permuted over samples in one cycle."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import torch

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.errors import StudyError
from mtpkd_cli.methods import Lesson, TeacherBank, load_method
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.pipeline.candidates import candidates_of

B, D, K, C = 5, 4, 3, 3
SEES = ("prevalent", "privileged", "both")
CLOUDS = {"structure": "clouds", "anchors": "least", "soft_label_weight": 0.5}
every_taught_method = pytest.mark.parametrize(
    ("method", "options"), [*((name, {}) for name in METHODS.with_placebo()), ("mt-pkdot", {}), ("mt-pkdot", CLOUDS)]
)
every_task = pytest.mark.parametrize("task", ["classification", "regression"])


def make_lesson(task: str = "classification") -> Lesson:
    generator = torch.Generator().manual_seed(3)
    columns = [torch.randn(K, B, size, generator=generator) for size in (D, C, C)]
    bank = TeacherBank(["face", "heart", "joint"], *columns, torch.ones(K, B, dtype=torch.bool), SEES)
    student = Output(torch.randn(B, D, generator=generator), torch.randn(B, C, generator=generator), torch.ones(B, 1))
    labels = torch.arange(B) % C if task == "classification" else torch.randn(B, C, generator=generator)
    return Lesson(labels, student, bank, generator)


def terms_of(name: str, lesson: Lesson, drawn_before: int = 0, **chosen: Any) -> dict[str, Term]:
    """The method's terms from a generator at its start, or after one permutation was drawn."""
    lesson.generator.manual_seed(1)
    if drawn_before:
        torch.randperm(drawn_before, generator=lesson.generator)
    options = {"anchors_k": 2} if "anchors_k" in METHODS.options(name) else {}
    terms: dict[str, Term] = load_method(name).terms(lesson, **options, **chosen)
    return terms


def cycles() -> list[list[int]]:
    """Every way to send 5 samples round in one cycle."""
    rows_of_cycles = []
    for rest in permutations(range(1, B)):
        cycle, other = (0, *rest), [0] * B
        for i, sample in enumerate(cycle):
            other[sample] = cycle[i - 1]
        rows_of_cycles.append(other)
    return rows_of_cycles


def apart_from_task(terms: dict[str, Term]) -> torch.Tensor:
    return torch.stack([term.value for name, term in terms.items() if name != "task"])


@every_task
@every_taught_method
def test_it_is_the_method_with_rows_of_one_cycle_and_its_own_task(
    method: str, options: dict[str, Any], task: str
) -> None:
    lesson = make_lesson(task)
    placebo, taught = (terms_of(name, lesson, **options) for name in (METHODS.placebo_of(method), method))
    torch.testing.assert_close(placebo["task"].value, task_loss(lesson.student.logits, lesson.labels))
    assert {name: term.weight for name, term in placebo.items()} == {name: term.weight for name, term in taught.items()}
    permuted = [
        terms_of(method, replace(lesson, bank=lesson.bank.rows(rows), labels=lesson.labels[rows]), B, **options)
        for rows in map(torch.tensor, cycles())
    ]
    fitting = [one for one in permuted if torch.allclose(apart_from_task(one), apart_from_task(placebo), atol=1e-6)]
    # All of a batch in which pairing cannot matter would fit; where it does, one cycle alone.
    assert len(fitting) == 1
    assert not torch.allclose(apart_from_task(taught), apart_from_task(placebo), atol=1e-3)


@pytest.mark.parametrize("method", METHODS.names())
def test_a_method_has_one_if_it_listens_to_teachers(method: str) -> None:
    if METHODS.constant(method, "IMPUTE"):
        assert not METHODS.has_placebo(method)
        return
    lesson = make_lesson()
    louder = replace(lesson, bank=replace(lesson.bank, embeddings=lesson.bank.embeddings.flip(1) * 2,
                                          crossfit_logits=lesson.bank.crossfit_logits.flip(1) * 2))  # fmt: skip
    losses = [torch.stack([t.value * t.weight for t in terms_of(method, one).values()]) for one in (lesson, louder)]
    listens = not torch.allclose(*losses) and METHODS.control_of(method) is None
    assert METHODS.has_placebo(method) == listens


def test_it_has_what_its_method_has_and_is_a_control() -> None:
    for method in METHODS.with_placebo():
        name = f"{method}-placebo"
        assert METHODS.check(name) == name
        assert name not in METHODS.names()
        assert METHODS.options(name) == METHODS.options(method)
        assert METHODS.constant(name, "GRID") == METHODS.constant(method, "GRID")
        assert METHODS.constant(name, "CONTROL_OF") == METHODS.control_of(name) == method
        assert load_method(name).tnet == load_method(method).tnet
        assert METHODS.placebo_of(method) == name
        assert method in METHODS.help(name)
    assert METHODS.placebo_of("mt-pkdot") == "placebo"
    assert METHODS.has_placebo("mt-pkdot")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("student-only-placebo", "student-only has no placebo"),
        ("mean-imputation-placebo", "mean-imputation has no placebo"),
        ("self-placebo", "self has no placebo"),
        ("kd-placebo-placebo", "there is no method 'kd-placebo'"),
        ("mt-pkdot-placebo", "is called 'placebo'"),
        ("dk-placebo", "there is no method 'dk'"),
    ],
)
def test_what_has_none_is_refused(name: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        METHODS.check(name)


STUDY = """
[study]
name = "a"
task = "classification"
seeds = [0]
[data]
adapter = "features"
root = "/somewhere"
[data.options]
file = "a.parquet"
sample_column = "sample_id"
subject_column = "subject"
label_column = "label"
[modalities.face]
role = "prevalent"
encoder = "table"
[modalities.heart]
role = "privileged"
encoder = "table"
[distill]
methods = ["student-only", "kd", "kd-placebo"]
candidates = 4
"""


def test_it_tries_the_students_of_its_method() -> None:
    study = parse_study(STUDY + "[distill.method.kd]\nsoft_label_weight = 0.9\n", where="study.toml")
    tried = {name: candidates_of(study, name) for name in ("kd", "kd-placebo")}
    assert tried["kd"][0].options["soft_label_weight"] == 0.9
    assert [one.model_copy(update={"method": "kd"}) for one in tried["kd-placebo"]] == tried["kd"]


@pytest.mark.parametrize("control", ["placebo", "self", "label-structure", "random-teacher"])
def test_controls_of_mt_pkdot_have_its_options_but_for_their_own(control: str) -> None:
    tables = f"""
[distill.method.mt-pkdot]
task_weight = 0.7
epsilon = 0.05
soft_label_weight = 0.9
[distill.method.{control}]
epsilon = 0.2
"""
    text = STUDY.replace('"kd-placebo"', f'"kd-placebo", "mt-pkdot", "{control}"')
    study = parse_study(text + tables, where="study.toml")
    ours, theirs = (candidates_of(study, name)[-4].options for name in (control, "mt-pkdot"))
    assert ours == {key: theirs[key] for key in ours} | {"epsilon": 0.2}
    assert ours["task_weight"] == 0.7
    assert set(ours) == set(METHODS.options(control))
    assert candidates_of(study, "kd")[0].options["soft_label_weight"] != 0.9


def test_options_of_its_own_are_refused() -> None:
    text = STUDY + "[distill.method.kd-placebo]\nsoft_label_weight = 0.9\n"
    with pytest.raises(StudyError, match=r"a placebo has the options of its method: distill\.method\.kd\n"):
        parse_study(text, where="study.toml")
