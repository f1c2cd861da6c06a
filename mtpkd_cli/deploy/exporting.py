"""A student as an ONNX or TorchScript model, checked against the torch student before it is handed over.

The model reads, per modality, `<modality>_values` (B, T, D) float32 and `<modality>_mask` (B, T) bool, True where a
step exists; batch and time are free. It gives `scores` (B, C), probabilities or targets, and `embedding` (B, d).
"""

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from mtpkd_cli.errors import NumericalError, StudyError
from mtpkd_cli.models import Student

Format = Literal["onnx", "torchscript"]
FILES = {"onnx": "model.onnx", "torchscript": "model.pt"}
CHECKS, TOLERANCE, LONGEST = 100, 1e-4, 97

Run = Callable[[list[np.ndarray]], list[np.ndarray]]


class FlatStudent(nn.Module):
    """A student with flat inputs, values and mask of one modality after the other.

    Args:
        classification: Whether scores are probabilities, the softmax of the logits.
    """

    def __init__(self, student: Student, classification: bool) -> None:
        super().__init__()
        self.student, self.classification = student, classification

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Returns scores (B, C) and embedding (B, d)."""
        names = self.student.trunk.modalities
        output = self.student({name: (inputs[2 * i], inputs[2 * i + 1]) for i, name in enumerate(names)})
        scores = torch.softmax(output.logits, dim=1) if self.classification else output.logits
        return scores, output.embedding


def input_names(sizes: dict[str, int]) -> list[str]:
    """Names of the inputs of modalities, in their order."""
    return [f"{name}_{part}" for name in sizes for part in ("values", "mask")]


def export_student(path: Path, student: Student, sizes: dict[str, int], classification: bool, kind: Format) -> float:
    """Writes a student and checks what was written on 100 samples of odd lengths.

    Args:
        student: In evaluation mode.
        sizes: Modality -> feature size D.

    Returns:
        The largest difference from the torch student; of targets in standard deviations of the training people.

    Raises:
        StudyError: The libraries of the extra `export` are not installed.
        NumericalError: A difference is above 1e-4.
    """
    model = FlatStudent(student, classification).eval()
    example = tuple(torch.from_numpy(part) for part in _sample(np.random.default_rng(0), sizes, batch=3, steps=7))
    with _quiet():
        run = _write_onnx(path, model, example, sizes) if kind == "onnx" else _write_torchscript(path, model, example)
    return check(model, run, sizes, units=1.0 if student.scale is None else np.array(student.scale.scale))


def check(model: nn.Module, run: Run, sizes: dict[str, int], units: float | np.ndarray = 1.0) -> float:
    """Compares a written model with the torch one: every time another batch size, length and mask.

    Args:
        units: (C,) by which differences of scores are divided: targets may be of any size.

    Raises:
        NumericalError: An output is off by more than 1e-4.
    """
    worst, rng = 0.0, np.random.default_rng(1)
    for number in range(CHECKS):
        inputs = _sample(rng, sizes, batch=1 + number % 4, steps=int(rng.integers(1, LONGEST)) | 1)
        with torch.no_grad():
            wanted = model(*(torch.from_numpy(part) for part in inputs))
        for ours, theirs, unit in zip(run(inputs), wanted, (units, 1.0), strict=True):
            worst = max(worst, float((np.abs(ours - theirs.numpy()) / unit).max()))
    if not worst <= TOLERANCE:
        raise NumericalError(
            f"the exported model differs from the student by {worst:.2g}",
            expected=f"at most {TOLERANCE:g}",
            todo="export the other format, or report it with the versions of torch and onnxruntime",
        )
    return worst


def _sample(rng: np.random.Generator, sizes: dict[str, int], batch: int, steps: int) -> list[np.ndarray]:
    """Values and masks of a batch; steps are missing at the end, cells are NaN, a sample lacks a modality."""
    parts = []
    for number, size in enumerate(sizes.values()):
        length = steps + 2 * number
        values = rng.normal(size=(batch, length, size)).astype(np.float32)
        values[rng.random(values.shape) < 0.02] = np.nan
        mask = np.arange(length) < rng.integers(1, length + 1, size=(batch, 1))
        if number and batch > 1:
            mask[0] = False
        parts += [values, mask]
    return parts


def _write_onnx(path: Path, model: FlatStudent, example: tuple[Tensor, ...], sizes: dict[str, int]) -> Run:
    try:
        # torch needs onnxscript, and would say so by a traceback only.
        onnxruntime = importlib.import_module("onnxruntime")
        importlib.import_module("onnxscript")
    except ImportError as err:
        raise StudyError(
            f"'{err.name}' is not installed", where="--format onnx", todo="pip install 'mtpkd[export]'"
        ) from err
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program: Any = torch.onnx.export(
        model,
        example,
        dynamo=True,
        input_names=input_names(sizes),
        output_names=["scores", "embedding"],
        dynamic_shapes=(tuple(free for _ in example),),
        verbose=False,
    )
    # One file: the weights of a student are small.
    program.save(str(path), external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: list[np.ndarray]) -> list[np.ndarray]:
        outputs: list[np.ndarray] = session.run(None, dict(zip(input_names(sizes), inputs, strict=True)))
        return outputs

    return run


def _write_torchscript(path: Path, model: FlatStudent, example: tuple[Tensor, ...]) -> Run:
    torch.jit.trace(model, example, check_trace=False).save(str(path))
    loaded = torch.jit.load(str(path))

    def run(inputs: list[np.ndarray]) -> list[np.ndarray]:
        with torch.no_grad():
            return [part.numpy() for part in loaded(*(torch.from_numpy(part) for part in inputs))]

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporters print about themselves; what comes of them is checked by numbers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
