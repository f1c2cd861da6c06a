"""One face out of many boxes: which of the boxes detected in a few frames belong together.

A box is (x, y, side): the centre and side of a square in pixels.
"""

import numpy as np

_SAME_FACE_OVERLAP = 0.15


def one_face(candidates: list[np.ndarray], last: np.ndarray | None) -> list[np.ndarray | None]:
    """Follows the face with the most support forwards and backwards.

    Args:
        candidates: For each frame the (n, 3) boxes detected in it: centre x, y and side.
        last: The box of the part before.

    Returns:
        One box per frame, None where none overlaps the neighbour that was kept.
    """
    kept: list[np.ndarray | None] = [None] * len(candidates)
    counts = [len(boxes) for boxes in candidates]
    if not any(counts):
        return kept
    chosen = int(_support(candidates, last).argmax())
    anchor = int(np.searchsorted(np.cumsum(counts), chosen, side="right"))
    first = candidates[anchor][chosen - sum(counts[:anchor])]
    for order in (range(anchor, len(candidates)), range(anchor, -1, -1)):
        current = first
        for index in order:
            overlaps = _overlaps(current, candidates[index])
            if overlaps.max(initial=0.0) > _SAME_FACE_OVERLAP:
                kept[index] = current = candidates[index][int(overlaps.argmax())]
    return kept


def _support(candidates: list[np.ndarray], last: np.ndarray | None) -> np.ndarray:
    """(all boxes,) for each box, in how many frames it overlaps another, by how much, times its side."""
    frames = [*candidates, last[None]] if last is not None else candidates
    held = [boxes for boxes in frames if len(boxes)]
    everything = np.concatenate(held)
    starts = np.cumsum([0, *(len(boxes) for boxes in held[:-1])])
    boxes = np.concatenate(candidates)
    # Of a frame's boxes the one that overlaps most counts.
    support: np.ndarray = np.maximum.reduceat(_overlaps(boxes[:, None], everything), starts, axis=1).sum(axis=1)
    return support * boxes[:, 2]


def _overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    # Intersection over union of squares given as centre and side, in the last axis.
    half, halves = box[..., 2:] / 2, others[..., 2:] / 2
    ends = np.minimum(box[..., :2] + half, others[..., :2] + halves)
    starts = np.maximum(box[..., :2] - half, others[..., :2] - halves)
    shared = (ends - starts).clip(min=0).prod(axis=-1)
    return shared / (box[..., 2] ** 2 + others[..., 2] ** 2 - shared)


def smooth(boxes: np.ndarray, times: int = 1) -> np.ndarray:
    """Returns (n, 3) boxes averaged with their neighbours so many times, weights 1 2 1, the ends kept."""
    for _ in range(times):
        padded = np.concatenate([boxes[:1], boxes, boxes[-1:]])
        boxes = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return boxes
