"""What all commands print with: plain data for machines, and a console as wide as its reader."""

import json
from typing import Any

from rich.console import Console

LOG_WIDTH, ONE_LINE_WIDTH = 180, 150


def print_json(content: Any) -> None:
    """Prints plain data for machines."""
    print(json.dumps(content, indent=1, ensure_ascii=False))


def wide_console() -> Console:
    """A console as wide as the terminal; a file or batch log has no width of its own, so intervals stay whole."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)
