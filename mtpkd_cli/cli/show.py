"""Tables on stdout: what is done, what came out, what there is to choose from."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from mtpkd_cli.stages import TEACHER_PREFIX

LOG_WIDTH, ONE_LINE_WIDTH = 180, 150


def print_json(content: Any) -> None:
    """Prints plain data for machines."""
    print(json.dumps(content, indent=1, ensure_ascii=False))


def print_scores(summary: dict[str, Any]) -> None:
    """One row per method: every score with its interval, the headline metric first; then of single frames."""
    names = sorted(summary["metrics"], key=lambda name: name != summary["headline"])
    title = (
        f"{summary['samples']} samples of {summary['subjects']} subjects, {len(summary['repetitions'])} fold x seed; "
        "mean and 95 % interval over subjects"
    )
    _print_methods(summary, summary["methods"], names, title)
    for method, row in summary["methods"].items():
        if unseen := summary["samples"] - row["scored"]:
            print(f"{method}: {unseen} without a score, since it could see nothing of them")
    if frames := summary.get("frames"):
        title = f"{frames['frames']} labelled frames, each by the mean of the windows that cover it"
        _print_methods(summary, frames["methods"], [name for name in names if name in frames["metrics"]], title)
        for method, row in frames["methods"].items():
            if row["unscored"]:
                print(f"{method}: {row['unscored']} frames without a score, since no window over them could be read")


def _print_methods(summary: dict[str, Any], methods: dict[str, Any], names: list[str], title: str) -> None:
    console = wide_console()
    labels = [summary["metrics"][name]["label"] for name in names]
    table = Table("method", *labels, title=title, title_justify="left")
    between = " " if console.width >= ONE_LINE_WIDTH else "\n"
    before = ""
    for method, row in methods.items():
        if method.startswith(TEACHER_PREFIX) and not before.startswith(TEACHER_PREFIX):
            table.add_section()
        cells = [interval_text(row["scores"][name], between) for name in names]
        table.add_row(method, *cells)
        before = method
    console.print(table)


def wide_console() -> Console:
    """A console as wide as the terminal; a file or batch log has no width of its own, so intervals stay whole."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)


def value_text(estimate: dict[str, float | None]) -> str:
    """A value without its interval, "-" where there is none."""
    return "-" if estimate["value"] is None else f"{estimate['value']:.3f}"


def interval_text(estimate: dict[str, float | None] | None, between: str, sign: str = "") -> str:
    """A value with its interval, "-" where there is none; `between` stands between the two."""
    if estimate is None or estimate["value"] is None:
        return "-"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:{sign}.3f}"
    return f"{estimate['value']:{sign}.3f}{between}[{estimate['low']:{sign}.3f}, {estimate['high']:{sign}.3f}]"
