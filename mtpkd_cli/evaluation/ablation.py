"""The scores of an ablation: every cell beside the study's own reference student, with intervals over subjects."""

from collections.abc import Mapping

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record
from mtpkd_cli.evaluation.summary import Difference, MetricAbout, Score, Summary

ABLATION = "ablation.json"


class AblationRow(Record):
    """One cell, or the reference.

    Args:
        cell: Its name.
        values: Swept key -> its value, as TOML text; empty of the reference.
        fell_back: Repetitions in which the guard kept a student that knows no teacher.
    """

    cell: str
    values: dict[str, str]
    scores: dict[str, Score]
    from_reference: dict[str, Difference]
    from_first: dict[str, Difference]
    fell_back: int


class AblationScores(Record):
    """What ablation.json holds.

    Args:
        name: Of the ablation.
        method: Whose options were varied.
        over: Swept key -> its values.
        reference: The study's student that differences are taken from; None where it was not up to date.
        first: The first cell.
        cells: The reference first, where it is there.
    """

    name: str
    method: str
    over: dict[str, list[str]]
    reference: str | None
    first: str
    task: str
    subjects: int
    samples: int
    repetitions: list[str]
    interval: str
    headline: str
    metrics: dict[str, MetricAbout]
    cells: list[AblationRow]

    @property
    def metric_names(self) -> list[str]:
        """The headline metric first."""
        return sorted(self.metrics, key=lambda name: name != self.headline)


def ablation_scores(
    name: str,
    method: str,
    values: Mapping[str, dict[str, str]],
    reference: str | None,
    summary: Summary,
    from_first: Summary,
    fell_back: Mapping[str, int],
) -> AblationScores:
    """Puts the two evaluations of an ablation's rows together.

    Args:
        values: Cell -> swept key -> value; in the order of the cells.
        reference: A row of both summaries that is no cell, or None.
        summary: All rows, with differences from the reference where there is one.
        from_first: All rows, with differences from the first cell.
        fell_back: Row -> repetitions in which the guard kept a student that knows no teacher.
    """
    first = next(iter(values))
    rows = [
        AblationRow(
            cell=row,
            values=values.get(row, {}),
            scores=summary.methods[row].scores,
            from_reference=summary.methods[row].differences if reference else {},
            from_first=from_first.methods[row].differences,
            fell_back=fell_back[row],
        )
        for row in summary.students
    ]
    return AblationScores(
        name=name,
        method=method,
        over={key: list(dict.fromkeys(cell[key] for cell in values.values())) for key in values[first]},
        reference=reference,
        first=first,
        task=summary.task,
        subjects=summary.subjects,
        samples=summary.samples,
        repetitions=summary.repetitions,
        interval=summary.interval,
        headline=summary.headline,
        metrics=summary.metrics,
        cells=rows,
    )


def read_ablation(run: RunFolder, name: str) -> AblationScores:
    """Reads an ablation's table; raises ArtifactError where there is none."""
    path, todo = run.ablation(name) / ABLATION, f"mtpkd ablate {run.root} --name {name} --over ..."
    return read_record(path, AblationScores, "this ablation has no scores", todo)
