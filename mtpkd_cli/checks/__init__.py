"""Looking over a study before any compute: one file per concern, each gives facts, problems and notes.

A concern has a function that returns a `CheckResult`. Problems are what extraction or training would stumble over, or
what would make results wrong; notes are what a person should know. Nothing is written.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckResult:
    """What the check of one concern gives.

    Args:
        concern: Its name, e.g. "media video".
        found: The facts in one line.
        problems: What has to be mended, one line each.
        notes: What should be known, one line each.
        facts: The facts as plain numbers, for machines.
    """

    concern: str
    found: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
