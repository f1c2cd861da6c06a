"""Files of what `evaluate` measures on demand, and whether they are still of the scores that the run has."""

import json
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import RunFolder, digest_of, read_manifest
from mtpkd_cli.config import Study
from mtpkd_cli.errors import ArtifactError


def corruption_file(run: RunFolder) -> Path:
    """Holds scores of damaged test samples."""
    return run.corruption / "corruption.json"


def classical_file(run: RunFolder) -> Path:
    """Holds scores of scikit-learn's models of the same features."""
    return run.classical / "classical.json"


def read_measured(path: Path) -> dict[str, Any] | None:
    """The content of such a file; None where there is none that can be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if "made_of" in content else None


def made_of(run: RunFolder, study: Study, metric: str) -> str:
    """What curves and classical rivals depend on: digest of what evaluation read, metric, methods and resamples."""
    manifest = read_manifest(run.evaluation)
    inputs = manifest.inputs if manifest else {}
    return digest_of([inputs, metric, study.distill.methods, study.align.joint, study.evaluate.bootstrap_seed])


def remove_stale(run: RunFolder, study: Study) -> Path | None:
    """Removes curves that are of other students, data or another metric than the evaluation; returns what it removed.

    Raises:
        ArtifactError: There is no evaluation.
    """
    path = corruption_file(run)
    content = read_measured(path)
    if content is None or content["made_of"] == made_of(run, study, read_summary(run)["headline"]):
        return None
    path.unlink()
    return path


def read_summary(run: RunFolder) -> dict[str, Any]:
    """The content of metrics.json; raises ArtifactError where there is none that can be read."""
    path = run.evaluation / "metrics.json"
    try:
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ArtifactError("there are no scores", where=path, todo=f"mtpkd evaluate {run.root}") from err
    return summary
