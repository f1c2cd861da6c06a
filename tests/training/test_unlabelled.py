"""Recordings without a label: their share of each batch, the teachers' word on them, and noise for the student."""

from typing import Any

import numpy as np
import pytest
import torch

from mtpkd_cli.methods import TeacherBank
from mtpkd_cli.training.batches import batches_of, unlabelled_in_epoch
from mtpkd_cli.training.loop import epoch_order, equal_batches
from mtpkd_cli.training.unlabelled import confident, masked, sharpened, with_student

K, N, C, D = 3, 11, 4, 5
ROWS = torch.tensor([2, 3, 7, 10])
OTHERS = torch.tensor([i for i in range(N) if i not in ROWS.tolist()])


def make_bank(**columns: Any) -> TeacherBank:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(K, N, C, generator=generator)
    given = {"embeddings": torch.randn(K, N, D, generator=generator), "logits": logits, "crossfit_logits": 2 * logits}
    return TeacherBank(["a", "b", "joint"], **given | columns, present=torch.ones(K, N, dtype=torch.bool))


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "share"), [(23, 50, None), (23, 50, 0.5), (23, 5, 0.8), (5, 90, None)]
)
def test_every_batch_has_its_share_and_each_labelled_sample_comes_once(
    labelled: int, unlabelled: int, share: float | None
) -> None:
    rows, without = torch.arange(labelled), torch.arange(100, 100 + unlabelled)
    count = unlabelled_in_epoch(labelled, unlabelled, share)
    n_batches = batches_of(labelled + count, 16)
    order = epoch_order(rows, without, count, n_batches, torch.Generator().manual_seed(1))
    assert sorted(order[order < 100].tolist()) == rows.tolist()
    times = np.bincount((order[order >= 100] - 100).numpy(), minlength=unlabelled)
    assert times.sum() == count
    assert times.max() - times.min() <= 1
    shares = [int((batch < 100).sum()) for batch in equal_batches(order, n_batches)]
    assert max(shares) - min(shares) <= 2
    if share is not None:
        assert count / (count + labelled) == pytest.approx(share, abs=0.02)


def test_without_unlabelled_samples_the_order_is_what_it_was() -> None:
    rows = torch.arange(9)
    order = epoch_order(rows, rows[:0], 0, 2, torch.Generator().manual_seed(1))
    assert torch.equal(order, rows[torch.randperm(9, generator=torch.Generator().manual_seed(1))])


def test_sharpening_is_a_power_of_the_probabilities_of_some_rows() -> None:
    bank = make_bank()
    sharp = sharpened(bank, ROWS, 3.0)
    p = torch.softmax(bank.crossfit_logits[:, ROWS], -1) ** 3
    expected = p / p.sum(-1, keepdim=True)
    assert torch.allclose(torch.softmax(sharp.crossfit_logits[:, ROWS], -1), expected, atol=1e-6)
    assert torch.equal(sharp.crossfit_logits[:, OTHERS], bank.crossfit_logits[:, OTHERS])


def test_a_teacher_that_is_not_sure_is_not_heard_there() -> None:
    logits = torch.zeros(K, N, C)
    logits[1, :, 0] = 5.0
    bank = make_bank(crossfit_logits=logits)
    heard = confident(bank, ROWS, 0.6).present
    assert heard[:, OTHERS].all()
    assert heard[1].all()
    assert not heard[[0, 2]][:, ROWS].any()
    assert bank.present.all()


def test_a_further_round_mixes_probabilities_or_predictions() -> None:
    bank, student = make_bank(), torch.randn(len(ROWS), C, generator=torch.Generator().manual_seed(5))
    mixed = with_student(bank, ROWS, student, regression=False).crossfit_logits
    expected = (torch.softmax(bank.crossfit_logits[:, ROWS], -1) + torch.softmax(student, -1)) / 2
    assert torch.allclose(torch.softmax(mixed[:, ROWS], -1), expected, atol=1e-6)
    assert torch.equal(mixed[:, OTHERS], bank.crossfit_logits[:, OTHERS])
    mixed = with_student(bank, ROWS, student, regression=True).crossfit_logits
    assert torch.allclose(mixed[:, ROWS], (bank.crossfit_logits[:, ROWS] + student) / 2)


def test_masks_hide_features_of_a_whole_sample_and_leave_a_step() -> None:
    torch.manual_seed(0)
    values, mask = torch.ones(200, 6, 10), torch.ones(200, 6, dtype=torch.bool)
    mask[:, 4:] = False
    mask[7] = False
    hidden, kept = masked({"face": (values, mask)}, 0.3, 0.9)["face"]
    assert (hidden.isnan().all(1) | ~hidden.isnan().any(1)).all()
    assert hidden.isnan().float().mean() == pytest.approx(0.3, abs=0.04)
    assert not (kept & ~mask).any()
    assert torch.equal(kept.any(1), mask.any(1))
    assert kept[:, :4].float().mean() < 0.4
    same, there = masked({"face": (values, mask)}, 0.0, 0.0)["face"]
    assert same is values
    assert there is mask
