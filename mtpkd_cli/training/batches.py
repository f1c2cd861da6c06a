"""How many batches an epoch has, and how small they get; known without torch, before anything is computed."""


def batches_of(samples: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return max(1, samples // batch_size)


def smallest_batch(samples: int, batch_size: int) -> int:
    """Samples in the smallest batch of an epoch, as `equal_batches` cuts it."""
    return samples // batches_of(samples, batch_size)


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
