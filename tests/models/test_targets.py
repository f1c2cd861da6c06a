"""Targets in standard deviations inside a fit, and in the units of the corpus outside of it."""

import pytest
import torch

from mtpkd_cli.models import Student, TargetScale, Teacher
from mtpkd_cli.models.losses import task_loss, valid_targets
from mtpkd_cli.models.targets import TargetUnits

SIZES = {"features": {"face": 3}, "outputs": 2, "embedding": 4, "heads": 2, "dropout": 0.0}
SCALE = {"mean": [5.0, -200.0], "scale": [2.0, 50.0]}


def test_mean_and_deviation_are_those_of_the_labels_that_count() -> None:
    labels = torch.tensor([[1.0, 7.0, 2.0], [3.0, 7.0, torch.nan], [torch.nan, 7.0, torch.nan], [torch.nan, 7.0, 8.0]])
    scale = TargetScale.of(labels)
    assert scale.mean == pytest.approx([2.0, 7.0, 5.0])
    assert scale.scale == pytest.approx([1.0, 1.0, 3.0])
    standard = scale.standardised(labels)
    assert torch.equal(valid_targets(standard), valid_targets(labels))
    torch.testing.assert_close(standard.nan_to_num(9.0)[:, 0], torch.tensor([-1.0, 1.0, 9.0, 9.0]))
    torch.testing.assert_close(TargetUnits(scale)(standard)[:2, 0], labels[:2, 0])


def test_a_target_that_nobody_has_counts_from_zero_in_its_unit() -> None:
    assert TargetScale.of(torch.full((3, 1), torch.nan)) == TargetScale([0.0], [1.0])
    constant = TargetScale.of(torch.full((7, 1), 0.1))
    assert constant.scale == [1.0]


def test_minus_five_is_a_label_like_any_other() -> None:
    """Ratings from -5 to 5 have it; what marks frames in a corpus is its adapter's to know."""
    standard = TargetScale([10.0], [1.0]).standardised(torch.tensor([[5.0], [-5.0]]))
    assert valid_targets(standard)[:, 0].tolist() == [True, True]
    assert standard[:, 0].tolist() == pytest.approx([-5.0, -15.0])
    assert TargetScale.of(torch.tensor([[-5.0], [5.0]])) == TargetScale([0.0], [5.0])


def test_large_offsets_keep_their_digits() -> None:
    labels = torch.tensor([[1e6 + step] for step in range(8)])
    standard = TargetScale.of(labels).standardised(labels)
    torch.testing.assert_close(standard.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(standard.std(correction=0), torch.tensor(1.0))


@pytest.mark.parametrize("kind", ["teacher", "fusion", "mlp", "linear", "imputed"])
def test_a_model_answers_in_units_of_the_targets_but_within_a_fit(kind: str) -> None:
    more: dict = {} if kind == "teacher" else {"privileged": 1, "kind": kind}  # type: ignore[type-arg]
    if kind == "imputed":
        more |= {"imputed": {"face": (3, 5), "eda": (2, 4)}}
    build = Teacher if kind == "teacher" else Student
    torch.manual_seed(0)
    model = build(**SIZES, **more, targets=SCALE).eval()
    plain = build(**SIZES, **more).eval()
    plain.load_state_dict(model.state_dict())
    batch = {"face": (torch.randn(6, 5, 3), torch.ones(6, 5, dtype=torch.bool))}
    if kind == "teacher":
        batch = {"face": batch["face"]}
    standard, answered = plain(batch).logits, model(batch).logits
    torch.testing.assert_close(answered, standard * torch.tensor(SCALE["scale"]) + torch.tensor(SCALE["mean"]))
    with model.standard_units():
        assert torch.equal(model(batch).logits, standard)
    assert torch.equal(model(batch).logits, answered)
    assert plain.scale is None
    assert model.scale == TargetScale(**SCALE)


def test_concordance_is_the_same_in_both_units() -> None:
    labels, predictions = torch.randn(2, 40, 2, dtype=torch.float64)
    restored = TargetUnits(TargetScale(**SCALE)).double()
    assert task_loss(restored(predictions), restored(labels)).item() == pytest.approx(
        task_loss(predictions, labels).item()
    )
