"""`mtpkd transfer`: what teachers know that the student's modalities do not show, before any student is trained."""

from functools import partial
from typing import TYPE_CHECKING

from mtpkd_cli.cli.app import app
from mtpkd_cli.cli.options import Json, Overwrite, Quiet, Run

if TYPE_CHECKING:
    from mtpkd_cli.evaluation.summary import Estimate
    from mtpkd_cli.evaluation.transfer import TransferDiagnosis

_WIDTH = 80


@app.command(rich_help_panel="Stages")
def transfer(run: Run, overwrite: Overwrite = False, json: Json = False, quiet: Quiet = False) -> None:
    """Before distilling: what each teacher knows, how much of it the student's modality has, how doubtful labels seem.

    Once the teachers are trained. It reads what they predict for labelled people from whom they have not learned, and
    nothing of a test person.
    """
    from mtpkd_cli import library
    from mtpkd_cli.cli.console import print_json
    from mtpkd_cli.cli.progress import Terminal

    with Terminal(quiet) as terminal:
        diagnosis = library.transfer(run, overwrite=overwrite, reporter=terminal)
    if json:
        print_json(diagnosis.plain())
    else:
        print_transfer(diagnosis)


def print_transfer(diagnosis: "TransferDiagnosis") -> None:
    """One table of what teachers know, one of what they know beyond the prevalent one, and how doubtful labels seem."""
    from rich.console import Console
    from rich.table import Column, Table

    from mtpkd_cli.evaluation.transfer_sentences import sentences

    console = Console(width=_WIDTH)
    first, of_classes = diagnosis.prevalent, diagnosis.task == "classification"
    print_line = partial(console.print, highlight=False)
    print_line(
        f"{diagnosis.labelled:.0f} labelled recordings per repetition, none of a test person ({diagnosis.people} "
        f"people in all); {diagnosis.unlabelled:.0f} without a label"
    )
    table = Table("teacher", "n", diagnosis.label, f"minus {first}", "nats", title="Held out", title_justify="left")
    for row in diagnosis.teachers:
        cells = [_cell(row.skill), _cell(row.gap, "+"), _cell(row.likelihood, "+")]
        table.add_row(row.name, str(row.recordings), *cells)
    console.print(table)
    title = f"Beside {first}, which sees what the student sees"
    beyond, share = Column("nats beyond it", no_wrap=True), Column(f"share {first} has", no_wrap=len(first) < 8)
    table = Table("teacher", beyond, share, *diagnosis.agreement_heads.values(), title=title, title_justify="left")
    for row in diagnosis.teachers[1:]:
        agreement = [getattr(row.agreement, key) if row.agreement else None for key in diagnosis.agreement_heads]
        cells = [_value(one, of_classes) for one in agreement]
        table.add_row(row.name, _cell(row.beyond, "+"), _percent(row.shared), *cells)
    if table.row_count:
        console.print(table)
    for sentence in sentences(diagnosis):
        print_line(sentence)


def _cell(estimate: "Estimate | None", sign: str = "") -> str:
    """The value, and its interval on a line of its own."""
    if estimate is None or estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.3f}"
    return f"{estimate.value:{sign}.3f}\n[{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def _percent(estimate: "Estimate | None") -> str:
    if estimate is None or estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.0f} %"
    return f"{100 * estimate.value:.0f} %\n[{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def _value(estimate: "Estimate | None", share: bool) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    return f"{100 * estimate.value:.0f} %" if share else f"{estimate.value:.2f}"
