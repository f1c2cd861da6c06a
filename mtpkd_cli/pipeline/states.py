"""Whether a unit is done, stale (and why) or missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from mtpkd_cli.artifacts import MANIFEST, Manifest, RunFolder, digest_of, read_manifest, read_parquet
from mtpkd_cli.config import Study
from mtpkd_cli.datasets import listing_of, media_of
from mtpkd_cli.errors import ArtifactError, DataError
from mtpkd_cli.media.state import media_state
from mtpkd_cli.pipeline.unit import LISTING
from mtpkd_cli.pipeline.units import Unit
from mtpkd_cli.stages.samples import list_frames, list_samples


@dataclass(frozen=True)
class State:
    """The state of a unit; `reason` says what differs, or what is missing."""

    kind: Literal["done", "stale", "missing"]
    reason: str = ""


class States:
    """The states of a study's units, each computed once.

    Args:
        run: The run folder.
        study: The study as it is now.
        units: All its units.
    """

    def __init__(self, run: RunFolder, study: Study, units: list[Unit]) -> None:
        self.run, self.study = run, study
        self.maker = {unit.folder: unit for unit in units}
        self._known: dict[Path, State] = {}

    def of(self, unit: Unit) -> State:
        """Returns the state of a unit. One whose input is stale or missing is stale or missing itself."""
        if unit.folder not in self._known:
            self._known[unit.folder] = self._compute(unit)
        return self._known[unit.folder]

    def forget(self, unit: Unit) -> None:
        """Call after a unit was made: its state, and that of those who read it, are to be computed again."""
        self._known = {folder: state for folder, state in self._known.items() if state.kind == "done"}
        self._known.pop(unit.folder, None)

    def inputs_now(self, unit: Unit) -> dict[str, str]:
        """Returns name -> digest of everything that the unit would read now.

        Raises:
            ArtifactError: An input is missing or stale; the message names the command that makes it.
        """
        digests = {}
        for name, folder in unit.inputs.items():
            if self.of(self.maker[folder]).kind != "done":
                maker = self._first_undone(self.maker[folder])
                state = self.of(maker)
                raise ArtifactError(
                    f"{unit.label} needs {maker.label}, which is {state.kind}"
                    + (f": {state.reason}" if state.reason else ""),
                    where=maker.folder / MANIFEST,
                    todo=f"mtpkd {maker.stage} {self.run.root}",
                )
            manifest = read_manifest(folder)
            assert manifest is not None
            # Another label makes no other feature.
            digests[name] = manifest.digest if name != LISTING else digest_of(listing_of(self._samples))
        return digests | self._corpus(unit)

    @property
    def _samples(self) -> pd.DataFrame:
        """The samples table as it lies on disk."""
        return read_parquet(self.run.samples).to_pandas()

    def _first_undone(self, unit: Unit) -> Unit:
        """What has to be done first: the unit that this one waits for, or the one that that one waits for."""
        for folder in unit.inputs.values():
            if self.of(self.maker[folder]).kind != "done":
                return self._first_undone(self.maker[folder])
        return unit

    def _compute(self, unit: Unit) -> State:
        if unit.impossible:
            return State("stale", unit.impossible)
        try:
            manifest = read_manifest(unit.folder)
        except ArtifactError as err:
            return State("stale", err.what)
        if manifest is None:
            return State("missing")
        if damage := manifest.damage(unit.folder):
            return State("stale", damage)
        for name, folder in unit.inputs.items():
            if self.of(self.maker[folder]).kind != "done":
                return State("stale", f"{name} is {self.of(self.maker[folder]).kind}")
        try:
            reason = manifest.difference(unit.reads, self.inputs_now(unit) | self._unreachable(manifest))
        except DataError as err:
            reason = err.what
        return State("stale", reason) if reason else State("done")

    def _corpus(self, unit: Unit) -> dict[str, str]:
        """Digest of what the corpus holds for this unit, where the corpus can be reached."""
        root = self.run.data_root(self.study.data.root)
        if unit.module == "samples" and root.is_dir():
            samples, classes = list_samples(root, self.study.study.task, self.study.data)
            frames = list_frames(root, self.study.data, samples)
            labels = [] if frames is None else [str(pd.util.hash_pandas_object(frames, index=False).sum())]
            return {"corpus": digest_of([samples.to_json(orient="split"), classes, *labels])}
        if unit.module == "extract" and root.is_dir():
            table = media_of(self._samples, unit.name, unit.arguments["medium"])
            return {"media": digest_of(media_state(root, table))}
        if unit.module == "import_features" and root.is_dir():
            table = media_of(self._samples, unit.name, unit.name)
            files = [root / name for name in sorted(set(table["media"]) - {""})]
            # A copied table has another time and is imported again, which is cheap and changes nothing downstream.
            return {"media": digest_of([[file.stat().st_size, file.stat().st_mtime_ns] for file in files])}
        return {}

    def _unreachable(self, manifest: Manifest) -> dict[str, str]:
        """A corpus that is not here (a run folder on another machine) is taken as unchanged."""
        if self.run.data_root(self.study.data.root).is_dir():
            return {}
        return {name: digest for name, digest in manifest.inputs.items() if name in ("corpus", "media")}
