"""Statistics over time: those of NumPy, standardised as scikit-learn does; absent samples are the training mean."""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from mtpkd_cli.models import Statistics

N, T, D = 40, 6, 3


def _steps(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(N, T, D, generator=generator) * torch.tensor([1.0, 5.0, 0.01]) + torch.tensor([0.0, 3.0, 0.0])
    mask = torch.arange(T) < torch.randint(2, T + 1, (N, 1), generator=generator)
    steps[~mask] = 1e6
    return steps, mask


def _by_numpy(steps: Tensor, mask: Tensor) -> np.ndarray:
    rows = [values[there].double().numpy() for values, there in zip(steps, mask, strict=True)]
    return np.stack([np.concatenate([row.mean(0), np.sqrt(row.var(0) + 1e-6)]) for row in rows])


def test_they_are_means_and_deviations_on_the_scale_of_the_training_samples() -> None:
    statistics = Statistics(D)
    statistics.fit(*_steps(0))
    scaler = StandardScaler().fit(_by_numpy(*_steps(0)))
    np.testing.assert_allclose(statistics(*_steps(1)).numpy(), scaler.transform(_by_numpy(*_steps(1))), atol=2e-3)


def test_a_sample_without_steps_neither_counts_nor_differs_from_the_training_mean() -> None:
    steps, mask = _steps(0)
    without, with_it = Statistics(D), Statistics(D)
    without.fit(steps[1:], mask[1:])
    mask[0] = False
    with_it.fit(steps, mask)
    torch.testing.assert_close(with_it.state_dict(), without.state_dict())
    assert (with_it(steps, mask)[0] == 0).all()


def test_one_step_has_no_deviation_and_finite_gradients() -> None:
    statistics = Statistics(D)
    steps, mask = torch.randn(N, 1, D), torch.ones(N, 1, dtype=torch.bool)
    statistics.fit(steps, mask)
    steps.requires_grad_()
    standardised = statistics(steps, mask)
    assert (standardised[:, D:].abs() < 1e-6).all()
    standardised.square().sum().backward()
    assert steps.grad is not None
    assert steps.grad.isfinite().all()
