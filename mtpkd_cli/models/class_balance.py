"""Classes that count alike: the shift of a model's logits by which each class has the same mean probability.

A model of little knowledge gives every sample about the frequencies of the classes, and says the frequent one
throughout, however well it orders samples; a teacher's soft labels make a student more so. What is right for a count of
errors is useless where classes are to be told apart, so decisions are taken as if classes were equally frequent. One
shift per class does it, found without any label, after all is fitted: no loss and no weight is another one.

Legend: N samples, C classes.

References:
    Saerens, Latinne, Decaestecker 2002, Adjusting the outputs of a classifier to new a priori probabilities, Neural
    Computation 14(1), doi 10.1162/089976602753284446; Menon et al. 2021, Long-tail learning via logit adjustment, ICLR,
    arXiv 2007.07314 (the post-hoc form, with the model's own mean in place of label frequencies).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

_ITERATIONS, _TOLERANCE = 200, 1e-5
_LARGEST = 6.0
"""Bound of a shift: a class that is hardly ever said is not made the only one."""


def balancing_shift(logits: Tensor) -> Tensor:
    """(C,) shift v, mean 0, with mean over samples of softmax(logits + v) the same for all classes.

    Args:
        logits: (N, C) of samples whose labels need not be known; of none the shift is 0.
    """
    classes = logits.shape[1]
    shift = logits.new_zeros(classes, dtype=torch.float64)
    for _ in range(_ITERATIONS if len(logits) else 0):
        mean = torch.softmax(logits.double() + shift, dim=1).mean(0).clamp(min=1e-12)
        step = -(mean * classes).log()
        shift = (shift + step).clamp(-_LARGEST, _LARGEST)
        if step.abs().max() < _TOLERANCE:
            break
    return (shift - shift.mean()).to(logits.dtype)


def balanced_probabilities(probabilities: Tensor, of: Tensor) -> Tensor:
    """(N, C) probabilities with the shift that balances those of other samples, (M, C)."""
    shift = balancing_shift(of.clamp(min=1e-12).log())
    return torch.softmax(probabilities.clamp(min=1e-12).log() + shift, dim=1)


class ClassShift(nn.Module):
    """The last step of a model of classes: a constant is added to each class's logit.

    It is told by the model's arguments (model.json), so it adds no weights.

    Args:
        shift: C numbers.
    """

    scale = None

    def __init__(self, shift: list[float]) -> None:
        super().__init__()
        if not all(math.isfinite(number) for number in shift):
            raise ValueError(f"a shift of classes is not finite: {shift}")
        self.register_buffer("shift", torch.tensor(shift), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """(..., C) logits -> (..., C)."""
        return logits + self.get_buffer("shift")

    def plain(self) -> list[float]:
        """As model.json holds it."""
        numbers: list[Any] = self.get_buffer("shift").tolist()
        return numbers
