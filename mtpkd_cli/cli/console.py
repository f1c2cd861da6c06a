"""What all commands print with: plain data for machines, and a console as wide as its reader."""

import json
import textwrap
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


def print_text(text: str) -> None:
    """Prints sentences; a terminal gets them broken between words, a file or pipe line for line as they are."""
    console = Console()
    print(wrapped(text, console.width) if console.is_terminal else text)


def wrapped(text: str, width: int) -> str:
    """Breaks lines between words where one is longer than `width`; shorter texts stay as they are."""
    if max(map(len, text.splitlines()), default=0) <= width:
        return text
    return "\n".join(_broken(line, width) for line in paragraphs(text).splitlines())


def paragraphs(text: str) -> str:
    """Joins the lines of each paragraph; an empty line ends one, a line that is set in begins another."""
    lines: list[str] = []
    for line in text.splitlines():
        if lines and lines[-1] and line.strip() and not line[0].isspace():
            lines[-1] += f" {line}"
        else:
            lines.append(line.rstrip())
    return "\n".join(lines)


def _broken(line: str, width: int) -> str:
    start = line[: len(line) - len(line.lstrip())]
    after = f"{start}  " if start else ""
    return textwrap.fill(line, width, subsequent_indent=after, break_long_words=False, break_on_hyphens=False)
