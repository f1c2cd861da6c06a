"""What is done, being done, failed, stale or missing, per unit and as one row per stage."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtpkd_cli.artifacts import RunFolder, read_manifest
from mtpkd_cli.artifacts.locks import Holder
from mtpkd_cli.artifacts.tasks import failure_of, running
from mtpkd_cli.pipeline import STAGES, States, Unit

MARKS = {
    "done": "[green]done[/green]",
    "running": "[cyan]running[/cyan]",
    "failed": "[red]failed[/red]",
    "stale": "[yellow]stale[/yellow]",
    "missing": "[dim]missing[/dim]",
}
"""States, and how they look; the state of a stage is the first of WORST that one of its units has."""

WORST = ("failed", "running", "stale", "missing", "done")


def status_of(run: RunFolder, states: States, units: list[Unit]) -> list[dict[str, Any]]:
    """One entry per unit.

    Returns:
        Of each unit: stage, folder, fold, seed, state and reason; counts of its manifest where it is done; who makes it
        (host, pid, since, batch job) where it is running; exit code and error of the last try where that failed.
    """
    return [_entry(run, states, unit) for unit in units]


def _entry(run: RunFolder, states: States, unit: Unit) -> dict[str, Any]:
    state = states.of(unit)
    kind: str = state.kind
    reason, counts = state.reason, dict[str, Any]()
    holders = running(run, unit.folder)
    failure = failure_of(run, unit.folder) if kind != "done" and not holders else None
    if holders:
        kind, reason = "running", "; ".join(map(str, holders))
    elif failure is not None:
        code = "" if failure.exit_code is None else f"exit code {failure.exit_code}: "
        kind, reason = "failed", f"{code}{failure.error}"
    elif kind == "done":
        manifest = read_manifest(unit.folder)
        counts = manifest.counts if manifest else {}
    return {
        "stage": unit.stage,
        "unit": run.relative(unit.folder),
        "fold": unit.fold,
        "seed": unit.seed,
        "state": kind,
        "reason": reason,
        "counts": counts,
        "running": [_told(holder) for holder in holders],
        "failure": asdict(failure) if failure else None,
    }


def _told(holder: Holder) -> dict[str, Any]:
    process = holder.process
    return {"host": process.machine, "pid": process.pid, "since": holder.since, "batch": holder.batch}


def print_status(entries: list[dict[str, Any]], title: str) -> None:
    """One row per stage, and in it every unit that runs, failed or is stale, with its reason."""
    table = Table("stage", "state", "done", "what is left", title=title, title_justify="left")
    for stage in STAGES:
        own = [entry for entry in entries if entry["stage"] == stage]
        by_state = {kind: [entry for entry in own if entry["state"] == kind] for kind in WORST}
        left = []
        for kind in ("failed", "running", "stale"):
            told = by_state[kind]
            left += [f"{MARKS[kind]} {entry['unit']}: {escape(entry['reason'])}" for entry in told[:3]]
            left += [f"and {len(told) - 3} more {kind}"] if len(told) > 3 else []
        missing = by_state["missing"]
        if missing and len(missing) < len(own):
            left.append(f"{len(missing)} missing, first {missing[0]['unit']}")
        worst = next((kind for kind in WORST if by_state[kind]), "done")
        table.add_row(stage, MARKS[worst], f"{len(by_state['done'])}/{len(own)}", "\n".join(left))
    Console().print(table)
