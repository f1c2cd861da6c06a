"""Fitted models on disk: weights as safetensors, what to build as JSON; nothing in them can run code."""

import json
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mtpkd_cli.artifacts import write_bytes, write_text
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.models import Student, Teacher
from mtpkd_cli.training.descriptions import DESCRIPTION, Description, read_description
from mtpkd_cli.training.fitting import History

Model = TypeVar("Model", Teacher, Student)
WEIGHTS, HISTORY = "model.safetensors", "history.jsonl"


def save_model(folder: Path, model: nn.Module, description: Description, history: History) -> None:
    """Writes weights, description and history of a model."""
    save_weights(folder / WEIGHTS, model)
    write_record(folder / DESCRIPTION, description)
    save_history(folder / HISTORY, history)


def load_model(folder: Path, kind: type[Model]) -> tuple[Model, Description]:
    """Builds a model from its folder; returns it in evaluation mode with its description.

    Raises:
        ArtifactError: The folder does not hold a model of that kind.
    """
    about = read_description(folder)
    if about.kind != kind.__name__:
        raise ArtifactError(f"this is a {about.kind}", where=folder, expected=f"a {kind.__name__}")
    try:
        model = kind(**about.arguments)
    except (ValueError, KeyError, TypeError) as err:
        raise ArtifactError(f"this is not a model: {err}", where=folder / DESCRIPTION) from err
    load_weights(folder / WEIGHTS, model)
    return model.eval(), about


def save_weights(path: Path, module: nn.Module) -> None:
    """Writes all parameters and buffers of a module as safetensors."""
    write_bytes(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}))


def load_weights(path: Path, module: nn.Module) -> None:
    """Fills a module from a safetensors file; every name and shape must match.

    Raises:
        ArtifactError: The file is missing, damaged, or holds other tensors.
    """
    try:
        module.load_state_dict(read_weights(path))
    except RuntimeError as err:
        raise ArtifactError(f"the weights do not fit the model: {err}", where=path) from err


def read_weights(path: Path) -> dict[str, Tensor]:
    """Reads the tensors of a safetensors file; raises ArtifactError where it is missing or damaged."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as err:
        raise ArtifactError(
            f"weights cannot be read: {err}", where=path, todo="run the stage again, with --overwrite"
        ) from err
    return tensors


def save_history(path: Path, history: History) -> None:
    """Writes one JSON line per epoch."""
    write_text(path, "".join(json.dumps(entry) + "\n" for entry in history))


def read_history(path: Path) -> History:
    """Reads a history; raises ArtifactError where there is none."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as err:
        raise ArtifactError(f"a history cannot be read: {err}", where=path) from err
