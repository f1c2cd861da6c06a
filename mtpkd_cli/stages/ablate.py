"""The table of an ablation: two evaluations of its rows, from the reference and from the first cell, put together."""

from pathlib import Path

from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.evaluation.ablation import ABLATION, ablation_scores
from mtpkd_cli.evaluation.summary import read_summary
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.descriptions import read_description


def build(
    out: Path,
    job: Job,
    *,
    name: str,
    method: str,
    values: dict[str, dict[str, str]],
    reference: str | None,
    students: dict[str, dict[str, Path]],
    evaluation: Path,
    from_first: Path,
) -> Counts:
    """Writes ablation.json.

    Args:
        values: Cell -> swept key -> value.
        reference: The row that differences are taken from beside the first cell; None where there is none.
        students: Row -> "fold/seed" -> folder of its student.
        evaluation: Folder of the scores with differences from the reference, or from the first cell without one.
        from_first: Folder of those with differences from the first cell; may be the same.
    """
    del job
    fell_back = {
        row: sum(read_description(folder).fell_back for folder in folders.values()) for row, folders in students.items()
    }
    scores = ablation_scores(
        name, method, values, reference, read_summary(evaluation), read_summary(from_first), fell_back
    )
    write_record(out / ABLATION, scores)
    return {"cells": len(values), "rows": len(scores.cells)}
