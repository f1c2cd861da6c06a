"""Fitted models on disk: weights as safetensors, what to build as JSON; nothing in them can run code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mtpkd_cli.artifacts import write_bytes, write_json, write_text
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.models import Student, Teacher

Model = TypeVar("Model", Teacher, Student)
WEIGHTS, DESCRIPTION, HISTORY = "model.safetensors", "model.json", "history.jsonl"


def save_model(
    folder: Path,
    model: nn.Module,
    arguments: Mapping[str, Any],
    about: Mapping[str, Any],
    history: list[dict[str, Any]],
) -> None:
    """Writes weights, description and history of a model.

    Args:
        arguments: Keyword arguments that build the module again.
        about: What a reader needs beside the weights (modalities, classes, ...).
    """
    save_weights(folder / WEIGHTS, model)
    write_json(folder / DESCRIPTION, {"kind": type(model).__name__, "arguments": dict(arguments), **about})
    save_history(folder / HISTORY, history)


def load_model(folder: Path, kind: type[Model]) -> tuple[Model, dict[str, Any]]:
    """Builds a model from its folder; returns it in evaluation mode with its description.

    Raises:
        ArtifactError: The folder does not hold a model of that kind.
    """
    try:
        about = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if about["kind"] != kind.__name__:
            raise ArtifactError(f"this is a {about['kind']}", where=folder, expected=f"a {kind.__name__}")
        model = kind(**about["arguments"])
    except (OSError, ValueError, KeyError, TypeError) as err:
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


def save_history(path: Path, history: list[dict[str, Any]]) -> None:
    """Writes one JSON line per epoch."""
    write_text(path, "".join(json.dumps(entry) + "\n" for entry in history))


def read_history(path: Path) -> list[dict[str, Any]]:
    """Reads a history; raises ArtifactError where there is none."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as err:
        raise ArtifactError(f"a history cannot be read: {err}", where=path) from err
