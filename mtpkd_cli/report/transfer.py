"""The page's section on what teachers knew before any student was trained, where that was asked for."""

from typing import Any

from mtpkd_cli.evaluation.summary import Estimate
from mtpkd_cli.evaluation.transfer import TeacherDiagnosis, read_transfer
from mtpkd_cli.evaluation.transfer_sentences import sentences
from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import NO_VALUE, Scale

_NATS, _SHARE, _CORRELATION = Scale(1, 3, "", ""), Scale(100, 0, "%", "points"), Scale(1, 2, "", "")


def transfer_table(results: Results) -> dict[str, Any] | None:
    """Tables of heads and rows of text, or "absent", why none is shown; None where nobody has asked for it.

    Two as on the terminal: each teacher held out, and beside the one that sees what the student sees.
    """
    state = results.optional_states["transfer"]
    if state.kind == "missing":
        return None
    if state.kind == "stale":
        return {"absent": f"Measured before something changed ({state.reason}): mtpkd transfer RUN does it again."}
    diagnosis = read_transfer(results.run)
    share = diagnosis.task == "classification" and diagnosis.greater_is_better
    scale = Scale(100, 1, "%", "points") if share else Scale(1, 3, "", "")
    first, beside = diagnosis.prevalent, _SHARE if diagnosis.task == "classification" else _CORRELATION
    unit = " (%)" if diagnosis.task == "classification" else ""
    held_out = {
        "title": "Held out",
        "heads": [f"{diagnosis.label}{' (%)' if share else ''}", f"minus {first}", "nats"],
        "rows": [
            _row(
                row,
                scale.with_interval(row.skill),
                _text(row.gap, scale, signed=True),
                _text(row.likelihood, _NATS, signed=True),
            )
            for row in diagnosis.teachers
        ],
    }
    agreement = diagnosis.agreement_heads
    beyond = {
        "title": f"Beside {first}, which sees what the student sees",
        "heads": [
            f"nats beyond {first}",
            f"share that {first} has (%)",
            *(f"{one}{unit}" for one in agreement.values()),
        ],
        "rows": [
            _row(
                row,
                _text(row.beyond, _NATS, signed=True),
                _text(row.shared, _SHARE),
                *(_text(getattr(row.agreement, key, None), beside) for key in agreement),
            )
            for row in diagnosis.teachers[1:]
        ],
    }
    caption = (
        f"{diagnosis.labelled:.0f} labelled recordings of a repetition, each seen by teachers that have not learned "
        f"from the person; {diagnosis.unlabelled:.0f} without a label. Nothing of a test person is used."
    )
    tables = [held_out, beyond] if beyond["rows"] else [held_out]
    return {"absent": "", "tables": tables, "caption": caption, "sentences": sentences(diagnosis)}


def _row(teacher: TeacherDiagnosis, *cells: str) -> dict[str, Any]:
    note = f"{', '.join(teacher.modalities)}; {teacher.recordings} recordings"
    return {"name": teacher.name, "note": note, "cells": cells}


def _text(estimate: Estimate | None, scale: Scale, signed: bool = False) -> str:
    return NO_VALUE if estimate is None else scale.with_interval(estimate, signed=signed)
