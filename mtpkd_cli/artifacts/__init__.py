"""What lies on disk: the run folder's paths, atomic writing, and the manifest that says a stage is done."""

from mtpkd_cli.artifacts.atomic import (
    read_parquet,
    remove_leftovers,
    replaced_folder,
    write_bytes,
    write_json,
    write_parquet,
    write_text,
)
from mtpkd_cli.artifacts.manifest import MANIFEST, Manifest, digest_of, read_manifest, write_manifest
from mtpkd_cli.artifacts.run_folder import RunFolder

__all__ = [
    "MANIFEST",
    "Manifest",
    "RunFolder",
    "digest_of",
    "read_manifest",
    "read_parquet",
    "remove_leftovers",
    "replaced_folder",
    "write_bytes",
    "write_json",
    "write_manifest",
    "write_parquet",
    "write_text",
]
