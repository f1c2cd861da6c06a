"""mt-pkdot-released against a restatement in plain loops, values and gradients to 1e-5.

The restatement shares nothing with the program: cosines, ranks and costs are written out entry by entry, the transport
is log-domain Sinkhorn written as a loop, and its gradient is what autograd finds through all its iterations.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor

from mtpkd_cli.methods import Lesson, TeacherBank, mt_pkdot, mt_pkdot_released, pkdot
from mtpkd_cli.models import Output

B, D, K, C, ANCHORS, EPSILON = 8, 5, 3, 3, 4, 0.01


def make_lesson(best: int) -> Lesson:
    """Fixed tensors on which teacher `best` has the least mean loss by its outputs on the batch."""
    generator = torch.Generator().manual_seed(11)
    labels = torch.randint(C, (B,), generator=generator)
    embeddings = torch.randn(K, B, D, generator=generator, dtype=torch.float64)
    logits, crossfit = (torch.randn(K, B, C, generator=generator, dtype=torch.float64) for _ in range(2))
    logits[best, range(B), labels] += 6.0
    crossfit[(best + 1) % K, range(B), labels] += 6.0
    present = torch.ones(K, B, dtype=torch.bool)
    bank = TeacherBank(["face", "heart", "joint"], embeddings, logits, crossfit, present)
    student = [torch.randn(B, size, generator=generator, dtype=torch.float64) for size in (D, C)]
    output = Output(*(tensor.requires_grad_() for tensor in student), torch.ones(B, 1))
    return Lesson(labels, output, bank, torch.Generator().manual_seed(0))


def norm(values: list[Tensor]) -> Tensor:
    return sum((value**2 for value in values), torch.zeros((), dtype=torch.float64)).sqrt()


def cosine_rows(h: Tensor) -> list[list[Tensor]]:
    rows = [[h[i, j] for j in range(h.shape[1])] for i in range(h.shape[0])]
    return [[sum(a * b for a, b in zip(x, y, strict=True)) / (norm(x) * norm(y)) for y in rows] for x in rows]


def transport(x: list[list[Tensor]], y: list[list[Tensor]]) -> Tensor:
    """min <P, C> + eps KL(P | uniform), cost half squared distance: the dual after very many plain updates."""
    cost = torch.stack([torch.stack([sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) / 2 for q in y]) for p in x])
    n, m = cost.shape
    f, g = torch.zeros(n, dtype=torch.float64), torch.zeros(m, dtype=torch.float64)
    for _ in range(3000):
        f = -EPSILON * (torch.logsumexp((g[None] - cost) / EPSILON, dim=1) - math.log(m))
        g = -EPSILON * (torch.logsumexp((f[:, None] - cost) / EPSILON, dim=0) - math.log(n))
    return f.mean() + g.mean()


def restated(lesson: Lesson, best: int) -> dict[str, Tensor]:
    teacher, student = (
        cosine_rows(lesson.bank.embeddings[best].double()),
        cosine_rows(lesson.student.embedding.double()),
    )
    x, y = [], []
    # The structure is of similarities less the least of their matrix; the centroids are of similarities as they are.
    least = [torch.stack([value for row in rows for value in row]).min() for rows in (teacher, student)]
    for i in range(B):
        others = sorted((j for j in range(B) if j != i), key=lambda j: teacher[i][j].item())[:ANCHORS]
        x.append([teacher[i][j] - least[0] for j in others])
        y.append([student[i][j] - least[1] for j in others])
    means = [[sum(s[i][j] for i in range(B)) / B for j in range(B)] for s in (teacher, student)]
    logits = lesson.student.logits
    picked = [logits[i].exp().sum().log() - logits[i, lesson.labels[i]] for i in range(B)]
    return {
        "task": sum(picked, torch.zeros((), dtype=torch.float64)) / B,
        "transport": transport(x, y) - transport(x, x) / 2 - transport(y, y) / 2,
        "centroid": norm([a - b for a, b in zip(*means, strict=True)]),
    }


@pytest.mark.parametrize(("best", "centroid_weight"), [(0, 0.2), (1, 0.2), (2, 0.2), (2, 0.0)])
def test_its_loss_and_gradients_are_those_of_the_restatement(best: int, centroid_weight: float) -> None:
    lesson = make_lesson(best)
    wanted = (lesson.student.embedding, lesson.student.logits)
    terms = mt_pkdot_released.terms(lesson, anchors_k=ANCHORS, centroid_weight=centroid_weight)
    expected = restated(lesson, best)
    weights = {"task": 0.8, "transport": 0.2, "centroid": centroid_weight}
    for name, weight in weights.items():
        if weight:
            assert terms[name].weight == weight
            assert terms[name].value.item() == pytest.approx(expected[name].item(), abs=1e-5)
    assert [terms[f"share_{name}"].value.item() for name in lesson.bank.names] == [float(t == best) for t in range(K)]
    assert ("centroid" in terms) == (centroid_weight > 0)
    total = torch.stack([term.weight * term.value for term in terms.values()]).sum()
    other = torch.stack([weight * expected[name] for name, weight in weights.items()]).sum()
    for slope, known in zip(torch.autograd.grad(total, wanted), torch.autograd.grad(other, wanted), strict=True):
        torch.testing.assert_close(slope, known, rtol=0, atol=1e-5)
        assert known.abs().max() > 1e-3


def published_transport(teacher: np.ndarray, student: np.ndarray, k: int) -> tuple[float, np.ndarray]:
    """The transport of the released form and its slope in the student's embeddings, by matrices of NumPy alone.

    S = cosines - their least one; rows over the k least similar columns; U(x, y) - U(x, x) / 2 - U(y, y) / 2, cost half
    a squared distance, by Sinkhorn's updates to convergence. The slope goes back by hand: plans, costs, columns, the
    minimum, cosines, norms.
    """
    n = len(teacher)
    unit_t, unit_s = (h / np.linalg.norm(h, axis=1, keepdims=True) for h in (teacher, student))
    s_t, s_s = unit_t @ unit_t.T, unit_s @ unit_s.T
    columns = np.argsort(s_t + 9 * np.eye(n), axis=1)[:, :k]
    x, y = (np.take_along_axis(s - s.min(), columns, axis=1) for s in (s_t, s_s))

    def solved(p: np.ndarray, q: np.ndarray) -> tuple[float, np.ndarray]:
        cost = 0.5 * ((p[:, None] - q[None]) ** 2).sum(-1)
        f = g = np.zeros(n)
        for _ in range(400):
            f = -EPSILON * (logsumexp((g[None] - cost) / EPSILON, axis=1) - np.log(n))
            g = -EPSILON * (logsumexp((f[:, None] - cost) / EPSILON, axis=0) - np.log(n))
        return f.mean() + g.mean(), np.exp((f[:, None] + g[None] - cost) / EPSILON) / n**2

    (xy, plan), (xx, _), (yy, own) = solved(x, y), solved(x, x), solved(y, y)
    own = (own + own.T) / 2
    slope_y = plan.sum(0)[:, None] * y - plan.T @ x - (own.sum(1)[:, None] * y - own @ y)
    slope_s = np.zeros((n, n))
    np.put_along_axis(slope_s, columns, slope_y, axis=1)
    slope_s[np.unravel_index(s_s.argmin(), s_s.shape)] -= slope_y.sum()
    slope_unit = (slope_s + slope_s.T) @ unit_s
    along = (slope_unit * unit_s).sum(1, keepdims=True)
    return xy - xx / 2 - yy / 2, (slope_unit - along * unit_s) / np.linalg.norm(student, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", [0, 1])
def test_at_the_released_size_value_and_gradient_are_those_of_the_formulas(seed: int) -> None:
    """B = 128, d = 64, k = 30. Without the shift both would be others: the gradient is forty times smaller then."""
    rng = np.random.default_rng(seed)
    teacher, student = rng.normal(size=(2, 128, 64))
    labels = torch.from_numpy(rng.integers(0, C, 128))
    embedding = torch.from_numpy(student).requires_grad_()
    bank = TeacherBank(
        ["joint"], torch.from_numpy(teacher)[None], *torch.zeros(2, 1, 128, C, dtype=torch.float64).unbind(),
        torch.ones(1, 128, dtype=torch.bool),
    )  # fmt: skip
    output = Output(embedding, torch.zeros(128, C, dtype=torch.float64), torch.ones(128, 1))
    lesson = Lesson(labels, output, bank, torch.Generator())
    released = mt_pkdot_released.terms(lesson)["transport"].value
    as_options: dict[str, Any] = {"structure": "clouds", "anchors": "least", "anchors_k": 30, "epsilon": EPSILON}
    expected, slope = published_transport(teacher, student, 30)
    for value in (released, *(module.terms(lesson, **as_options)["transport"].value for module in (mt_pkdot, pkdot))):
        (gradient,) = torch.autograd.grad(value, embedding)
        assert value.item() == pytest.approx(expected, abs=2e-5)
        cosine = (gradient.numpy() * slope).sum() / (np.linalg.norm(gradient) * np.linalg.norm(slope))
        assert cosine == pytest.approx(1.0, abs=1e-4)
        assert np.linalg.norm(gradient) == pytest.approx(np.linalg.norm(slope), rel=1e-3)
    assert np.linalg.norm(slope) > 0.3
