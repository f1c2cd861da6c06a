"""Which teacher speaks: against a plain restatement, with absent teachers and with either outputs."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.methods._selection import joint_only, select, shares

B, K, C = 11, 4, 3
NAMES = ["face", "heart", "voice", "joint"]


def make_bank(seed: int = 0) -> TeacherBank:
    """Teacher 1 saw nothing, teacher 0 not samples 0..3, nobody sample 2."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.ones(K, B, dtype=torch.bool)
    present[1], present[0, :4], present[:, 2] = False, False, False
    logits, crossfit = (torch.randn(K, B, C, generator=generator) * present[..., None] for _ in range(2))
    logits[0] *= 2
    return TeacherBank(NAMES, torch.zeros(K, B, 5), logits, crossfit, present)


def make_labels(task: str) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    if task == "classification":
        return torch.randint(C, (B,), generator=generator)
    labels = torch.randn(B, C, generator=generator)
    labels[3, 0] = labels[4, 1] = torch.nan
    return labels


def restated_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K, B) losses by loops."""
    result = np.zeros(logits.shape[:2])
    for t, i in np.ndindex(*result.shape):
        if labels.ndim == 1:
            result[t, i] = np.log(np.exp(logits[t, i]).sum()) - logits[t, i, labels[i]]
        else:
            valid = [c for c in range(C) if not np.isnan(labels[i, c]) and labels[i, c] != -5]
            result[t, i] = np.mean([(logits[t, i, c] - labels[i, c]) ** 2 for c in valid])
    return result


def restated_selection(losses: np.ndarray, present: np.ndarray, selection: str, tau: float) -> np.ndarray:
    """(B, K) weights by loops."""
    weights = np.zeros((B, K))
    means = [losses[t, present[t]].mean() if present[t].any() else np.inf for t in range(K)]
    for i in range(B):
        there = [t for t in range(K) if present[t, i]]
        if not there:
            continue
        if selection == "soft":
            shares = {t: np.exp(-losses[t, i] / tau) for t in there}
            for t in there:
                weights[i, t] = shares[t] / sum(shares.values())
        else:
            weights[i, min(there, key=lambda t: means[t] if selection == "batch" else losses[t, i])] = 1
    return weights


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("selection", ["batch", "sample", "soft"])
@pytest.mark.parametrize("outputs", ["crossfit", "train"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_are_those_of_a_plain_restatement(task: str, selection: str, outputs: str, seed: int) -> None:
    bank, labels = make_bank(seed), make_labels(task)
    logits = (bank.crossfit_logits if outputs == "crossfit" else bank.logits).double().numpy()
    expected = restated_selection(restated_losses(logits, labels.numpy()), bank.present.numpy(), selection, 0.7)
    received = select(bank, labels, selection=selection, outputs=outputs, tau=0.7)
    np.testing.assert_allclose(received.numpy(), expected, atol=1e-6)


def test_a_row_sums_to_one_or_to_zero_where_nobody_saw_the_sample() -> None:
    for selection in ("batch", "sample", "soft"):
        weights = select(make_bank(), make_labels("classification"), selection=selection, outputs="train")
        torch.testing.assert_close(weights.sum(1), (torch.arange(B) != 2).float())


def test_one_teacher_speaks_for_the_batch_and_the_next_best_where_it_saw_nothing() -> None:
    bank, labels = make_bank(), torch.zeros(B, dtype=torch.long)
    for t, confidence in enumerate([9.0, 0.0, 2.0, 1.0]):
        bank.crossfit_logits[t, :, 0] = confidence + bank.crossfit_logits[t, :, 1:].amax(1)
    chosen = select(bank, labels, selection="batch", outputs="crossfit").argmax(1)
    seen = torch.arange(B) != 2
    assert chosen[seen].tolist() == [2, 2, 2] + [0] * (B - 4)


def test_an_over_fitted_teacher_wins_on_train_outputs_only() -> None:
    bank, labels = make_bank(), make_labels("classification")
    bank.logits[3].scatter_(1, labels[:, None], 50.0)
    bank.crossfit_logits[2].scatter_(1, labels[:, None], 50.0)
    seen = torch.arange(B) != 2
    assert (select(bank, labels, selection="batch", outputs="train").argmax(1)[seen] == 3).all()
    assert (select(bank, labels, selection="batch", outputs="crossfit").argmax(1)[seen] == 2).all()


def test_the_joint_teacher_alone_speaks_where_it_saw_something() -> None:
    bank = make_bank()
    weights = joint_only(bank)
    assert torch.equal(weights[:, 3], bank.present[3].float())
    assert (weights[:, :3] == 0).all()
    assert torch.equal(select(bank, make_labels("regression"), selection="joint", outputs="train"), weights)


def test_shares_are_logged_by_name_without_weight() -> None:
    bank = make_bank()
    logged = shares(bank, select(bank, make_labels("classification"), selection="sample", outputs="train"))
    assert list(logged) == [f"share_{name}" for name in NAMES]
    assert all(term.weight == 0 for term in logged.values())
    assert sum(term.value.item() for term in logged.values()) == pytest.approx((B - 1) / B)
