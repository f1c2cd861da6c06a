"""Reading the weights of a network from a file that somebody else wrote: safetensors, or a .pth without code in it."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from mtpkd_cli.errors import DataError, first_ten

# Older files lack the counters of batch normalisation, which nothing here reads.
_OPTIONAL = "num_batches_tracked"
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def load_weights(network: nn.Module, path: Path, *, besides: tuple[str, ...] = ("fc.",)) -> None:
    """Puts the weights of a file into a network.

    Args:
        network: Gets them; names and shapes must agree.
        path: *.safetensors, or what `torch.save` wrote of a state dict; it is read without running code.
        besides: Beginnings of names that may be missing, differ in shape or be foreign: the classifier.

    Raises:
        DataError: There is no such file, it holds no weights, or not those of this network: the message lists what is
            missing, foreign or of another shape.
    """
    stored, expected = read_weights(path), network.state_dict()
    needed = {name: value for name, value in expected.items() if not name.startswith(besides)}
    missing = [name for name in needed if name not in stored and not name.endswith(_OPTIONAL)]
    foreign = [name for name in stored if name not in expected and not name.startswith(besides)]
    shapes = [
        f"{name}: {tuple(stored[name].shape)}, expected {tuple(value.shape)}"
        for name, value in needed.items()
        if name in stored and stored[name].shape != value.shape
    ]
    groups = [("missing", missing), ("foreign", foreign), ("of another shape", shapes)]
    problems = [f"{len(names)} {what}:\n{first_ten(names)}" for what, names in groups if names]
    if problems:
        raise DataError(
            "the file holds other weights than this network's; " + "\n".join(problems),
            where=path,
            expected=f"the {len(needed)} entries of torchvision's layout, such as {next(iter(needed))}",
            todo="give the weights of this very network, or choose the encoder that they belong to",
        )
    fitting = {name: stored[name] for name in needed if name in stored}
    network.load_state_dict(fitting, strict=False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Returns name -> tensor of a file; raises DataError where there is none or it holds anything else."""
    if not path.is_file():
        raise DataError("there is no such file of weights", where=path, todo="give the path of one that is there")
    try:
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.torch import load_file

            try:
                return load_file(path)
            except SafetensorError as err:
                raise ValueError(str(err)) from err
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError) as err:
        raise DataError(
            f"the file cannot be read as weights: {str(err).splitlines()[0] if str(err) else type(err).__name__}",
            where=path,
            expected="*.safetensors, or a .pth with tensors and nothing else in it",
            todo="look where it came from; save its state dict as safetensors",
        ) from err
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(
            "the file holds something other than tensors by name", where=path, expected="a state dict of a network"
        )
    return {str(name).removeprefix("module."): value for name, value in content.items()}
