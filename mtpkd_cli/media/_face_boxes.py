"""Boxes around faces: how much two overlap, and what is left of their noise once they are averaged.

A box is (x, y, side): the centre and side of a square in pixels.
"""

import numpy as np


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of squares given as centre and side, in the last axis; the others broadcast."""
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
