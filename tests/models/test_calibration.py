"""Temperature scaling: a planted temperature is recovered, nothing is made of nothing."""

import math

import pytest
import torch

from mtpkd_cli.models.calibration import LIMITS, calibrated_loss, fit_temperature

N, C = 4001, 3


def _drawn(temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose labels are drawn at that temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(N, C, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / temperature, 1), 1, generator=generator).squeeze(1)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.7, 1.0, 4.0])
def test_finds_the_temperature_that_labels_were_drawn_at(temperature: float) -> None:
    logits, labels = _drawn(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_the_loss_is_that_of_the_logits_at_their_best_temperature() -> None:
    logits, labels = _drawn(2.0)
    grid = [torch.nn.functional.cross_entropy(logits / t, labels).item() for t in torch.linspace(1.0, 4.0, 301)]
    assert calibrated_loss(logits, labels) == pytest.approx(min(grid), abs=1e-4)
    assert calibrated_loss(5 * logits, labels) == pytest.approx(calibrated_loss(logits, labels), abs=1e-4)


def test_samples_that_are_all_right_ask_for_no_infinite_logits() -> None:
    assert fit_temperature(torch.eye(3), torch.arange(3)) >= LIMITS[0]
    assert fit_temperature(-torch.eye(3), torch.arange(3)) <= LIMITS[1] * (1 + 1e-9)


def test_regression_and_no_sample_have_temperature_one() -> None:
    targets = torch.randn(9, 2)
    assert fit_temperature(torch.randn(9, 2), targets) == 1.0
    assert fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)) == 1.0
    assert math.isclose(calibrated_loss(targets, targets), 0.0, abs_tol=1e-6)
