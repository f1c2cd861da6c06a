"""How many batches an epoch has, and how small they get; known without torch, before anything is computed."""

import math

WAITED_STEPS, LEAST_WAIT, LONGEST_WAIT = 100, 3, 10
"""Steps, and epochs at least and at most, that a fit waits for a better validation loss."""


def batches_of(samples: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return max(1, samples // batch_size)


def smallest_batch(samples: int, batch_size: int) -> int:
    """Samples in the smallest batch of an epoch, as `equal_batches` cuts it."""
    return samples // batches_of(samples, batch_size)


def usual_patience(n_batches: int) -> int:
    """Epochs without a better validation loss after which a fit stops, where the study states none.

    What a fit learns goes by steps. Ten epochs of a few steps each are hardly more than a validation of the mean of
    weights needs to see a change (a decay of .99 is a memory of 100 steps); ten epochs of 80 steps only cost.
    """
    return min(LONGEST_WAIT, max(LEAST_WAIT, math.ceil(WAITED_STEPS / n_batches)))


def unlabelled_in_epoch(labelled: int, unlabelled: int, share: float | None) -> int:
    """How many samples without a label an epoch has.

    Args:
        labelled: Samples with one, each of which it has once.
        unlabelled: Samples without one that there are.
        share: Of the epoch's samples; None = each once.
    """
    if share is None or unlabelled == 0:
        return unlabelled
    return round(labelled * share / (1 - share))
