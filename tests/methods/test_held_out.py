"""What teachers are worth by their held-out words: planted skill is found, noise is left out, no label is asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.methods._held_out import TeacherWords, certainty, log_mixture, spread, weights_of
from mtpkd_cli.methods._selection import select
from mtpkd_cli.methods._soft_labels import mixed_soft_labels

K, N, C = 3, 400, 4


def teachers(skills: tuple[float, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Calibrated logits (K, N, C): a teacher of skill s sees the label through noise, one of 0 not at all."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(C, (N,), generator=generator)
    one_hot = torch.eye(C)[labels]
    seen = [s * (one_hot * s + torch.randn(N, C, generator=generator)) for s in skills]
    return torch.stack(seen), labels


def bank_of(logits: torch.Tensor, labels: torch.Tensor, present: torch.Tensor | None = None) -> TeacherBank:
    present = torch.ones(logits.shape[:2], dtype=torch.bool) if present is None else present
    names = [f"t{k}" for k in range(len(logits))]
    bank = TeacherBank(names, torch.zeros(*logits.shape[:2], 2), logits, logits, present)
    return bank.knowing(labels, torch.arange(len(labels)))


def test_weights_are_the_most_likely_ones_of_a_mixture_under_the_prior() -> None:
    logits, labels = teachers((0.0, 1.5, 2.5))
    p = torch.softmax(logits, -1).gather(2, labels.expand(K, -1)[..., None])[..., 0].double().numpy()

    def loss(free: np.ndarray) -> float:
        weights = np.exp(free) / np.exp(free).sum()
        return float(-np.log(weights @ p).sum() - 0.25 * N / K * np.log(weights).sum())

    best = minimize(loss, np.zeros(K), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 5000}).x
    expected = np.exp(best) / np.exp(best).sum()
    np.testing.assert_allclose(bank_of(logits, labels).mixture().weights, expected, atol=2e-3)


def test_a_teacher_that_knows_nothing_hardly_counts_and_is_not_left_out_of_few_labels() -> None:
    logits, labels = teachers((0.0, 2.5, 2.5))
    weights = bank_of(logits, labels).mixture().weights
    assert weights[0] < 0.1
    assert weights.sum() == pytest.approx(1)
    few = bank_of(logits[:, :0], labels[:0]).mixture()
    assert torch.allclose(few.weights, torch.full((K,), 1 / K))
    assert few.temperature == 1


def test_the_mixture_is_as_sure_as_held_out_labels_say() -> None:
    """Teachers that err apart are right together: their mean is less sure than it should be."""
    logits, labels = teachers((2.0, 2.0, 2.0))
    bank = bank_of(logits, labels)
    assert bank.mixture().temperature < 0.8
    alone = bank_of(logits[:1], labels).mixture()
    assert alone.temperature == pytest.approx(1.0, abs=0.2)


def test_weights_of_a_part_of_the_teachers_are_its_own_and_asked_for_once() -> None:
    logits, labels = teachers((1.0, 1.5, 2.5))
    bank = replace(bank_of(logits, labels), sees=("prevalent", "privileged", "prevalent"))
    part = bank.seeing("prevalent")
    assert torch.allclose(part.mixture().weights, bank_of(logits[[0, 2]], labels).mixture().weights)
    assert part.rows(torch.tensor([3, 1])).mixture() is part.mixture()


def test_no_label_of_the_sample_is_asked_for_and_an_unsure_teacher_counts_less() -> None:
    logits, labels = teachers((1.5, 1.5, 1.5))
    bank = bank_of(logits, labels)
    without = torch.full_like(labels, -1)
    weights = select(bank, labels, selection="skill", outputs="crossfit")
    assert torch.equal(weights, select(bank, without, selection="skill", outputs="crossfit"))
    assert torch.allclose(weights.sum(1), torch.ones(N))
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    expected = bank.mixture().weights[:, None] * torch.exp(-entropy)
    assert torch.allclose(weights, (expected / expected.sum(0)).T, atol=1e-6)


@pytest.mark.parametrize("selection", ["soft", "sample"])
def test_samples_without_a_label_are_weighed_by_skill_whatever_the_others_are_weighed_by(selection: str) -> None:
    logits, labels = teachers((0.5, 1.5, 2.5))
    bank, some = bank_of(logits, labels), labels.clone()
    some[::3] = -1
    weights = select(bank, some, selection=selection, outputs="crossfit")
    assert torch.equal(weights[::3], select(bank, labels, selection="skill", outputs="crossfit")[::3])
    labelled = some >= 0
    assert torch.equal(weights[labelled], select(bank, labels, selection=selection, outputs="crossfit")[labelled])


def test_a_batch_chooses_its_teacher_by_its_labelled_samples() -> None:
    logits, labels = teachers((0.5, 2.5, 1.0))
    logits[0, ::2] = 9.0 * torch.eye(C)[labels[::2]]
    some = labels.clone()
    some[::2] = -1
    weights = select(bank_of(logits, labels), some, selection="batch", outputs="crossfit")
    assert weights.argmax(1).unique().tolist() == [1]


def test_absent_teachers_have_no_weight_and_no_say() -> None:
    logits, labels = teachers((1.5, 1.5, 2.5))
    present = torch.ones(K, N, dtype=torch.bool)
    present[0, :40], present[:, :5] = False, False
    bank = bank_of(logits, labels, present)
    weights = select(bank, labels, selection="skill", outputs="crossfit")
    assert (weights[:5] == 0).all()
    assert (weights[:40, 0] == 0).all()
    assert torch.allclose(weights[5:].sum(1), torch.ones(N - 5))
    spoilt = bank_of(torch.where(present[..., None], logits, 50.0), labels, present)
    assert torch.allclose(spoilt.mixture().weights, bank.mixture().weights)


def test_targets_weigh_teachers_by_their_own_error_and_samples_by_agreement() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randn(N, 2, generator=generator)
    errors = (2.0, 0.3, 0.4)
    predictions = torch.stack([labels + e * torch.randn(N, 2, generator=generator) for e in errors])
    labels[::7] = torch.nan
    held_out = TeacherWords.of(["a", "b", "c"], predictions, labels, torch.ones(K, N, dtype=torch.bool))
    assert len(held_out.labels) == N - len(labels[::7])
    mixture = held_out.mixture(["a", "b", "c"])
    assert mixture.weights.argmax() == 1
    assert mixture.weights[0] < 0.15
    assert mixture.temperature == 1
    weights = weights_of(mixture.weights, predictions, torch.ones(K, N, dtype=torch.bool), regression=True)
    assert torch.allclose(weights, mixture.weights.expand(N, -1))
    apart = torch.tensor([[[0.0, 0.0]], [[2.0, 2.0]]])
    half = torch.tensor([[0.5, 0.5]])
    assert spread(half, apart).item() == pytest.approx(1.0)
    assert certainty(half, apart).item() == pytest.approx(0.5)


def test_a_soft_label_is_the_calibrated_mixture() -> None:
    logits, labels = teachers((1.0, 1.5, 2.5))
    bank = bank_of(logits, labels)
    weights = select(bank, labels, selection="skill", outputs="crossfit")
    target = log_mixture(weights, logits) / bank.mixture().temperature
    options = {"outputs": "crossfit", "temperature": 1.0, "mixture": bank.mixture()}
    assert mixed_soft_labels(bank, target, labels, weights, **options).item() == pytest.approx(0, abs=1e-6)
    assert mixed_soft_labels(bank, target * 1.5, labels, weights, **options).item() > 0.01
