"""The last checkpoint of a unit that is being fitted: one safetensors file in RUN/tasks, replaced as a whole.

It is deleted when the unit is done. What it holds are tensors and, in the file's header, plain data as JSON; nothing in
it can run code. A digest over all of it shows damage, a fingerprint shows whether it is of the same study and inputs.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpkd_cli.artifacts.atomic import remove_leftovers, write_bytes
from mtpkd_cli.storage import writing

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
_KEY = "mtpkd"


@dataclass(frozen=True)
class LastCheckpoint:
    """Where the checkpoint of a unit lies, and what it has to be of.

    Args:
        path: The file.
        fingerprint: Digest of everything that the fitted weights depend on.
        tell: Says one line to people.
    """

    path: Path
    fingerprint: str
    tell: Callable[[str], None] = lambda _: None

    def read(self) -> tuple[dict[str, "Tensor"], dict[str, Any]] | None:
        """Reads tensors and plain data; None where there is none, or none that can be used, which is reported."""
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                names = file.keys()
                # Copies: the file is replaced while what was read is in use.
                tensors = {name: file.get_tensor(name).clone() for name in names}
                header = json.loads((file.metadata() or {})[_KEY])
            about, known = header["about"], (header["schema"], header["fingerprint"])
            whole = header["digest"] == _digest(tensors, about)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as err:
            self.tell(f"{self.path.name} is ignored, it is damaged: {type(err).__name__}: {err}")
            return None
        if not whole:
            self.tell(f"{self.path.name} is ignored, it is damaged: its content is not what was written")
            return None
        if known != (SCHEMA, self.fingerprint):
            self.tell(f"{self.path.name} is ignored, it is of another study, input, device or version")
            return None
        return tensors, about

    def write(self, tensors: dict[str, "Tensor"], about: dict[str, Any]) -> None:
        """Replaces the checkpoint; whatever ends the program meanwhile, the one before or this one is there."""
        from safetensors.torch import save

        header = {"schema": SCHEMA, "fingerprint": self.fingerprint, "digest": _digest(tensors, about), "about": about}
        write_bytes(self.path, save(tensors, {_KEY: json.dumps(header)}))

    def remove(self) -> None:
        """Deletes the checkpoint, and what a killed process had begun to write of one."""
        # Asked first: a read-only disk refuses to delete even what is not there.
        if self.path.exists():
            with writing(self.path):
                self.path.unlink(missing_ok=True)
        remove_leftovers(self.path.parent, self.path.name)


def _digest(tensors: dict[str, "Tensor"], about: dict[str, Any]) -> str:
    import torch

    digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
