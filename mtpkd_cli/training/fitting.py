"""The state of a fit: all that changes from step to step, as tensors and plain data that a checkpoint can hold.

A fit that is restored and goes on ends with the same bits on the CPU as one that was never interrupted: the order of
the current epoch, the sums of its terms and every generator are part of the state.
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR


class Epoch(TypedDict):
    """One epoch of a fit, a line of history.jsonl.

    Args:
        epoch: Its number, from 0.
        train: Loss term, or "total" -> mean over the epoch's batches.
        validation: The validation loss after it.
        learning_rate: After its last step.
        best: Whether its weights were the best so far.
    """

    epoch: int
    train: dict[str, float]
    validation: float
    learning_rate: float
    best: bool


History = list[Epoch]
"""The epochs of a fit, in their order."""

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and plain data that JSON can hold without loss."""

_NUMBERS = ("epoch", "batch", "steps", "best", "sums", "history")


class Fitting:
    """One fit and how far it is.

    Args:
        model: What is fitted.
        optimiser: Of the model's parameters.
        scheduler: Of the optimiser's learning rates.
        generators: All generators that steps draw from, torch's global ones aside.
        ema_decay: Decay of the exponential mean of the weights over steps, reached after a warm-up; 0 = no mean.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        scheduler: LambdaLR,
        generators: Sequence[torch.Generator],
        ema_decay: float = 0.0,
    ) -> None:
        self.model, self.optimiser, self.scheduler, self.generators = model, optimiser, scheduler, list(generators)
        self.epoch = 0
        self.batch = 0
        """Batches of this epoch that are done."""
        self.order = torch.zeros(0, dtype=torch.long)
        """The shuffled rows of this epoch; empty before it has begun."""
        self.sums: dict[str, float] = {}
        self.history: History = []
        self.ema_decay = ema_decay
        self.steps = 0
        self.parameters = list(model.parameters())
        """All of the model's; looked for once, for walking through its modules takes as long as some of them."""
        self.mean = [p.detach().clone() for p in self.parameters] if ema_decay else []
        self.best = math.inf
        self.best_state: Mapping[str, Tensor] = copy.deepcopy(model.state_dict())

    def begin_epoch(self, epoch: int) -> None:
        """Goes to the first batch of an epoch, whose order is still to be drawn."""
        self.epoch, self.batch, self.sums = epoch, 0, {}
        self.order = torch.zeros(0, dtype=torch.long)

    def average(self) -> None:
        """Takes the weights after a step into their exponential mean."""
        self.steps += 1
        if self.mean:
            # The first weights are drawn, not learned: early on the mean forgets faster.
            decay = min(self.ema_decay, (1 + self.steps) / (10 + self.steps))
            weights = [p.detach() for p in self.parameters]
            torch._foreach_lerp_(self.mean, weights, 1 - decay)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within the block the model has the mean of its weights, where there is one."""
        parameters = [p.detach() for p in self.parameters] if self.mean else []
        stepped = [p.clone() for p in parameters]
        for parameter, mean in zip(parameters, self.mean, strict=True):
            parameter.copy_(mean)
        try:
            yield
        finally:
            for parameter, weights in zip(parameters, stepped, strict=True):
                parameter.copy_(weights)

    def keep_best(self, loss: float) -> None:
        """Keeps the weights as they are now as the best ones."""
        self.best, self.best_state = loss, copy.deepcopy(self.model.state_dict())

    def state(self) -> State:
        """Copies of everything, on the CPU."""
        tensors = {"order": self.order.clone(), "random": torch.get_rng_state()}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            tensors["random_cuda"] = torch.cuda.get_rng_state()
        tensors |= {f"generator.{i}": generator.get_state() for i, generator in enumerate(self.generators)}
        tensors |= {f"model.{name}": _copy(tensor) for name, tensor in self.model.state_dict().items()}
        tensors |= {f"best.{name}": _copy(tensor) for name, tensor in self.best_state.items()}
        tensors |= {f"mean.{i}": _copy(tensor) for i, tensor in enumerate(self.mean)}
        moments = self.optimiser.state_dict()["state"]
        tensors |= {f"moments.{i}.{key}": _copy(value) for i, held in moments.items() for key, value in held.items()}
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        numbers["best"] = None if math.isinf(self.best) else self.best
        schedule = {key: value for key, value in self.scheduler.state_dict().items() if key != "lr_lambdas"}
        return tensors, copy.deepcopy(numbers) | {"schedule": schedule}

    def restore(self, state: State) -> None:
        """Goes to where `state` was copied. Raises KeyError, ValueError or RuntimeError where it is of another fit."""
        tensors, numbers = state
        self.model.load_state_dict(_under("model.", tensors))
        device = self.parameters[0].device
        self.best_state = {name: tensor.to(device) for name, tensor in _under("best.", tensors).items()}
        self.mean = [tensors[f"mean.{i}"].to(mean.device) for i, mean in enumerate(self.mean)]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("moments.", tensors).items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = tensor
        schedule = numbers["schedule"] | {"lr_lambdas": self.scheduler.state_dict()["lr_lambdas"]}
        groups = self.optimiser.state_dict()["param_groups"]
        for group, rate in zip(groups, schedule["_last_lr"], strict=True):
            group["lr"] = rate
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self.scheduler.load_state_dict(schedule)
        for name in _NUMBERS:
            setattr(self, name, copy.deepcopy(numbers[name]))
        self.best = math.inf if numbers["best"] is None else numbers["best"]
        self.order = tensors["order"]
        for i, generator in enumerate(self.generators):
            generator.set_state(tensors[f"generator.{i}"])
        # Last: whatever the lines above may draw is undone.
        torch.set_rng_state(tensors["random"])
        if "random_cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random_cuda"])

    def outcome(self) -> State:
        """Copies of what is left of a fit that is done: the weights in the model, and the history."""
        return {name: _copy(tensor) for name, tensor in self.model.state_dict().items()}, {"history": self.history}

    def take_outcome(self, outcome: State) -> None:
        """Goes to the end of a fit that was done before."""
        self.model.load_state_dict(outcome[0])
        self.history = copy.deepcopy(outcome[1]["history"])


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
