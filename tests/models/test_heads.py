"""The ordinal head: its probabilities against scipy and by the definition, far scores, gradients, what it learns."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import Tensor

from mtpkd_cli.models import Adapter, Student, Teacher
from mtpkd_cli.models.heads import OrdinalHead, head_of, log_probabilities

THRESHOLDS = torch.tensor([-1.5, -0.2, 0.1, 2.0], dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def of(score: Tensor, thresholds: Tensor = THRESHOLDS) -> Tensor:
    return log_probabilities(score, thresholds, thresholds.diff())


def test_probabilities_are_differences_of_the_cumulative_curve() -> None:
    score = torch.linspace(-4, 4, 7, dtype=torch.float64)[:, None]
    cumulative = expit(THRESHOLDS.numpy() - score.numpy())
    padded = np.hstack([np.zeros((7, 1)), cumulative, np.ones((7, 1))])
    np.testing.assert_allclose(of(score).exp().numpy(), np.diff(padded), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_scores_and_narrow_classes_stay_finite_and_sum_to_one(dtype: torch.dtype) -> None:
    score = torch.tensor([[-1e4], [-90.0], [0.0], [90.0], [1e4]], dtype=dtype).requires_grad_()
    thresholds = torch.tensor([-1e-3, 0.0, 1e-3, 50.0], dtype=dtype)
    log_probability = of(score, thresholds)
    assert log_probability.isfinite().all()
    torch.testing.assert_close(log_probability.exp().sum(1), torch.ones(5, dtype=dtype), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.softmax(log_probability, 1), log_probability.exp(), rtol=1e-4, atol=1e-7)
    log_probability.sum().backward()
    assert score.grad is not None
    assert score.grad.isfinite().all()
    # Far above all thresholds only the highest class is left, and the log of the others still shows how far.
    assert log_probability[-1].argmax() == 4
    torch.testing.assert_close(log_probability[-1, 0], torch.tensor(-1e4, dtype=dtype), rtol=1e-3, atol=0)


def test_gradients_are_those_of_finite_differences() -> None:
    head = OrdinalHead(3, 5).double()
    x = torch.randn(4, 3, dtype=torch.float64).requires_grad_()
    parameters = [p.detach().clone().requires_grad_() for p in head.parameters()]

    def head_with(embedding: Tensor, *values: Tensor) -> Tensor:
        named = dict(zip([name for name, _ in head.named_parameters()], values, strict=True))
        return torch.func.functional_call(head, named, (embedding,))

    assert torch.autograd.gradcheck(head_with, (x, *parameters))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_it_starts_with_classes_alike_and_thresholds_stay_sorted(classes: int) -> None:
    head = OrdinalHead(4, classes)
    assert head(torch.zeros(1, 4)).exp()[0].tolist() == pytest.approx([1 / classes] * classes, abs=1e-5)
    with torch.no_grad():
        head.raw_gaps.copy_(torch.full((classes - 2,), -200.0))
    assert (head.thresholds.diff() > 0).all()
    assert head(torch.randn(3, 4)).isfinite().all()


def test_two_classes_are_logistic_regression() -> None:
    head, x = OrdinalHead(4, 2), torch.randn(6, 4)
    logit = head.score(x)[:, 0] - head.thresholds[0]
    torch.testing.assert_close(head(x)[:, 1].exp(), torch.sigmoid(logit))


def test_under_autocast_it_stays_in_float32_behind_its_score() -> None:
    head, x = OrdinalHead(4, 5), torch.randn(6, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        log_probability, score = head(x), head.score(x)
    assert (log_probability.dtype, score.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(log_probability, log_probabilities(score.float(), head.thresholds, head.gaps))


def test_the_median_moves_with_the_score() -> None:
    levels = of(torch.linspace(-6, 6, 50, dtype=torch.float64)[:, None]).exp() @ torch.arange(5.0, dtype=torch.float64)
    assert (levels.diff() > 0).all()


def planted(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Samples of the model itself: score x . w, thresholds THRESHOLDS, logistic noise."""
    x = torch.randn(n, 6, generator=generator)
    w = torch.tensor([1.5, -1.0, 0.5, 0, 0, 0])
    u = torch.rand(n, generator=generator)
    latent = x @ w + torch.logit(u)
    return x, (latent[:, None] > THRESHOLDS.float()).sum(1)


def fitted(head: torch.nn.Module, x: Tensor, y: Tensor) -> torch.nn.Module:
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(head(x), y)
        value.backward()
        return value

    optimiser.step(loss)
    return head


def test_it_finds_planted_thresholds_and_direction() -> None:
    head = fitted(OrdinalHead(6, 5), *planted(20000, torch.Generator().manual_seed(1)))
    assert isinstance(head, OrdinalHead)
    torch.testing.assert_close(head.thresholds, THRESHOLDS.float(), atol=0.1, rtol=0)
    torch.testing.assert_close(head.score.weight[0], torch.tensor([1.5, -1.0, 0.5, 0, 0, 0]), atol=0.1, rtol=0)


def test_on_few_samples_of_classes_in_an_order_it_predicts_better_than_softmax() -> None:
    gains = []
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        x, y = planted(80, generator)
        new_x, new_y = planted(2000, generator)
        ordinal, softmax = (fitted(head_of(kind, 6, 5), x, y) for kind in ("ordinal", "softmax"))
        with torch.no_grad():
            losses = [torch.nn.functional.cross_entropy(head(new_x), new_y).item() for head in (ordinal, softmax)]
        gains.append(losses[1] - losses[0])
    assert min(gains) > 0
    assert sum(gains) / len(gains) > 0.1


def test_teacher_student_and_adapter_take_it() -> None:
    batch = {"face": (torch.randn(3, 4, 5), torch.ones(3, 4, dtype=torch.bool))}
    sizes = {"embedding": 8, "heads": 2, "dropout": 0.0, "head": "ordinal"}
    outputs = [
        Teacher({"face": 5}, outputs=5, **sizes)(batch).logits,
        Student({"face": 5}, privileged=1, outputs=5, **sizes)(batch).logits,
        Adapter(8, 5, "mlp", "ordinal")(torch.randn(3, 8))[1],
    ]
    for logits in outputs:
        torch.testing.assert_close(logits.exp().sum(1), torch.ones(3))


def test_a_head_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no head 'probit'"):
        head_of("probit", 4, 3)
    with pytest.raises(ValueError, match="2 classes or more"):
        head_of("ordinal", 4, 1)
