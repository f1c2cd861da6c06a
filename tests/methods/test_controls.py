"""The controls: each keeps all of mt-pkdot but the one thing that it is to take away."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from mtpkd_cli import ot
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods import Lesson, Method, TeacherBank, load_method
from mtpkd_cli.models import Output
from mtpkd_cli.models.losses import Term
from mtpkd_cli.pipeline import units_of
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Job, distill

B, D, K, C = 19, 5, 3, 3
Terms = Callable[..., dict[str, Term]]
CONTROLS = ("placebo", "self", "label-structure", "random-teacher")
mt_pkdot, placebo, self_control, label_structure, random_teacher = map(load_method, ("mt-pkdot", *CONTROLS))


def make_lesson(seed: int = 0) -> Lesson:
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randn(K, B, size, generator=generator) for size in (D, C, C)]
    bank = TeacherBank(
        ["face", "heart", "joint"], *columns, torch.ones(K, B, dtype=torch.bool), ("prevalent", "privileged", "both")
    )
    embedding = torch.randn(B, D, generator=generator).requires_grad_()
    logits = torch.randn(B, C, generator=generator).requires_grad_()
    return Lesson(torch.arange(B) % C, Output(embedding, logits, torch.ones(B, 1)), bank, generator)


def same_terms(control: Terms, lesson: Lesson, other: Terms, taught: Lesson, **options: Any) -> bool:
    """Whether transport and centroid of a control are those of another method, from the same draws."""
    values = []
    for method, one in ((control, lesson), (other, taught)):
        one.generator.manual_seed(1)
        terms = method(one, **options | {"centroid_weight": 0.2})
        values.append(torch.stack([terms[key].value for key in ("transport", "centroid")]))
    return torch.allclose(*values, atol=1e-6)


@pytest.mark.parametrize("name", CONTROLS)
def test_its_options_have_the_defaults_of_mt_pkdot(name: str) -> None:
    ours, theirs = METHODS.options(name), METHODS.options("mt-pkdot")
    assert ours == {key: theirs[key] for key in ours}
    assert METHODS.constant(name, "GUARD") == METHODS.constant("mt-pkdot", "GUARD") == "student-only"
    grid, full = (cast(dict[str, Any], METHODS.constant(one, "GRID")) for one in (name, "mt-pkdot"))
    assert grid == {key: full[key] for key in grid}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_task_keeps_its_own_labels_and_weight(name: str) -> None:
    lesson = make_lesson()
    expected = torch.nn.functional.cross_entropy(lesson.student.logits, lesson.labels)
    term = load_method(name).terms(lesson, task_weight=0.7)["task"]
    torch.testing.assert_close(term.value, expected)
    assert term.weight == 0.7


def test_the_placebo_of_a_perfect_student_is_not_zero_though_mt_pkdot_is() -> None:
    lesson = make_lesson()
    options = {"anchors": "most", "selection": "sample"}
    chosen = lesson.bank.crossfit_logits
    loss = -torch.log_softmax(chosen, -1).gather(-1, lesson.labels.expand(K, B)[..., None])[..., 0]
    taught = lesson.bank.embeddings[loss.argmin(0), torch.arange(B)]
    lesson = replace(lesson, student=lesson.student._replace(embedding=taught.clone().requires_grad_()))
    assert mt_pkdot.terms(lesson, **options)["transport"].value.item() == pytest.approx(0.0, abs=1e-6)
    assert placebo.terms(lesson, **options)["transport"].value.item() > 0.01


def test_the_placebo_selects_as_mt_pkdot_does() -> None:
    for selection in ("batch", "sample", "soft", "mean"):
        terms = [method.terms(make_lesson(), selection=selection) for method in (placebo, mt_pkdot)]
        shares = [{name: term.value.item() for name, term in one.items() if "share" in name} for one in terms]
        assert shares[0] == pytest.approx(shares[1])


def test_the_placebo_permutes_anew_each_time() -> None:
    lesson = make_lesson()
    options = {"structure": "clouds", "anchors": "least"}
    assert len({placebo.terms(lesson, **options)["transport"].value.item() for _ in range(5)}) == 5


def test_self_listens_to_the_prevalent_teacher_alone() -> None:
    lesson = make_lesson()
    others = lesson.bank.embeddings.clone()
    others[1:] = 7.0 * torch.randn(K - 1, B, D, generator=torch.Generator().manual_seed(9))
    changed = replace(lesson, bank=replace(lesson.bank, embeddings=others))
    values = []
    for one in (lesson, changed):
        one.generator.manual_seed(1)
        values.append(self_control.terms(one)["transport"].value.item())
    assert values[0] == values[1]


def test_self_refuses_a_bank_that_does_not_say_what_teachers_see() -> None:
    lesson = make_lesson()
    with pytest.raises(ValueError, match="what its teachers see"):
        self_control.terms(replace(lesson, bank=replace(lesson.bank, sees=())))


@pytest.mark.parametrize("control", [label_structure, random_teacher])
def test_a_control_without_teachers_does_not_read_the_bank(control: Method) -> None:
    lesson = make_lesson()
    spoilt = replace(lesson.bank, embeddings=torch.full((K, B, D), torch.nan), logits=torch.full((K, B, C), torch.nan))
    values = []
    for one in (lesson, replace(lesson, bank=spoilt)):
        one.generator.manual_seed(1)
        values.append(control.terms(one)["transport"].value.item())
    assert values[0] == values[1]


def test_label_structure_is_zero_for_a_student_that_puts_each_class_in_one_place() -> None:
    lesson = make_lesson()
    sorted_out = torch.nn.functional.one_hot(lesson.labels, D).float().requires_grad_()
    lesson = replace(lesson, student=lesson.student._replace(embedding=sorted_out))
    terms = label_structure.terms(lesson, centroid_weight=0.2)
    assert terms["transport"].value.item() == pytest.approx(0.0, abs=1e-5)
    assert terms["centroid"].value.item() == pytest.approx(0.0, abs=1e-6)


def test_label_structure_is_mt_pkdot_taught_by_one_hot_labels() -> None:
    lesson = make_lesson()
    one_hot = torch.eye(C)[lesson.labels].expand(K, B, C)
    taught = replace(lesson, bank=replace(lesson.bank, embeddings=one_hot))
    for options in ({}, {"structure": "clouds", "anchors": "most", "epsilon": 0.01}):
        assert same_terms(label_structure.terms, lesson, mt_pkdot.terms, taught, **options)


def test_label_structure_leaves_masked_targets_out_and_samples_that_have_none() -> None:
    lesson = make_lesson()
    targets = torch.rand(B, 2, generator=torch.Generator().manual_seed(2))
    targets[3, 0] = targets[4, 1] = targets[7] = torch.nan
    angles = [[0.0] * 2 for _ in range(B)]
    for c in range(2):
        known = [t for t in targets[:, c].tolist() if not isnan(t) and t != -5]
        for i, t in enumerate(targets[:, c].tolist()):
            angles[i][c] = torch.pi / 2 * (t - min(known)) / (max(known) - min(known))
    masked = ~targets.isfinite() | (targets == -5)
    embedding = torch.stack([f(torch.tensor(angles)) for f in (torch.cos, torch.sin)], 2)
    embedding = torch.where(masked[..., None], 0.0, embedding).flatten(1)
    present = torch.arange(B).expand(K, B) != 7
    taught = replace(lesson, bank=replace(lesson.bank, embeddings=embedding.expand(K, B, 4), present=present))
    of_targets = replace(lesson, labels=targets, student=lesson.student._replace(logits=lesson.student.logits[:, :2]))
    assert same_terms(label_structure.terms, of_targets, mt_pkdot.terms, taught)


def test_targets_that_do_not_differ_are_one_class() -> None:
    lesson = replace(make_lesson(), labels=torch.full((B, C), 0.3))
    student = lesson.student._replace(embedding=torch.ones(B, D).requires_grad_())
    terms = label_structure.terms(replace(lesson, student=student), centroid_weight=0.2)
    assert terms["transport"].value.item() == pytest.approx(0.0, abs=1e-6)
    assert terms["centroid"].value.item() == pytest.approx(0.0, abs=1e-5)


def test_a_random_teacher_is_another_one_each_time_and_tells_no_sample_from_another() -> None:
    lesson = make_lesson()
    student = lesson.student._replace(embedding=torch.eye(B, requires_grad=True))
    lesson = replace(lesson, student=student)
    # Against a student to whom no two samples are alike, mean rows differ by the noise of random cosines alone.
    values = [random_teacher.terms(lesson, centroid_weight=0.2)["centroid"].value.item() for _ in range(50)]
    assert len(set(values)) == 50
    # Root of B columns' squared means of B rows, in which B - 1 cosines have the variance 1 / d, d = B.
    expected = (B * (B - 1) / B**2 / B) ** 0.5
    assert sum(values) / 50 == pytest.approx(expected, rel=0.15)


def test_a_random_teacher_saw_what_some_teacher_saw() -> None:
    lesson = make_lesson()
    present = lesson.bank.present.clone()
    present[:, 4] = False
    random_teacher.terms(replace(lesson, bank=replace(lesson.bank, present=present)))["transport"].value.backward()
    assert lesson.student.embedding.grad is not None
    assert torch.equal((lesson.student.embedding.grad != 0).any(1), torch.arange(B) != 4)


def test_a_study_tells_what_each_teacher_sees(make_tiny: Any, tiny_table: Any, tmp_path: Path) -> None:
    table = tiny_table()
    table["ecg__f0"] = table["eda__f0"]
    role = '[modalities.eda]\nrole = "privileged"\n'
    tiny = make_tiny(tmp_path / "study", table, {role: f'{role}\n[modalities.ecg]\nrole = "prevalent"\n'})
    seen = {name: tiny.study.sees(name) for name in tiny.study.teacher_modalities}
    alone = {"face": "prevalent", "eda": "privileged", "ecg": "prevalent", "face+ecg": "prevalent"}
    assert seen == {**alone, "joint": "both"}
    [unit, *_] = [unit for unit in units_of(tiny.run, tiny.study) if unit.stage == "distill"]
    assert dict(zip(unit.arguments["teachers"], unit.arguments["sees"], strict=True)) == seen
    assert unit.reads["sees"] == unit.arguments["sees"]


def test_self_learns_the_same_whatever_the_other_teachers_of_a_run_say(tiny: Any, tmp_path: Path) -> None:
    tiny.put('distill.methods=["self", "pkdot"]', "evaluate.reference=self")
    learned = []
    for place in ("before", "after"):
        for unit in units_of(tiny.run, tiny.study):
            if unit.stage == "distill" and (unit.fold, unit.seed) == (0, 0):
                out = tmp_path / place / unit.name
                out.mkdir(parents=True)
                distill.build(out, Job(Collected()), **unit.arguments)
        learned.append({path.parent.name: path.read_bytes() for path in tmp_path.glob(f"{place}/*/model.safetensors")})
        bank = tiny.run.bank(0, 0)
        shutil.copy(bank / "face.parquet", bank / "joint.parquet")
        shutil.copy(bank / "face.parquet", bank / "eda.parquet")
    before, after = learned
    assert before["self"] == after["self"]
    assert before["pkdot"] != after["pkdot"]


def test_label_structure_of_targets_is_a_quarter_circle() -> None:
    lesson = replace(make_lesson(), labels=torch.linspace(-1, 1, B)[:, None].repeat(1, C))
    angles = torch.pi / 2 * torch.linspace(0, 1, B)
    student = torch.stack([angles.cos(), angles.sin()], 1).requires_grad_()
    torch.testing.assert_close(ot.cosine_similarities(student)[0, -1].item(), 0.0, atol=1e-6, rtol=0)
    terms = label_structure.terms(replace(lesson, student=lesson.student._replace(embedding=student)))
    assert terms["transport"].value.item() == pytest.approx(0.0, abs=1e-5)
