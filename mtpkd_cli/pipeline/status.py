"""What is done, being done, failed, stale or missing: one entry per unit."""

from dataclasses import dataclass, field
from typing import Any, Literal

from mtpkd_cli.artifacts import RunFolder, read_manifest, read_parquet
from mtpkd_cli.artifacts.tasks import Failure, failure_of, running
from mtpkd_cli.config import Study
from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.pipeline.optional_units import optional_units
from mtpkd_cli.pipeline.states import States
from mtpkd_cli.pipeline.unit import Unit
from mtpkd_cli.pipeline.units import units_of
from mtpkd_cli.training.missing_labels import LabelFacts
from mtpkd_cli.training.splits import read_folds


@dataclass(frozen=True)
class Maker:
    """A process that makes a unit now.

    Args:
        host: The machine.
        pid: The process.
        since: ISO 8601, UTC.
        batch: The batch job, where it is one.
    """

    host: str
    pid: int
    since: str
    batch: dict[str, str]


@dataclass(frozen=True)
class UnitStatus:
    """One folder of results.

    Args:
        stage: The command that makes it.
        unit: Its folder within the run.
        fold: None where it serves all folds.
        seed: None where it serves all seeds.
        state: Of it; the last try failed, or it is being made.
        reason: Why it is stale, who makes it, or how it failed.
        counts: What its manifest tells in numbers, where it is done.
        running: Who makes it.
        failure: How the last try failed.
    """

    stage: str
    unit: str
    fold: int | None
    seed: int | None
    state: Literal["done", "running", "failed", "stale", "missing"]
    reason: str = ""
    counts: dict[str, Any] = field(default_factory=dict)
    running: list[Maker] = field(default_factory=list)
    failure: Failure | None = None


def status_of(run: RunFolder, study: Study) -> list[UnitStatus]:
    """The state of all units: those of the study, and the optional results that somebody has asked for."""
    units = units_of(run, study)
    others = optional_units(run, study)
    if run.ablations:
        # Loaded where it is needed: what judges takes half a second to load.
        from mtpkd_cli.pipeline.ablation import units_of_ablations

        others += units_of_ablations(run, study)
    if run.curve.is_dir():
        from mtpkd_cli.pipeline.curve import units_of_curve  # as above

        others += units_of_curve(run, study)
    states = States(run, study, [*units, *others])
    return [_status(run, states, unit) for unit in [*units, *others]]


def label_facts(run: RunFolder, labels: LabelBudget) -> LabelFacts | None:
    """What becomes of the labels, as samples and splits are listed; None where they are not listed yet.

    Args:
        labels: How many labels are seen.
    """
    if not (run.samples.is_file() and run.splits.is_file()):
        return None
    return LabelFacts.of(read_parquet(run.samples).to_pandas(), read_folds(run.splits), labels)


def _status(run: RunFolder, states: States, unit: Unit) -> UnitStatus:
    place = (unit.stage, run.relative(unit.folder), unit.fold, unit.seed)
    state, holders = states.of(unit), running(run, unit.folder)
    if holders:
        makers = [Maker(h.process.machine, h.process.pid, h.since, h.batch) for h in holders]
        return UnitStatus(*place, "running", "; ".join(map(str, holders)), running=makers)
    if state.kind == "done":
        manifest = read_manifest(unit.folder)
        return UnitStatus(*place, "done", state.reason, manifest.counts if manifest else {})
    failure = failure_of(run, unit.folder)
    if failure is not None:
        code = "" if failure.exit_code is None else f"exit code {failure.exit_code}: "
        return UnitStatus(*place, "failed", f"{code}{failure.error}", failure=failure)
    return UnitStatus(*place, state.kind, state.reason)
