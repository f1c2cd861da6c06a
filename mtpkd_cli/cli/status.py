"""`mtpkd status` as a table: one row per stage, and in it every unit that runs, failed or is stale."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtpkd_cli.cli.console import print_text
from mtpkd_cli.pipeline import STAGES, UnitStatus

MARKS = {
    "done": "[green]done[/green]",
    "running": "[cyan]running[/cyan]",
    "failed": "[red]failed[/red]",
    "stale": "[yellow]stale[/yellow]",
    "missing": "[dim]missing[/dim]",
}
"""States, and how they look; the state of a stage is the first of WORST that one of its units has."""

WORST = ("failed", "running", "stale", "missing", "done")


def print_status(entries: list[UnitStatus], title: str, labels: list[str]) -> None:
    """One row per stage, and per optional result that was asked for, with its reason; then what was noted of samples.

    Args:
        labels: Sentences on the labels that there are, and on those that are hidden.
    """
    table = Table("stage", "state", "done", "what is left", title=title, title_justify="left")
    stages = dict.fromkeys([*STAGES, *(entry.stage for entry in entries)])
    for stage in stages:
        of_stage = [entry for entry in entries if entry.stage == stage]
        by_state = {kind: [entry for entry in of_stage if entry.state == kind] for kind in WORST}
        left = []
        for kind in ("failed", "running", "stale"):
            shown = by_state[kind]
            left += [f"{MARKS[kind]} {entry.unit}: {escape(entry.reason)}" for entry in shown[:3]]
            left += [f"and {len(shown) - 3} more {kind}"] if len(shown) > 3 else []
        missing = by_state["missing"]
        if missing and len(missing) < len(of_stage):
            left.append(f"{len(missing)} missing, first {missing[0].unit}")
        worst = next((kind for kind in WORST if by_state[kind]), "done")
        table.add_row(stage, MARKS[worst], f"{len(by_state['done'])}/{len(of_stage)}", "\n".join(left))
    Console().print(table)
    listing = next((entry.counts for entry in entries if entry.unit == "."), {})
    if notes := listing.get("notes"):
        told = "; ".join(f"{note}: {count}" for note, count in notes.items())
        print_text(f"{listing['samples']} samples of {listing['subjects']} subjects; {told}")
    for sentence in labels:
        print_text(sentence)
