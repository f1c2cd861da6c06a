"""kd: the joint teacher's soft labels against SciPy, on the samples that it saw, from the outputs asked for."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from mtpkd_cli.methods import Lesson, TeacherBank
from mtpkd_cli.methods.kd import terms
from mtpkd_cli.models import Output

B, K, C = 7, 3, 4


def make_lesson(labels: torch.Tensor, absent: list[int]) -> Lesson:
    generator = torch.Generator().manual_seed(0)
    present = torch.ones(K, B, dtype=torch.bool)
    present[-1, absent] = False
    columns = [torch.randn(K, B, size, generator=generator, dtype=torch.float64) for size in (5, C, C)]
    bank = TeacherBank(["face", "heart", "joint"], *columns, present)
    logits = torch.randn(B, C, generator=generator, dtype=torch.float64)
    return Lesson(labels, Output(torch.zeros(B, 5), logits, torch.ones(B, 1)), bank, generator)


@pytest.mark.parametrize("outputs", ["crossfit", "train"])
@pytest.mark.parametrize("absent", [[], [0, 3]])
def test_terms_against_scipy(outputs: str, absent: list[int]) -> None:
    classes = torch.tensor([0, 3, 1, 2, 2, 0, 1])
    lesson = make_lesson(classes, absent)
    logits = (lesson.bank.crossfit_logits if outputs == "crossfit" else lesson.bank.logits)[-1]
    seen = [i for i in range(B) if i not in absent]
    p, q = (scipy.special.softmax(x[seen].numpy() / 3.0, axis=1) for x in (logits, lesson.student.logits))
    received = terms(lesson, temperature=3.0, soft_label_weight=0.3, outputs=outputs)
    assert list(received) == ["task", "soft_labels"]
    assert received["soft_labels"].value.item() == pytest.approx(9 * scipy.stats.entropy(p, q, axis=1).mean())
    log_p = scipy.special.log_softmax(lesson.student.logits.numpy(), axis=1)
    assert received["task"].value.item() == pytest.approx(-log_p[np.arange(B), classes].mean())
    assert (received["task"].weight, received["soft_labels"].weight) == pytest.approx((0.7, 0.3))


def test_regression_takes_the_mean_squared_difference_of_predictions() -> None:
    lesson = make_lesson(torch.randn(B, C, generator=torch.Generator().manual_seed(1)), [2])
    seen = [0, 1, 3, 4, 5, 6]
    expected = ((lesson.student.logits - lesson.bank.crossfit_logits[-1]) ** 2)[seen].mean()
    assert terms(lesson)["soft_labels"].value.item() == pytest.approx(expected.item())


def test_it_is_zero_where_the_student_says_the_same_and_where_the_teacher_saw_nothing() -> None:
    classes = torch.zeros(B, dtype=torch.long)
    lesson = make_lesson(classes, [])
    same = Lesson(classes, lesson.student._replace(logits=lesson.bank.logits[-1]), lesson.bank, lesson.generator)
    assert terms(same, outputs="train")["soft_labels"].value.item() == pytest.approx(0, abs=1e-12)
    assert terms(make_lesson(classes, list(range(B))))["soft_labels"].value.item() == 0
