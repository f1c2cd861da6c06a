"""The manifest: what a stage read and wrote. It is written last: no manifest = not done."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mtpkd_cli import __version__
from mtpkd_cli.artifacts.atomic import write_json
from mtpkd_cli.errors import ArtifactError

MANIFEST = "manifest.json"
SCHEMA = 1
LIBRARIES = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "pot",
    "decord",
    "av",
    "librosa",
    "neurokit2",
)


@dataclass(frozen=True)
class Manifest:
    """What makes a result what it is, and what was made.

    Args:
        study: The part of the study that the stage read.
        inputs: Name -> digest of everything that it read.
        outputs: File -> SHA-256 of everything that it wrote.
        counts: What the stage has to say in numbers; plain data.
        seconds: How long it took.
        sizes: File -> bytes of everything that it wrote; tells damage without reading all again.
    """

    study: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    device: str = "cpu"
    schema: int = SCHEMA
    program: str = __version__
    libraries: dict[str, str] = field(default_factory=dict)
    written: str = ""
    sizes: dict[str, int] = field(default_factory=dict)

    def damage(self, folder: Path) -> str | None:
        """What has become of the output files since, in words; None where all are there in their sizes."""
        for name in self.outputs:
            try:
                size = (folder / name).stat().st_size
            except OSError:
                return f"{name} is gone"
            if size != self.sizes.get(name, size):
                return f"{name} is damaged, {size} bytes of {self.sizes[name]}"
        return None

    @property
    def digest(self) -> str:
        """One hash for all that was made; what later stages name as their input."""
        return digest_of(self.outputs)

    def difference(self, study: dict[str, Any], inputs: dict[str, str]) -> str | None:
        """Returns the entries that differ from the wanted ones, in words, or None where the result is up to date."""
        if self.schema != SCHEMA:
            return f"manifest schema {self.schema}, this program writes {SCHEMA}"
        was, now = _flat({"": self.study}) | self.inputs, _flat({"": study}) | inputs
        differing = [key for key in now | was if was.get(key) != now.get(key)]
        if not differing:
            return None
        return "; ".join(
            f"{key} has changed"
            if key in inputs or key in self.inputs
            else f"{key} was {json.dumps(was.get(key))}, is {json.dumps(now.get(key))}"
            for key in differing[:3]
        ) + (f"; and {len(differing) - 3} more" if len(differing) > 3 else "")


def digest_of(content: Any) -> str:
    """Returns the SHA-256 of plain data in canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """Reads a folder's manifest; None where there is none.

    Raises:
        ArtifactError: The file is there and is no manifest.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        if not all(isinstance(part, dict) for part in (manifest.study, manifest.inputs, manifest.outputs)):
            raise TypeError("study, inputs and outputs are tables")
        return manifest
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError) as err:
        raise ArtifactError(
            f"this is not a manifest: {err}", where=path, todo="delete it and run the stage again"
        ) from err


def write_manifest(folder: Path, files: list[Path], manifest: Manifest) -> Manifest:
    """Hashes the output files and writes the manifest, last of all; returns it as written."""
    outputs = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(files)}
    done = Manifest(
        study=manifest.study,
        inputs=manifest.inputs,
        outputs=outputs,
        counts=manifest.counts,
        seconds=round(manifest.seconds, 3),
        device=manifest.device,
        libraries={"python": platform.python_version()} | _versions(),
        sizes={name: (folder / name).stat().st_size for name in outputs},
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_json(folder / MANIFEST, asdict(done))
    return done


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _versions() -> dict[str, str]:
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{prefix}.{key}".strip(".")
        if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
            flat |= _flat({f"{key}[{i}]": entry for i, entry in enumerate(value)}, prefix)
        else:
            flat |= _flat(value, path) if isinstance(value, dict) else {path: value}
    return flat
