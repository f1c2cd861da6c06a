"""The work of `mtpkd doctor`: one screen, or JSON, and an exit code that scripts can ask."""

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtpkd_cli.cli.console import print_json
from mtpkd_cli.cluster.doctor import Finding, examine
from mtpkd_cli.errors import MachineError


def report(folder: Path, as_json: bool) -> None:
    """Prints all findings.

    Raises:
        MachineError: Something is wrong; all of it is in the message.
    """
    findings = examine(folder)
    wrong = [finding for finding in findings if finding.problem]
    if as_json:
        print_json({"ok": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    if wrong:
        lines = "\n".join(f"  - {finding.topic} {finding.name}: {finding.problem}" for finding in wrong)
        raise MachineError(f"{len(wrong)} of {len(findings)} findings need attention:\n{lines}")
    if not as_json:
        print("nothing is wrong")


def _print(findings: list[Finding]) -> None:
    table = Table("", "what", "found", box=None, pad_edge=False)
    before = ""
    for finding in findings:
        mark = "[red]✗[/red] " if finding.problem else ""
        topic = "" if finding.topic == before else f"[bold]{finding.topic}[/bold]"
        table.add_row(topic, escape(finding.name), mark + escape(finding.value))
        before = finding.topic
    Console().print(table)
