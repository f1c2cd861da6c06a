"""What scikit-learn's models reach on the same features: made, and as one table on stdout."""

from pathlib import Path
from typing import Any

from rich.table import Table

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.cli.gains import p_text
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.show import interval_text, value_text, wide_console
from mtpkd_cli.config import read_study
from mtpkd_cli.pipeline.measured import classical_file, read_summary
from mtpkd_cli.stages import Job


def compare_with_classical(folder: Path, quiet: bool) -> dict[str, Any]:
    """Fits the models, writes what came out and the report anew, and returns it."""
    from mtpkd_cli.pipeline.classical import classical_scores
    from mtpkd_cli.report import write_report

    run = RunFolder(folder)
    metric = read_summary(run)["headline"]
    with logged(run.logs, "classical"), Terminal(quiet) as terminal:
        content = classical_scores(run, read_study(run.study), metric, Job(terminal))
        write_report(run, terminal.progress)
        terminal.note(f"wrote {classical_file(run)} and the report")
    return content


def print_classical(content: dict[str, Any]) -> None:
    """One row per network: its score, and the score of each model with the network minus it."""
    rivals = list(content["rows"][0]["rivals"])
    columns = [column for rival in rivals for column in (rival, "network minus it", "p")]
    title = f"{content['label']} of networks and of scikit-learn's models of the same features, pooled over time"
    table = Table("network", content["label"], *columns, title=title, title_justify="left")
    for row in content["rows"]:
        cells = []
        for rival in row["rivals"].values():
            difference = rival["difference"]
            cells += [value_text(rival["score"]), interval_text(difference, " ", sign="+"), p_text(difference["p"])]
        table.add_row(row["network"], value_text(row["score"]), *cells)
    wide_console().print(table)
    print(f"p: {content['test'].split(';')[0]}; their strength was chosen by validation subjects.")
