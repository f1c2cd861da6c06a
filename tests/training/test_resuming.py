"""A fit that is interrupted goes on from its checkpoint and ends with the same bits, wherever it was interrupted."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.last_checkpoint import LastCheckpoint
from mtpkd_cli.errors import Interrupted
from mtpkd_cli.models.losses import Term
from mtpkd_cli.training.loop import Terms, fit
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.seeding import seeded

N, D, EPOCHS, BATCHES = 17, 3, 3, 3
OPTIONS: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 5,
    "learning_rate": 0.05,
    "weight_decay": 0.1,
    "warmup_share": 0.3,
    "patience": 2,
    "ema_decay": 0.9,
}


class Unit:
    """Two fits of one unit, with dropout, running statistics, a group of its own rate and a generator of its own.

    Args:
        stop_at: Steps of both fits together after which the process is asked to stop; 0 = never.
    """

    def __init__(
        self, last: LastCheckpoint | None, stop_at: int = 0, every_s: float | None = None, device: str = "cpu"
    ) -> None:
        self.resuming = Resuming(last, every_s)
        self.stop_at, self.steps, self.device = stop_at, 0, device

    def fit(self, name: str, seed: int) -> tuple[nn.Module, list[dict[str, Any]]]:
        with seeded(seed) as order:
            data = torch.randn(N, D).to(self.device), torch.randn(N).to(self.device)
            draws = torch.Generator().manual_seed(seed)
            model = nn.Sequential(nn.Linear(D, 4), nn.BatchNorm1d(4), nn.Dropout(0.4), nn.Linear(4, 1)).to(self.device)

            def step(rows: Tensor) -> Terms:
                self.steps += 1
                if self.steps == self.stop_at:
                    os.kill(os.getpid(), signal.SIGUSR1)
                noise = 0.1 * torch.randn(len(rows), D, generator=draws).to(self.device)
                error = model(data[0][rows] + noise).squeeze(1) - data[1][rows]
                return {"error": Term((error**2).mean(), 1.0)}

            def validate() -> float:
                return float(((model(data[0]).squeeze(1) - data[1]) ** 2).mean())

            settings: dict[str, Any] = OPTIONS | {"slow": {0.001: list(model[3].parameters())}, "draws": [draws]}
            checkpoint = self.resuming.fit(name)
            rows = torch.arange(N)
            history = fit(model, step, validate, rows, generator=order, checkpoint=checkpoint, **settings)
            assert not model.training
            return model, history

    def do(self) -> tuple[dict[str, Tensor], list[Any]]:
        """Weights of both models, and both histories."""
        (first, a), (second, b) = self.fit("first", 3), self.fit("second", 4)
        weights = {f"{i}.{k}": t for i, model in enumerate((first, second)) for k, t in model.state_dict().items()}
        return weights, [a, b]


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, Tensor], list[Any]]:
    return Unit(None).do()


def _last(folder: Path, fingerprint: str = "same", notes: list[str] | None = None) -> LastCheckpoint:
    return LastCheckpoint(folder / "unit.last.safetensors", fingerprint, [].append if notes is None else notes.append)


def _same(outcome: tuple[dict[str, Tensor], list[Any]], wanted: tuple[dict[str, Tensor], list[Any]]) -> None:
    assert outcome[0].keys() == wanted[0].keys()
    for name, tensor in wanted[0].items():
        assert torch.equal(outcome[0][name], tensor), name
    assert outcome[1] == wanted[1]


def _interrupt(last: LastCheckpoint, stop_at: int, every_s: float | None = None) -> None:
    with interruption.listening(), pytest.raises(Interrupted, match="SIGUSR1"):
        Unit(last, stop_at, every_s).do()


@pytest.mark.parametrize("stop_at", range(1, 2 * EPOCHS * BATCHES + 1))
def test_an_interrupt_after_any_step_of_any_fit_changes_no_bit(
    tmp_path: Path, stop_at: int, undisturbed: tuple[dict[str, Tensor], list[Any]]
) -> None:
    notes: list[str] = []
    _interrupt(_last(tmp_path), stop_at)
    again = Unit(_last(tmp_path, notes=notes))
    _same(again.do(), undisturbed)
    assert again.steps == 2 * EPOCHS * BATCHES - stop_at  # no step is done twice
    fit, step = ("first", stop_at) if stop_at <= EPOCHS * BATCHES else ("second", stop_at - EPOCHS * BATCHES)
    epoch, batch = divmod(step - 1, BATCHES)
    assert notes[0].startswith(f"goes on in epoch {epoch} after batch {batch + 1} of {fit}")


def test_a_signal_between_asking_and_leaving_loses_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[dict[str, Tensor], list[Any]]
) -> None:
    answered, asks = interruption.asked, []

    def asked() -> bool:
        answer = answered()
        asks.append(answer)
        if len(asks) == 3:
            os.kill(os.getpid(), signal.SIGUSR1)
        return answer

    monkeypatch.setattr(interruption, "asked", asked)
    unit = Unit(_last(tmp_path))
    with interruption.listening(), pytest.raises(Interrupted, match="SIGUSR1"):
        unit.do()
    again = Unit(_last(tmp_path))
    _same(again.do(), undisturbed)
    assert unit.steps + again.steps == 2 * EPOCHS * BATCHES


@pytest.mark.gpu
@pytest.mark.parametrize("stop_at", [1, 3, 4, 8, 9, 10, 14, 18])
def test_on_a_gpu_too_an_interrupt_changes_no_bit(tmp_path: Path, stop_at: int) -> None:
    with interruption.listening(), pytest.raises(Interrupted):
        Unit(_last(tmp_path), stop_at, device="cuda").do()
    again = Unit(_last(tmp_path), device="cuda")
    _same(again.do(), Unit(None, device="cuda").do())
    assert again.steps == 2 * EPOCHS * BATCHES - stop_at


def test_interrupts_one_after_the_other_change_no_bit(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], list[Any]]
) -> None:
    for _ in range(2 * EPOCHS * BATCHES):
        _interrupt(_last(tmp_path), stop_at=1)
    again = Unit(_last(tmp_path))
    _same(again.do(), undisturbed)
    assert again.steps == 0


def test_what_was_written_on_the_way_serves_where_nothing_could_be_written_at_the_end(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], list[Any]]
) -> None:
    """SIGKILL: the checkpoint of some earlier step is what there is."""
    _interrupt(_last(tmp_path), stop_at=4)
    written = _last(tmp_path).path.read_bytes()
    _interrupt(_last(tmp_path), stop_at=7, every_s=0.0)
    assert _last(tmp_path).path.read_bytes() != written
    _last(tmp_path).path.write_bytes(written)
    again = Unit(_last(tmp_path))
    _same(again.do(), undisturbed)
    assert again.steps == 2 * EPOCHS * BATCHES - 4


def test_one_file_rotates_and_nothing_else_is_written(tmp_path: Path) -> None:
    Unit(_last(tmp_path), every_s=0.0).do()
    assert [path.name for path in tmp_path.iterdir()] == ["unit.last.safetensors"]
    _last(tmp_path).remove()
    _last(tmp_path).remove()
    assert not list(tmp_path.iterdir())
    Unit(_last(tmp_path)).do()  # within the minute
    assert not list(tmp_path.iterdir())


def test_a_foreign_checkpoint_is_ignored_and_said(
    tmp_path: Path, undisturbed: tuple[dict[str, Tensor], list[Any]]
) -> None:
    notes: list[str] = []
    _interrupt(_last(tmp_path), stop_at=5)
    again = Unit(_last(tmp_path, "other", notes))
    assert again.do()[1] == undisturbed[1]
    assert again.steps == 2 * EPOCHS * BATCHES
    assert notes == ["unit.last.safetensors is ignored, it is of another study, input, device or version"]


@pytest.mark.parametrize("damage", ["empty", "cut", "header", "flipped", "other file", "folder"])
def test_a_damaged_checkpoint_is_ignored_and_said(
    tmp_path: Path, damage: str, undisturbed: tuple[dict[str, Tensor], list[Any]]
) -> None:
    notes: list[str] = []
    _interrupt(_last(tmp_path), stop_at=5)
    path = _last(tmp_path).path
    content = path.read_bytes()
    size = len(content)
    flipped = bytearray(content)
    flipped[size - 9] ^= 1
    damaged = {
        "empty": b"",
        "cut": content[: size // 2],
        "header": b"\xff" * 8 + content[8:],
        "flipped": bytes(flipped),
    }
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(damaged.get(damage, b"not a checkpoint at all"))
    _same(Unit(_last(tmp_path, notes=notes)).do(), undisturbed)
    assert len(notes) == 1
    assert notes[0].startswith("unit.last.safetensors is ignored, it is damaged: ")


def test_without_a_checkpoint_an_interrupt_still_leaves() -> None:
    with interruption.listening(), pytest.raises(Interrupted):
        Unit(None, stop_at=2).do()
