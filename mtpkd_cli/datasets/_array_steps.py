"""Which steps of an array of features count, and when they were: lengths, masks and times beside it."""

import numpy as np

# A sample of ready features lasts seconds to hours; larger numbers are of another unit, or dates.
LONGEST_S = 30 * 86_400.0


def lengths_of(array: np.ndarray, name: str, shape: tuple[int, int], problems: list[str]) -> np.ndarray | None:
    """Steps that each sample has, (N,) int64; None and a problem where the array tells no such thing.

    Args:
        array: Whatever lies beside the features under a name of lengths.
        name: That name.
        shape: (N, T) of the features.
        problems: Where to say what is wrong.
    """
    numbers = array.dtype.kind in "iuf" and array.size == shape[0] and array.squeeze().ndim <= 1
    lengths = array.astype(np.float64).ravel() if numbers else np.empty(0)
    if not numbers or not (np.isfinite(lengths).all() and (lengths == np.round(lengths)).all()):
        problems.append(f"{name} is {array.dtype} of shape {array.shape}, expected whole numbers ({shape[0]},)")
        return None
    if lengths.min(initial=0) < 0 or lengths.max(initial=0) > shape[1]:
        problems.append(f"{name} goes from {lengths.min():g} to {lengths.max():g}, expected 0 to {shape[1]} steps")
        return None
    return lengths.astype(np.int64)


def masked(array: np.ndarray | None, shape: tuple[int, int], problems: list[str]) -> np.ndarray | None:
    """Steps that count by a mask, (N, T) bool; None where there is no mask, or a problem with it."""
    if array is None:
        return None
    squeezed = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if squeezed.shape != shape or squeezed.dtype.kind not in "biuf" or not set(np.unique(squeezed)) <= {0, 1}:
        problems.append(f"mask is {array.dtype} of shape {array.shape}, expected 0 and 1 of shape {shape}")
        return None
    return squeezed.astype(bool)


def zeros_at_ends(values: np.ndarray) -> int:
    """Samples that end in two or more steps of nothing but zeros after steps that are not, in an array (N, T, D)."""
    empty = (values == 0).all(axis=2) | np.isnan(values).all(axis=2)
    zeros = (values == 0).all(axis=2)
    at_end = np.cumprod(empty[:, ::-1], axis=1).astype(bool) & zeros[:, ::-1]
    return int(((at_end.sum(axis=1) >= 2) & ~empty.all(axis=1)).sum())


def times_of(content: dict[str, np.ndarray], values: np.ndarray | None, problems: list[str]) -> np.ndarray | None:
    """Seconds of each step from its sample's start, (N, T) float64; None where the file has none."""
    times = content.get("times_s")
    if times is None or values is None:
        return None
    if times.dtype.kind == "m":
        times = times / np.timedelta64(1, "s")
    if times.dtype.kind not in "fiu" or times.shape not in (values.shape[1:2], values.shape[:2]):
        dates = " (dates: take the sample's start from them)" if times.dtype.kind == "M" else ""
        problems.append(
            f"times_s is {times.dtype} of shape {times.shape}{dates}, expected (T,) or (N, T) as features, in seconds"
        )
        return None
    every = np.broadcast_to(times.astype(np.float64), values.shape[:2])
    at_steps = every[~np.isnan(values).all(axis=2)]
    if not np.isfinite(at_steps).all():
        problems.append("times_s is not finite at a step that has features")
    elif at_steps.size and np.abs(at_steps).max() > LONGEST_S:
        problems.append(
            f"times_s reaches {np.abs(at_steps).max():.4g} s, more than 30 days: nanoseconds, milliseconds or dates? "
            "expected seconds from the sample's start"
        )
    return every
