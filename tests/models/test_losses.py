"""Task losses and distances: hand-computed three-sample cases, zeros, ranges, masks, and gradients in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.autograd import gradcheck

from mtpkd_cli.models import losses

LOGITS = torch.tensor([[math.log(2.0), 0.0], [0.0, math.log(3.0)], [0.0, 0.0]])
CLASSES = torch.tensor([0, 1, 0])
HAND = [-math.log(2 / 3), -math.log(3 / 4), math.log(2)]
POINT_DISTANCES = [losses.cosine_distance, losses.squared_distance, losses.maximum_mean_discrepancy]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def concordance_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    return 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def masked_targets() -> tuple[Tensor, np.ndarray]:
    """Targets (11, 2) with NaN at unequal places, and where they are valid."""
    target = draw(11, 2, seed=1)
    target[2, 0] = target[9, 0] = torch.nan
    target[0, 1] = target[4, 1] = target[5, 1] = torch.nan
    return target, (~target.isnan()).numpy()


def test_cross_entropy_of_three_samples_by_hand() -> None:
    assert losses.task_loss(LOGITS, CLASSES).item() == pytest.approx(sum(HAND) / 3)
    torch.testing.assert_close(losses.loss_per_sample(LOGITS, CLASSES), torch.tensor(HAND))


def test_concordance_of_three_samples_by_hand() -> None:
    # Means 2 and 3, covariance 5/3, variances 2/3 and 14/3: 2 * 5/3 / (2/3 + 14/3 + 1) = 10/19.
    predicted, target = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[1.0], [2.0], [6.0]])
    assert losses.concordance(predicted, target).item() == pytest.approx(10 / 19)
    assert losses.task_loss(predicted, target).item() == pytest.approx(9 / 19)


def test_concordance_agrees_with_its_definition_over_the_valid_entries() -> None:
    predicted = draw(11, 2)
    target, valid = masked_targets()
    expected = [
        concordance_by_definition(predicted[valid[:, c], c].numpy(), target[valid[:, c], c].numpy()) for c in range(2)
    ]
    received = losses.concordance(predicted, target)
    np.testing.assert_allclose(received.numpy(), expected, rtol=1e-12)
    assert losses.task_loss(predicted, target).item() == pytest.approx(1 - np.mean(expected))


def test_masked_targets_give_no_gradient_and_leave_the_others_finite() -> None:
    predicted = draw(11, 2).requires_grad_()
    target, valid = masked_targets()
    losses.task_loss(predicted, target).backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    np.testing.assert_array_equal(predicted.grad.numpy() != 0, valid)


@pytest.mark.parametrize(("scale", "shift", "expected"), [(1.0, 0.0, 1.0), (-1.0, 0.0, -1.0), (0.0, 3.0, 0.0)])
def test_concordance_is_one_minus_one_and_zero_where_it_must_be(scale: float, shift: float, expected: float) -> None:
    target = draw(7, 1) - draw(7, 1).mean(0)
    assert losses.concordance(scale * target + shift, target).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rows", [1, 5])
def test_concordance_without_any_spread_or_any_valid_entry_is_zero_with_a_finite_gradient(rows: int) -> None:
    for target in (torch.full((rows, 1), 0.3), torch.full((rows, 1), torch.nan)):
        predicted = torch.full((rows, 1), 0.3, requires_grad=True)
        value = losses.concordance(predicted, target).sum()
        value.backward()
        assert value.item() == 0
        assert predicted.grad is not None
        assert predicted.grad.isfinite().all()


def test_squared_error_per_sample_is_a_mean_over_valid_targets_for_each_teacher() -> None:
    target = torch.tensor([[1.0, 2.0], [torch.nan, 0.5], [torch.nan, torch.nan]])
    predicted = torch.stack([torch.zeros(3, 2), torch.ones(3, 2)])
    assert losses.loss_per_sample(predicted, target).tolist() == [[2.5, 0.25, 0.0], [0.5, 0.25, 0.0]]


def test_cosine_distance_of_three_rows_by_hand() -> None:
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    y = torch.tensor([[5.0, 0.0], [3.0, 0.0], [-4.0, 0.0]])
    assert losses.cosine_distance(x, y).item() == pytest.approx((0 + 1 + 2) / 3)


def test_squared_distance_of_three_rows_by_hand() -> None:
    x, y = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[1.0], [4.0], [1.0]])
    assert losses.squared_distance(x, y).item() == pytest.approx((0 + 4 + 9) / 3)


@pytest.mark.parametrize("distance", POINT_DISTANCES)
@pytest.mark.parametrize("rows", [7, 40])
def test_distances_are_zero_for_equal_clouds_and_positive_else(
    distance: Callable[[Tensor, Tensor], Tensor], rows: int
) -> None:
    x, y = draw(rows, 5).float() + 3, draw(rows, 5, seed=1).float()
    assert abs(distance(x, x.clone()).item()) < 1e-5
    assert distance(x, y).item() > 1e-2


def test_cosine_distance_does_not_see_lengths() -> None:
    x, y = draw(7, 5), draw(7, 5, seed=1)
    scale = draw(7, 1, seed=2).exp()
    torch.testing.assert_close(losses.cosine_distance(scale * x, y / scale), losses.cosine_distance(x, y))


def test_discrepancy_agrees_with_its_definition() -> None:
    x, y = draw(7, 5).numpy(), draw(7, 5, seed=1).numpy() + 0.5
    both = np.concatenate([x, y])
    squared = ((both[:, None] - both[None]) ** 2).sum(-1)
    width = np.sort(squared.ravel())[(squared.size - 1) // 2]
    kernel = np.mean([np.exp(-squared / (factor * width)) for factor in (0.5, 1.0, 2.0)], axis=0)
    expected = kernel[:7, :7].mean() + kernel[7:, 7:].mean() - 2 * kernel[:7, 7:].mean()
    received = losses.maximum_mean_discrepancy(torch.from_numpy(x), torch.from_numpy(y)).item()
    assert received == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [7, 40])
def test_discrepancy_sees_clouds_and_not_their_order(rows: int) -> None:
    x, y = draw(rows, 5), draw(rows, 5, seed=1) + 0.5
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(2))
    received = losses.maximum_mean_discrepancy(x, y[order])
    torch.testing.assert_close(received, losses.maximum_mean_discrepancy(x, y))
    assert losses.maximum_mean_discrepancy(y, y[order]).abs().item() < 1e-12


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_labels_are_a_divergence_and_not_a_cross_entropy(temperature: float) -> None:
    student, teacher = draw(7, 3), draw(7, 3, seed=1)
    p, q = (torch.softmax(x / temperature, dim=1).numpy() for x in (teacher, student))
    expected = temperature**2 * scipy.stats.entropy(p, q, axis=1).mean()
    received = losses.soft_label_divergence(student, teacher, temperature)
    assert received.item() == pytest.approx(expected, rel=1e-12)
    assert losses.soft_label_divergence(teacher + 2.0, teacher, temperature).item() == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_soft_labels_keeps_its_size_over_temperatures() -> None:
    sizes = []
    for temperature in (10.0, 100.0):
        student = draw(7, 3).requires_grad_()
        losses.soft_label_divergence(student, draw(7, 3, seed=1), temperature).backward()
        assert student.grad is not None
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2)


def test_outputs_are_compared_by_squares_in_regression() -> None:
    student, teacher = draw(7, 2), draw(7, 2, seed=1)
    received = losses.divergence_of_outputs(student, teacher, torch.zeros(7, 2), 4.0)
    assert received.item() == pytest.approx(((student - teacher) ** 2).mean().item())


@pytest.mark.parametrize("distance", [losses.cosine_distance, losses.squared_distance])
def test_gradients_of_distances(distance: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert gradcheck(lambda x: distance(x, draw(7, 3, seed=1)), (draw(7, 3).requires_grad_(),))


def test_the_gradient_of_the_discrepancy_is_that_of_its_definition_at_a_constant_width() -> None:
    x, y = draw(7, 3).requires_grad_(), draw(7, 3, seed=1)
    (received,) = torch.autograd.grad(losses.maximum_mean_discrepancy(x, y), x)
    both = torch.cat([x, y])
    squared = (both[:, None] - both[None]).square().sum(-1)
    width = squared.detach().flatten().sort().values[(14 * 14 - 1) // 2]
    kernel = sum(torch.exp(-squared / (factor * width)) for factor in (0.5, 1.0, 2.0)) / 3
    (expected,) = torch.autograd.grad(kernel[:7, :7].mean() - 2 * kernel[:7, 7:].mean(), x)
    torch.testing.assert_close(received, expected)


def test_gradients_of_task_losses_and_soft_labels() -> None:
    classes, (target, _) = torch.tensor([0, 2, 1, 1, 0, 2, 2]), masked_targets()
    three_classes = (draw(7, 3).requires_grad_(),)
    assert gradcheck(lambda x: losses.task_loss(x, classes), three_classes)
    assert gradcheck(lambda x: losses.loss_per_sample(x, classes), three_classes)
    assert gradcheck(lambda x: losses.soft_label_divergence(x, draw(7, 3, seed=1), 2.0), three_classes)
    assert gradcheck(lambda x: losses.task_loss(x, target), (draw(11, 2).requires_grad_(),))
