"""How many batches an epoch has, and how small they get; known without torch, before anything is computed."""


def batches_of(samples: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return max(1, samples // batch_size)


def smallest_batch(samples: int, batch_size: int) -> int:
    """Samples in the smallest batch of an epoch, as `equal_batches` cuts it."""
    return samples // batches_of(samples, batch_size)
