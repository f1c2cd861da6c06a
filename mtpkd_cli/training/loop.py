"""The one training loop: AdamW, warm-up and cosine decay, early stopping, the best weights kept."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtpkd_cli.errors import NumericalError
from mtpkd_cli.models.losses import Term
from mtpkd_cli.training.batches import batches_of, unlabelled_in_epoch, usual_patience
from mtpkd_cli.training.fitting import Fitting, History
from mtpkd_cli.training.resuming import NOT_KEPT, FitCheckpoint

Terms = dict[str, Term]


def fit(
    model: nn.Module,
    step: Callable[[Tensor], Terms],
    validate: Callable[[], float] | None,
    rows: Tensor,
    *,
    unlabelled: Tensor | None = None,
    unlabelled_share: float | None = None,
    generator: torch.Generator,
    epochs: int,
    stop_after: int | None = None,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    warmup_share: float,
    patience: int | None,
    ema_decay: float = 0.0,
    slow: dict[float, list[nn.Parameter]] | None = None,
    draws: Sequence[torch.Generator] = (),
    checkpoint: FitCheckpoint = NOT_KEPT,
) -> History:
    """Fits a model and leaves in it the weights of the best validation epoch.

    Args:
        model: What is fitted; put into training mode for steps and evaluation mode for validation.
        step: Rows of a batch -> named loss terms; the total is the sum of weight x value.
        validate: Gives the validation loss; lower is better. Called under no_grad once per epoch; None = nothing is
            validated, and the weights of the last epoch are kept.
        rows: (N,) long, the training samples.
        unlabelled: (U,) long, training samples without a label, of which each batch has the same share.
        unlabelled_share: That share; None = as there are, each of them once an epoch.
        generator: Order of the samples.
        stop_after: Epochs that are done of a schedule of `epochs`; None = all.
        patience: Epochs without a better validation loss after which it stops; None = `usual_patience`.
        ema_decay: Decay of the weights' exponential mean over steps, which is then validated and kept; 0 = none.
        slow: Learning rate -> parameters that it is for; a rate of 0 freezes them.
        draws: Other generators that `step` draws from.
        checkpoint: Where the fit goes on if it was interrupted, and leaves its state if it is.

    Returns:
        One entry per epoch: terms and total (means over batches), validation loss, learning rate, whether it was best.

    Raises:
        Interrupted: The program was asked to stop.
        NumericalError: A loss is not finite; the message names epoch, batch and terms.
    """
    slow = slow or {}
    slow_parameters = {id(p) for parameters in slow.values() for p in parameters}
    groups: list[dict[str, Any]] = [{"params": [p for p in model.parameters() if id(p) not in slow_parameters]}]
    groups += [{"params": parameters, "lr": rate} for rate, parameters in slow.items()]
    optimiser = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
    others = rows[:0] if unlabelled is None else unlabelled
    n_others = unlabelled_in_epoch(len(rows), len(others), unlabelled_share)
    n_batches = batches_of(len(rows) + n_others, batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, _schedule(epochs * n_batches, warmup_share))
    fitting = Fitting(model, optimiser, scheduler, [generator, *draws], ema_decay)
    patience = usual_patience(n_batches) if patience is None else patience
    finished = checkpoint.begin(fitting)
    last = epochs if stop_after is None else min(epochs, stop_after)
    while not finished and fitting.epoch < last and _waited(fitting.history) < patience:
        if len(fitting.order) == 0:
            fitting.order = epoch_order(rows, others, n_others, n_batches, generator)
        _train_epoch(fitting, step, n_batches, checkpoint)
        _validate_epoch(fitting, validate)
    if not finished:
        model.load_state_dict(fitting.best_state)
        checkpoint.finish(fitting)
    model.eval()
    return fitting.history


def _train_epoch(
    fitting: Fitting,
    step: Callable[[Tensor], Terms],
    n_batches: int,
    checkpoint: FitCheckpoint,
) -> None:
    """Does what is left of an epoch."""
    fitting.model.train()
    for number, batch in enumerate(equal_batches(fitting.order, n_batches)):
        if number < fitting.batch:
            continue
        terms = step(batch)
        total = torch.stack([term.weight * term.value for term in terms.values()]).sum()
        # One look at the device per step: each would wait for all that was asked of it.
        values = torch.stack([*(term.value.detach() for term in terms.values()), total.detach()]).tolist()
        losses = dict(zip([*terms, "total"], values, strict=True))
        _check_finite(losses, fitting.epoch, number)
        fitting.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(fitting.parameters, 1.0)
        fitting.optimiser.step()
        fitting.scheduler.step()
        fitting.average()
        for name, value in losses.items():
            fitting.sums[name] = fitting.sums.get(name, 0.0) + value / n_batches
        fitting.batch = number + 1
        checkpoint.step(fitting)


def _validate_epoch(fitting: Fitting, validate: Callable[[], float] | None) -> None:
    """Validates after an epoch's steps, keeps the weights where they are the best so far, and begins the next epoch."""
    fitting.model.eval()
    with fitting.averaged_weights(), torch.no_grad():
        loss = 0.0 if validate is None else validate()
        if not math.isfinite(loss):
            raise NumericalError(
                f"the validation loss of epoch {fitting.epoch} is {loss}",
                expected="a finite number",
                todo="lower the learning rate, or look for extreme values in the features",
            )
        improved = validate is None or loss < fitting.best
        if improved:
            fitting.keep_best(loss)
    fitting.history.append(
        {
            "epoch": fitting.epoch,
            "train": fitting.sums,
            "validation": loss,
            "learning_rate": float(fitting.scheduler.get_last_lr()[0]),
            "best": improved,
        }
    )
    fitting.begin_epoch(fitting.epoch + 1)


def shuffled(rows: Tensor, generator: torch.Generator) -> Tensor:
    """The same rows in another order."""
    return rows[torch.randperm(len(rows), generator=generator)]


def epoch_order(
    rows: Tensor, unlabelled: Tensor, n_unlabelled: int, n_batches: int, generator: torch.Generator
) -> Tensor:
    """The samples of an epoch in an order of which `equal_batches` makes batches with equal shares of unlabelled ones.

    Args:
        rows: Each of which comes once.
        unlabelled: Of which so many come: each as often as any other, or once less.
        n_unlabelled: How many.
        n_batches: Of the epoch.
        generator: Draws the order.
    """
    order = shuffled(rows, generator)
    if n_unlabelled == 0:
        return order
    rounds = -(-n_unlabelled // len(unlabelled))
    others = torch.cat([shuffled(unlabelled, generator) for _ in range(rounds)])[:n_unlabelled]
    pairs = zip(equal_batches(order, n_batches), equal_batches(others, n_batches), strict=True)
    return torch.cat([part for pair in pairs for part in pair])


def equal_batches(order: Tensor, n_batches: int) -> list[Tensor]:
    """Cuts rows into batches whose sizes differ by one at most.

    No small last batch: a batch is never smaller than asked for unless the whole training part is, so terms over the
    pairs of a batch see the number of samples that they were given anchors for.
    """
    return list(torch.tensor_split(order, n_batches))


def _schedule(steps: int, warmup_share: float) -> Callable[[int], float]:
    warmup = max(1, round(warmup_share * steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return factor


def _waited(history: History) -> int:
    """Epochs since the best one; less than any patience before the first."""
    best = max((entry["epoch"] for entry in history if entry["best"]), default=0)
    return history[-1]["epoch"] - best if history else -1


def _check_finite(losses: dict[str, float], epoch: int, batch: int) -> None:
    if not math.isfinite(losses["total"]):
        values = ", ".join(f"{name} = {value:g}" for name, value in losses.items() if name != "total")
        raise NumericalError(
            f"the loss is not finite in epoch {epoch}, batch {batch}: {values}",
            expected="finite numbers",
            todo="lower the learning rate, or look for extreme values in the features",
        )
