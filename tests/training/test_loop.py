"""The one training loop: equal batches, early stopping, the best weights, learning rates of their own, seeds."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.models.losses import Term
from mtpkd_cli.training.batches import usual_patience
from mtpkd_cli.training.loop import Terms, equal_batches, fit, shuffled
from mtpkd_cli.training.seeding import derived_seed, seeded

N, D = 23, 3
OPTIONS: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 5,
    "learning_rate": 0.05,
    "weight_decay": 0.0,
    "warmup_share": 0.1,
    "patience": 6,
}


class Toy:
    """A linear regression with one output and dropout on its input."""

    def __init__(self, seed: int = 0) -> None:
        data = torch.Generator().manual_seed(99)
        self.x = torch.randn(N, D, generator=data)
        self.y = self.x @ torch.tensor([1.0, -2.0, 0.5]) + 0.3
        with seeded(seed):
            self.model = nn.Sequential(nn.Dropout(0.2), nn.Linear(D, 1))
        self.seen: list[Tensor] = []
        self.modes: list[bool] = []

    def step(self, rows: Tensor) -> Terms:
        self.seen.append(rows)
        self.modes.append(self.model.training)
        error = (self.model(self.x[rows]).squeeze(1) - self.y[rows]) ** 2
        return {"error": Term(error.mean(), 0.5), "logged": Term(error.max().detach(), 0.0)}

    def validate(self) -> float:
        assert not self.model.training
        assert not torch.is_grad_enabled()
        return float(((self.model(self.x).squeeze(1) - self.y) ** 2).mean())

    def fit(self, seed: int = 0, **changes: Any) -> list[dict[str, Any]]:
        validate = changes.pop("validate", self.validate)
        step = changes.pop("step", self.step)
        with seeded(seed) as generator:
            return fit(self.model, step, validate, torch.arange(N), generator=generator, **(OPTIONS | changes))

    def weights(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


def returns(values: list[float]) -> Iterator[float]:
    yield from values


@pytest.mark.parametrize(("rows", "asked"), [(23, 5), (9, 5), (10, 5), (32, 31), (3, 5), (7, 1)])
def test_batches_are_never_smaller_than_asked_and_hold_each_row_once(rows: int, asked: int) -> None:
    order = shuffled(100 + torch.arange(rows), torch.Generator().manual_seed(0))
    batches = equal_batches(order, max(1, rows // asked))
    sizes = [len(batch) for batch in batches]
    assert min(sizes) >= min(asked, rows)
    assert max(sizes) - min(sizes) <= 1
    assert sorted(torch.cat(batches).tolist()) == list(range(100, 100 + rows))


def test_every_epoch_sees_every_row_once_in_another_order() -> None:
    toy = Toy()
    toy.fit(epochs=2)
    first, second = torch.cat(toy.seen[:4]), torch.cat(toy.seen[4:])
    assert len(toy.seen) == 8
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(N))
    assert not torch.equal(first, second)
    assert all(toy.modes)


def test_the_weights_of_the_best_epoch_are_left_in_evaluation_mode() -> None:
    toy = Toy()
    values, kept = returns([3.0, 1.0, 2.0, 1.0, 4.0]), []

    def validate() -> float:
        kept.append(toy.weights())
        return next(values)

    history = toy.fit(validate=validate, patience=3)
    assert [entry["best"] for entry in history] == [True, True, False, False, False]
    assert not toy.model.training
    for name, tensor in toy.weights().items():
        assert torch.equal(tensor, kept[1][name])
        assert not torch.equal(tensor, kept[4][name])


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 6), (3, 7)])
def test_stopping_waits_for_patience_epochs_without_a_better_loss(patience: int, epochs: int) -> None:
    losses = [3.0, 2.0, 2.5, 1.0, 1.0, 1.5, 1.2, 0.5]
    values = returns(losses)
    history = Toy().fit(validate=lambda: next(values), patience=patience, epochs=8)
    assert [entry["validation"] for entry in history] == losses[:epochs]


@pytest.mark.parametrize(("n_batches", "epochs"), [(1, 10), (10, 10), (11, 10), (20, 5), (23, 5), (34, 3), (500, 3)])
def test_the_usual_patience_is_a_hundred_steps_within_three_to_ten_epochs(n_batches: int, epochs: int) -> None:
    assert usual_patience(n_batches) == epochs


@pytest.mark.parametrize(("batch_size", "waited"), [(1, 5), (5, 10)])
def test_a_fit_without_a_stated_patience_waits_by_the_steps_of_its_epochs(batch_size: int, waited: int) -> None:
    history = Toy().fit(validate=lambda: 1.0, patience=None, batch_size=batch_size, epochs=20)  # 23 steps each, or 4
    assert len(history) == 1 + waited


def test_it_learns() -> None:
    toy = Toy()
    with torch.no_grad():
        toy.model.eval()
        before = toy.validate()
    history = toy.fit(epochs=60, patience=60)
    assert min(entry["validation"] for entry in history) < 0.1 * before


def test_parameters_with_a_rate_of_their_own_move_by_it_and_a_rate_of_zero_freezes_them() -> None:
    moved = {}
    for rate in (0.0, 1e-4, 0.05):
        toy = Toy()
        before = toy.weights()
        toy.fit(slow={rate: [toy.model[1].weight]}, weight_decay=0.1, epochs=1)
        moved[rate] = (toy.model[1].weight - before["1.weight"]).abs().max().item()
        assert not torch.equal(toy.model[1].bias, before["1.bias"])
    assert moved[0.0] == 0
    assert 0 < moved[1e-4] < 4 * 1e-4 + 1e-6  # Adam moves by its rate at most, four steps
    assert moved[0.05] > 0.05


def test_what_needs_no_gradient_stays_and_weight_decay_does_not_reach_it() -> None:
    toy = Toy()
    toy.model[1].bias.requires_grad_(False)
    before = toy.weights()
    toy.fit(weight_decay=0.5)
    assert torch.equal(toy.model[1].bias, before["1.bias"])


def test_the_same_seed_gives_identical_weights_and_another_does_not() -> None:
    toys = [Toy(), Toy(), Toy()]
    histories = [toy.fit(seed) for toy, seed in zip(toys, (4, 4, 5), strict=True)]
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]
    assert torch.equal(toys[0].model[1].weight, toys[1].model[1].weight)
    assert not torch.equal(toys[0].model[1].weight, toys[2].model[1].weight)


def test_seeding_leaves_the_generators_of_others_alone() -> None:
    torch.manual_seed(8)
    expected = torch.rand(3)
    torch.manual_seed(8)
    Toy().fit(3)
    assert torch.equal(torch.rand(3), expected)


def test_a_derived_seed_depends_on_every_name_and_on_the_seed() -> None:
    seeds = [derived_seed(*key) for key in [(0,), (1,), (0, 1), (0, "a"), (0, "a", 1), (0, 1, "a")]]
    assert len(set(seeds)) == len(seeds)
    assert derived_seed(0, "a", 1) == seeds[4]
    assert all(0 <= seed < 2**48 for seed in seeds)


def test_a_loss_that_is_not_finite_names_epoch_batch_and_terms() -> None:
    toy, count = Toy(), returns([1.0] * 6 + [math.nan])

    def step(rows: Tensor) -> Terms:
        terms = toy.step(rows)
        return terms | {"broken": Term(terms["error"].value * next(count), 1.0)}

    with pytest.raises(NumericalError, match=r"epoch 1, batch 2: error = .*, logged = .*, broken = nan"):
        toy.fit(step=step)


def test_a_validation_loss_that_is_not_a_number_is_not_passed_over() -> None:
    values = returns([2.0, math.nan])
    with pytest.raises(NumericalError, match=r"validation loss .* epoch 1"):
        Toy().fit(validate=lambda: next(values))


def test_the_history_tells_means_over_batches_and_the_learning_rate() -> None:
    toy = Toy()
    values: list[dict[str, float]] = []

    def step(rows: Tensor) -> Terms:
        terms = toy.step(rows)
        values.append({name: term.value.item() for name, term in terms.items()})
        return terms

    history = toy.fit(step=step, epochs=3)
    assert [entry["epoch"] for entry in history] == [0, 1, 2]
    for epoch, entry in enumerate(history):
        assert set(entry) == {"epoch", "train", "validation", "learning_rate", "best"}
        batches = values[4 * epoch : 4 * epoch + 4]
        for name in ("error", "logged"):
            assert entry["train"][name] == pytest.approx(sum(batch[name] for batch in batches) / 4)
        assert entry["train"]["total"] == pytest.approx(0.5 * entry["train"]["error"])
    rates = [entry["learning_rate"] for entry in history]
    assert OPTIONS["learning_rate"] > rates[0] > rates[1] > rates[2] == pytest.approx(0, abs=1e-12)


def test_averaged_weights_are_the_exponential_mean_of_all_steps_and_are_what_is_validated_and_kept() -> None:
    torch.manual_seed(0)
    model, rows = nn.Linear(3, 1), torch.arange(12)
    x, y = torch.randn(12, 3), torch.randn(12, 1)
    seen: list[torch.Tensor] = []  # after each step, as the next one finds them
    validated: list[torch.Tensor] = []

    def step(batch: torch.Tensor) -> dict[str, Term]:
        seen.append(model.weight.detach().clone())
        return {"task": Term((model(x[batch]) - y[batch]).square().mean(), 1.0)}

    def validate() -> float:
        validated.append(model.weight.detach().clone())
        return -float(len(validated))  # the last epoch is the best

    fit(
        model, step, validate, rows, generator=torch.Generator().manual_seed(1), epochs=3, batch_size=4,
        learning_rate=0.1, weight_decay=0.0, warmup_share=0.0, patience=9, ema_decay=0.5,
    )  # fmt: skip
    # The decay grows from 2/11 to the wanted one, so that the first weights do not linger.
    mean = seen[0]
    means = []
    for number, weights in enumerate(seen[1:], start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        mean = decay * mean + (1 - decay) * weights
        means.append(mean)
    # Steps go on from their own weights: what the 4th step finds is not what was validated before it.
    torch.testing.assert_close(validated[0], means[2])
    torch.testing.assert_close(validated[1], means[5])
    assert not torch.allclose(validated[0], seen[3])
    torch.testing.assert_close(model.weight.detach(), validated[2], rtol=0, atol=0)


def test_without_a_decay_the_weights_themselves_are_validated() -> None:
    model, rows = nn.Linear(2, 1), torch.arange(4)
    x = torch.ones(4, 2)
    options = dict(epochs=2, batch_size=4, learning_rate=0.1, weight_decay=0.0, warmup_share=0.0, patience=9)
    weights: list[torch.Tensor] = []

    def validate() -> float:
        weights.append(model.weight.detach().clone())
        return -float(len(weights))

    def step(batch: torch.Tensor) -> dict[str, Term]:
        return {"task": Term(model(x[batch]).square().mean(), 1.0)}

    fit(model, step, validate, rows, generator=torch.Generator(), ema_decay=0.0, **options)
    torch.testing.assert_close(model.weight.detach(), weights[-1], rtol=0, atol=0)


def test_a_fit_that_is_told_when_to_stop_validates_nothing_and_is_the_beginning_of_the_whole_one() -> None:
    """Its learning rates are those of the schedule of all epochs, and the weights of its last epoch are kept."""
    told, judged = Toy(), Toy()
    history = told.fit(validate=None, stop_after=3, ema_decay=0.9)
    losses = returns([3.0, 2.0, 1.0, 4.0, 4.0, 4.0])
    whole = judged.fit(validate=lambda: next(losses), ema_decay=0.9)
    assert len(history) == 3
    assert [entry["learning_rate"] for entry in history] == [entry["learning_rate"] for entry in whole[:3]]
    assert all(torch.equal(value, judged.weights()[name]) for name, value in told.weights().items())
    assert not told.model.training
