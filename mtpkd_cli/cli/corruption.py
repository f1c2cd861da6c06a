"""Scores of damaged test samples: made, and as one table on stdout."""

from pathlib import Path
from typing import Any

from rich.table import Table

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.show import value_text, wide_console
from mtpkd_cli.config import read_study
from mtpkd_cli.pipeline.measured import corruption_file, read_measured, read_summary
from mtpkd_cli.stages import Job

_SHOWN_METHODS = 6


def corrupt(folder: Path, quiet: bool, at_most: int | None, workers: int | None) -> None:
    """Scores test samples that have been made worse, and writes the report anew."""
    from mtpkd_cli.pipeline.robustness import corrupted_scores
    from mtpkd_cli.report import write_report

    run = RunFolder(folder)
    metric = read_summary(run)["headline"]
    study = read_study(run.study)
    with logged(run.logs, "corrupt"), Terminal(quiet) as terminal:
        job = Job(terminal, root=run.data_root(study.data.root), workers=workers)
        corrupted_scores(run, study, metric, job, at_most)
        write_report(run, terminal.progress)
        terminal.note(f"wrote {corruption_file(run)} and the report")


def print_corruption(folder: Path) -> None:
    """One row per kind and level: the score of every method, and how many samples could not be encoded."""
    run = RunFolder(folder)
    content = read_measured(corruption_file(run))
    if content is None:
        return
    label = read_summary(run)["metrics"][content["metric"]]["label"]
    students = [kind for kind in content["kinds"] if kind["on"] != "modalities"]
    media = content["media"]
    for name, about in media.items():
        if about["reason"]:
            print(f"{name}: features were damaged, not media: {about['reason']}")
        else:
            print(
                f"{name}: damaged: {about['sense']}, encoded anew; undamaged, {about['same']} of "
                f"{about['encoded']} samples gave the stored features bit for bit"
            )
    _print_kinds(students, media, f"{label} of {of_samples(content)} as they get worse")
    teacher = [kind for kind in content["kinds"] if kind["on"] == "modalities"]
    _print_kinds(teacher, {}, f"{label} of the joint teacher as trained")


def of_samples(content: dict[str, Any]) -> str:
    """How many samples were tried, in words."""
    part = "" if content["samples"] == content["all_samples"] else f" of {content['all_samples']}"
    return f"{content['samples']}{part} test samples of {content['subjects']} subjects"


def _print_kinds(kinds: list[dict[str, Any]], media: dict[str, Any], title: str) -> None:
    if not kinds:
        return
    methods = list(kinds[0]["methods"])[:_SHOWN_METHODS]
    encoded = any(kind["failed"] for kind in kinds)
    sought = next((about["looks_for"] for about in media.values() if about.get("looks_for")), "")
    ends = ["samples lost", f"steps without {sought}"][: 1 + bool(sought)] if encoded else []
    table = Table("damage", "level", *methods, *ends, title=title, title_justify="left")
    for kind in kinds:
        table.add_section()
        place = "" if kind["on"] == "modalities" else f"{', '.join(kind['modalities'])} {kind['on']}: "
        for number, tick in enumerate(kind["ticks"]):
            scores = [value_text(kind["methods"][method][number]) for method in methods]
            cells = [_share(kind[key], number) for key in ("failed", "unseen")[: len(ends)]]
            table.add_row("" if number else f"{place}{kind['kind']}, {kind['label']}", tick, *scores, *cells)
    wide_console().print(table)


def _share(shares: list[float | None], number: int) -> str:
    value = shares[number] if shares else None
    return "-" if value is None else f"{100 * value:.0f} %"
