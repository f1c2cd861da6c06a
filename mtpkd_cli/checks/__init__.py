"""Looking over a study before any compute: one file per concern, each gives what it looked at and what it found.

A concern has a function that returns `Looked`. Problems are what extraction or training would stumble over, or what
would make results wrong; notes are what a person should know. Nothing is written.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Looked:
    """What one concern looked at and found.

    Args:
        concern: Its name, e.g. "media video".
        found: One line of facts.
        problems: What has to be mended, one line each.
        notes: What should be known, one line each.
        facts: The same as plain numbers, for machines.
    """

    concern: str
    found: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
