"""The one training loop: AdamW, warm-up and cosine decay, early stopping, the best weights kept."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mtpkd_cli import interruption
from mtpkd_cli.errors import NumericalError
from mtpkd_cli.models.losses import Term

Terms = dict[str, Term]


def fit(
    model: nn.Module,
    step: Callable[[Tensor], Terms],
    validate: Callable[[], float],
    rows: Tensor,
    *,
    generator: torch.Generator,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    warmup_share: float,
    patience: int,
    slow: dict[float, list[nn.Parameter]] | None = None,
) -> list[dict[str, Any]]:
    """Fits a model and leaves in it the weights of the best validation epoch.

    Args:
        model: What is fitted; put into training mode for steps and evaluation mode for validation.
        step: Rows of a batch -> named loss terms; the total is the sum of weight x value.
        validate: Gives the validation loss; lower is better. Called under no_grad once per epoch.
        rows: (N,) long, the training samples.
        generator: Order of the samples.
        slow: Learning rate -> parameters that have their own one; a rate of 0 freezes them.

    Returns:
        One entry per epoch: terms and total (means over batches), validation loss, learning rate, whether it was best.

    Raises:
        NumericalError: A loss is not finite; the message names epoch, batch and terms.
    """
    slow = slow or {}
    own_rate = {id(p) for parameters in slow.values() for p in parameters}
    groups: list[dict[str, Any]] = [{"params": [p for p in model.parameters() if id(p) not in own_rate]}]
    groups += [{"params": parameters, "lr": rate} for rate, parameters in slow.items()]
    optimiser = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
    n_batches = max(1, len(rows) // batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, _schedule(epochs * n_batches, warmup_share))
    history: list[dict[str, Any]] = []
    best, best_state = math.inf, copy.deepcopy(model.state_dict())
    for epoch in range(epochs):
        model.train()
        sums: dict[str, float] = {}
        for number, batch in enumerate(equal_batches(rows, n_batches, generator)):
            terms = step(batch)
            total = torch.stack([term.weight * term.value for term in terms.values()]).sum()
            _check_finite(total, terms, epoch, number)
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            scheduler.step()
            for name, value in {**{n: t.value for n, t in terms.items()}, "total": total}.items():
                sums[name] = sums.get(name, 0.0) + value.item() / n_batches
            interruption.check()
        model.eval()
        with torch.no_grad():
            loss = validate()
        if not math.isfinite(loss):
            raise NumericalError(
                f"the validation loss of epoch {epoch} is {loss}",
                expected="a finite number",
                todo="lower the learning rate, or look for extreme values in the features",
            )
        improved = loss < best
        if improved:
            best, best_state, waited = loss, copy.deepcopy(model.state_dict()), 0
        else:
            waited = epoch - _best_epoch(history)
        history.append(
            {
                "epoch": epoch,
                "train": sums,
                "validation": loss,
                "learning_rate": scheduler.get_last_lr()[0],
                "best": improved,
            }
        )
        if waited >= patience:
            break
    model.load_state_dict(best_state)
    model.eval()
    return history


def equal_batches(rows: Tensor, n_batches: int, generator: torch.Generator) -> list[Tensor]:
    """Shuffles rows into batches whose sizes differ by one at most.

    No small last batch: a batch is never smaller than asked for unless the whole training part is, so terms over the
    pairs of a batch see the number of samples that they were given anchors for.
    """
    return list(torch.tensor_split(rows[torch.randperm(len(rows), generator=generator)], n_batches))


def _schedule(steps: int, warmup_share: float) -> Callable[[int], float]:
    warmup = max(1, round(warmup_share * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor


def _best_epoch(history: list[dict[str, Any]]) -> int:
    return max((entry["epoch"] for entry in history if entry["best"]), default=-1)


def _check_finite(total: Tensor, terms: Terms, epoch: int, batch: int) -> None:
    if not torch.isfinite(total):
        values = ", ".join(f"{name} = {term.value.item():g}" for name, term in terms.items())
        raise NumericalError(
            f"the loss is not finite in epoch {epoch}, batch {batch}: {values}",
            expected="finite numbers",
            todo="lower the learning rate, or look for extreme values in the features",
        )
